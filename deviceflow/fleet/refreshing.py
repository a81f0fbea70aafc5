"""A device that has tokens, and refreshes them (RFC 6749 6) by a clock that runs faster."""

from deviceflow.device.answers import Reply, Tokens, read_refresh
from deviceflow.device.errors import (
    DeviceFlowError,
    MalformedAnswerError,
    ServerError,
    UnavailableError,
)
from deviceflow.fleet.device import Outgoing, Step, Times, start_over
from deviceflow.fleet.result import Operation
from deviceflow.fleet.verdict import WrongKind, describe, kind_of
from deviceflow.fleet.world import World

LIFETIME_S = 3600.0
"""The lifetime of an access token if the answer has no expires_in (RFC 6749 5.1)."""

REFRESHED_AT = (0.75, 0.95)
"""The part of the lifetime after which tokens are refreshed (smallest, greatest)."""

SHORTEST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 60.0


class Refreshing:
    """The phase."""

    __slots__ = ("_closes", "_failures", "_lifetime_s", "_refresh_token", "_world")

    def __init__(self, world: World, tokens: Tokens, *, closes: bool) -> None:
        self._world, self._closes = world, closes
        self._failures = 0
        self._refresh_token = tokens.refresh_token or ""
        self._lifetime_s = LIFETIME_S
        self._take(tokens)

    def due(self) -> float:
        """Return when the tokens have to be refreshed."""
        lifetime_s = self._lifetime_s / self._world.scenario.token_clock
        pause = lifetime_s * self._world.chance.uniform(*REFRESHED_AT)
        return self._world.time.now() + max(SHORTEST_PAUSE_S, pause)

    def request(self, _now: float) -> Outgoing:
        """Refresh the tokens."""
        request = self._world.requests.refresh(self._refresh_token, closes=self._closes)
        return Outgoing(request, Operation.REFRESH)

    def answered(self, reply: Reply, times: Times) -> Step:
        """Take the new tokens, or start over if the server has forgotten the old ones."""
        tally = self._world.tally
        try:
            tokens = read_refresh(reply)
        except UnavailableError as error:
            tally.errors[f"HTTP {error.status}"] += 1
            return self._later(times, error.retry_after)
        except MalformedAnswerError as error:
            tally.wrong(kind_of(error, reply), describe(error, reply), times.answered)
            return self._later(times, None)
        except DeviceFlowError as error:
            is_lost = isinstance(error, ServerError) and error.code == "invalid_grant"
            kind = WrongKind.REFRESH_REFUSED if is_lost else kind_of(error, reply)
            tally.wrong(kind, describe(error, reply), times.answered)
            return start_over(self._world)
        tally.latency(times.operation, times.latency)
        tally.events["refreshes"] += 1
        self._failures = 0
        self._take(tokens)
        return Step(self, self.due())

    def unanswered(self, times: Times) -> Step:
        """Send the same request again, later. A server that rotates tokens must allow that."""
        return self._later(times, None)

    def _later(self, times: Times, retry_after: float | None) -> Step:
        self._failures += 1
        doubled = min(SHORTEST_PAUSE_S * 2.0 ** min(self._failures, 10), LONGEST_PAUSE_S)
        pause = max(retry_after or 0.0, doubled * (1 + self._world.chance.random() / 4))
        return Step(self, times.answered + pause)

    def _take(self, tokens: Tokens) -> None:
        # RFC 6749 6: without a new refresh token, the old one stays.
        self._refresh_token = tokens.refresh_token or self._refresh_token
        if tokens.expires_in is not None:
            self._lifetime_s = max(0.0, float(tokens.expires_in))
