"""A device that asks for codes (RFC 8628 3.1, 3.2)."""

from deviceflow.device.answers import DeviceAuthorization, Reply, read_authorization
from deviceflow.device.errors import DeviceFlowError, UnavailableError
from deviceflow.device.schedule import before_asking_again
from deviceflow.fleet.device import Outgoing, Step, Times, start_over
from deviceflow.fleet.polling import Polling
from deviceflow.fleet.result import Operation
from deviceflow.fleet.styles import Style
from deviceflow.fleet.verdict import Grant, WrongKind, describe, kind_of
from deviceflow.fleet.world import World


class Starting:
    """The phase."""

    __slots__ = ("_failures", "_style", "_world")

    def __init__(self, world: World, style: Style) -> None:
        self._world, self._style = world, style
        self._failures = 0

    def request(self, _now: float) -> Outgoing:
        """Ask for codes."""
        data = self._world.requests.authorization(closes=self._style.closes)
        return Outgoing(data, Operation.START, to_token=False)

    def answered(self, reply: Reply, times: Times) -> Step:
        """Show the codes to a person, and poll. Ask again if there are none."""
        try:
            codes = read_authorization(reply)
        except UnavailableError as error:
            self._world.tally.errors[f"HTTP {error.status}"] += 1
            return self._again(times, error.retry_after)
        except DeviceFlowError as error:
            kind, example = kind_of(error, reply), describe(error, reply)
            self._world.tally.wrong(kind, example, times.answered)
            return start_over(self._world)
        self._world.tally.latency(times.operation, times.latency)
        return self._start(codes, times)

    def unanswered(self, times: Times) -> Step:
        """Ask again later."""
        return self._again(times, None)

    def _again(self, times: Times, retry_after: float | None) -> Step:
        self._failures += 1
        pause = before_asking_again(self._failures, retry_after, self._world.chance.random)
        return Step(self, times.answered + pause)

    def _start(self, codes: DeviceAuthorization, times: Times) -> Step:
        world, now = self._world, times.answered
        world.tally.events["starts"] += 1
        world.tally.pending += 1
        world.tally.interval_s = codes.interval
        world.tally.expires_in_s = codes.expires_in
        if not world.is_new(codes.device_code):
            world.tally.wrong(WrongKind.CODE_TWICE, "a device code", now)
        expires_in = codes.expires_in
        grant = Grant(expires_at=times.sent + expires_in, expired_by=now + expires_in)
        world.show(codes, grant)
        polling = Polling(world, self._style, codes, grant)
        return Step(polling, now + polling.before_first())
