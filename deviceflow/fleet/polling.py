"""A device that polls for its tokens (RFC 8628 3.4, 3.5).

The next poll is planned from when the last one was sent, not from its answer, so a slow server does
not get fewer polls. If an answer takes longer than the pause, the device has missed polls that were
planned: each of them counts as a latency, too, from its planned time to that answer.
"""

from deviceflow.device.answers import (
    DeviceAuthorization,
    NoAnswer,
    PollAnswer,
    Reply,
    StillPending,
    Tokens,
    TooFast,
    read_poll,
)
from deviceflow.device.errors import DeviceFlowError
from deviceflow.device.schedule import Schedule
from deviceflow.fleet.device import Outgoing, Step, Times, after_the_end, start_over
from deviceflow.fleet.refreshing import Refreshing
from deviceflow.fleet.result import Operation, PollOutcome
from deviceflow.fleet.styles import GIVES_UP_S, Style
from deviceflow.fleet.verdict import Grant, Poll, Verdict, WrongKind, of_answer, of_error
from deviceflow.fleet.world import World

MOST_MISSED = 100
"""How many missed polls one late answer counts for, at most."""

PATIENCE_S = 60.0
"""How long a device goes on polling after its code has expired, if no answer comes, in s."""


class Polling:
    """The phase. `codes`: what the server gave, `grant`: what is true of them."""

    __slots__ = ("_codes", "_gives_up_at", "_grant", "_request", "_schedule", "_style", "_world")

    def __init__(
        self, world: World, style: Style, codes: DeviceAuthorization, grant: Grant
    ) -> None:
        self._world, self._style, self._codes, self._grant = world, style, codes, grant
        hold_s = world.scenario.hold_s if style.is_held else 0
        self._schedule = Schedule(codes.interval, hold_s, world.chance.random)
        self._request = world.requests.poll(codes.device_code, closes=style.closes)
        self._gives_up_at = world.between(GIVES_UP_S) if style.gives_up else float("inf")

    def before_first(self) -> float:
        """Return the pause before the first poll, in s."""
        return self._pause(self._schedule.before_first())

    def request(self, now: float) -> Outgoing | Step:
        """Poll, or give up."""
        if now >= self._gives_up_at or now >= self._grant.expires_at + PATIENCE_S:
            return self._end(after_the_end(self._world))
        wait = self._schedule.wait(max(0.0, self._grant.expires_at - now))
        if not wait:
            return Outgoing(self._request, Operation.POLL)
        request = self._world.requests.poll(
            self._codes.device_code, closes=self._style.closes, wait=wait
        )
        return Outgoing(request, Operation.HELD_POLL, wait=wait)

    def answered(self, reply: Reply, times: Times) -> Step:
        """Judge an answer, and poll on or end."""
        poll = Poll(times.sent, times.answered)
        answer: PollAnswer | None = None
        try:
            answer = read_poll(reply)
        except DeviceFlowError as error:
            verdict = of_error(self._grant, error, reply, poll)
        else:
            verdict = of_answer(self._grant, answer, poll)
        if isinstance(answer, Tokens) and not verdict.wrong:
            verdict = self._same_tokens(answer, verdict)
        self._count(verdict, times)
        if isinstance(answer, NoAnswer):
            self._world.tally.errors[answer.reason] += 1
        else:
            is_redeemed = isinstance(answer, Tokens)
            operation = Operation.REDEMPTION if is_redeemed else times.operation
            self._world.tally.latency(operation, times.latency)
        if not verdict.ends:
            return self._go_on(answer, reply, times)
        if verdict.wrong:
            return self._end(start_over(self._world))
        return self._end(self._after(answer))

    def unanswered(self, times: Times) -> Step:
        """Poll again, later."""
        self._world.tally.polls[PollOutcome.ERROR] += 1
        pause = self._schedule.unanswered(times.took, None)
        return Step(self, times.answered + self._pause(pause))

    def _go_on(self, answer: PollAnswer | None, reply: Reply, times: Times) -> Step:
        match answer:
            case StillPending(held=True):
                pause = self._schedule.pending(times.took, held=True)
            case StillPending():
                return self._next_on_plan(times)
            case TooFast(interval=interval, retry_after=retry_after):
                pause = self._schedule.slow_down(interval, retry_after)
            case _:
                pause = self._schedule.unanswered(times.took, reply.retry_after)
        return Step(self, times.answered + self._pause(pause))

    def _next_on_plan(self, times: Times) -> Step:
        pause = self._pause(self._schedule.pending(times.took, held=False))
        if times.sent + pause > times.answered:
            return Step(self, times.sent + pause)
        for number in range(1, MOST_MISSED + 1):
            waited = times.latency - number * pause
            if waited <= 0:
                break
            self._world.tally.latency(times.operation, waited)
        return Step(self, times.answered + pause)

    def _pause(self, due: float) -> float:
        return self._style.pause(due, self._codes.interval, self._world.chance)

    def _count(self, verdict: Verdict, times: Times) -> None:
        tally = self._world.tally
        tally.polls[PollOutcome.WRONG if verdict.wrong else verdict.outcome] += 1
        if verdict.wrong:
            tally.wrong(verdict.wrong, verdict.example, times.answered)
        if verdict.outcome is PollOutcome.TOKENS:
            tally.events["tokens"] += 1
            decided_at = self._grant.decided_at
            # Tokens that come before the answer to the decision are as fast as can be.
            waited = times.answered - decided_at if decided_at is not None else 0.0
            tally.latency(Operation.APPROVAL_TO_TOKENS, waited)

    def _same_tokens(self, tokens: Tokens, verdict: Verdict) -> Verdict:
        if self._world.is_new(tokens.access_token):
            return verdict
        return verdict._replace(wrong=WrongKind.TOKENS_TWICE)

    def _after(self, answer: PollAnswer | None) -> Step:
        world = self._world
        share = world.scenario.refreshers / world.scenario.devices
        if isinstance(answer, Tokens) and answer.refresh_token and world.chance.random() < share:
            refreshing = Refreshing(world, answer, closes=self._style.closes)
            return Step(refreshing, refreshing.due())
        return after_the_end(world)

    def _end(self, step: Step) -> Step:
        self._world.ended(self._grant)
        return step
