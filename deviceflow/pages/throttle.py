"""What counts as a guess on the pages.

The rules are `policy.rules`. An attempt to sign in is counted, and taken back if the password
was right; a code too, if it led to a request that this account may see.
"""

from dataclasses import dataclass

import structlog

from deviceflow.audit.events import SecurityEvent
from deviceflow.audit.journal import Audit
from deviceflow.core.precis import prepare_username
from deviceflow.ops.metrics import table
from deviceflow.ops.metrics.recorder import Recorder
from deviceflow.ops.thinned_log import ThinnedLog
from deviceflow.policy.code_lifetime import CodeLifetime
from deviceflow.policy.guess_wave import GuessWave
from deviceflow.policy.rules import (
    CODE_WAVE,
    Count,
    code_counts,
    second_factor_counts,
    sign_in_counts,
    upstream_counts,
)
from deviceflow.policy.tries import TooManyTries, Try, count_try
from deviceflow.store.limits import Limits

_STATE_ID = 16
"""How much of a state stands for it among the tries: 96 random bits."""

log = structlog.get_logger()


@dataclass(frozen=True, kw_only=True)
class Throttle:
    """Counts attempts in the store. Raises `TooManyTries` when there are too many."""

    limits: Limits
    lifetime: CodeLifetime
    wave: GuessWave
    recorder: Recorder
    refusals: ThinnedLog
    audit: Audit

    async def sign_in(self, username: str, address: str, browser: str | None) -> Try:
        """Count an attempt to sign in, whether or not there is such a user.

        `username`: as `account_key` gives it. `browser`: its mark, if it is known.
        """
        return await self._attempt(sign_in_counts(username, address, browser), address)

    async def second_factor(self, username: str, address: str, browser: str | None) -> Try:
        """Count a one-time code, after a right password. The arguments are those of `sign_in`."""
        return await self._attempt(second_factor_counts(username, address, browser), address)

    async def upstream(self, address: str, state: str = "") -> Try:
        """Count an answer of an upstream provider, once for each `state`."""
        try:
            return await count_try(self.limits, upstream_counts(address), state[:_STATE_ID])
        except TooManyTries as refusal:
            self.recorder.count(table.SIGN_INS, "limited")
            self._note(refusal.rule.name, address)
            raise

    async def code(self, sub: str, address: str, *, is_proven: bool = False) -> Try:
        """Count a code as a guess, until it is known to be right.

        `is_proven`: the browser has worked for it, so it may go past the rule for a wave.
        """
        lifetime_s = self.lifetime.longest_s
        in_wave = not is_proven and await self.wave.is_on()
        try:
            counts = code_counts(sub, address, lifetime_s, in_wave=in_wave)
            return await count_try(self.limits, counts)
        except TooManyTries as refusal:
            self._note(refusal.rule.name, address, sub)
            raise

    async def approval(self, counts: tuple[Count, ...], grant: str, address: str) -> Try:
        """Count an approval, once for each grant. `grant`: a name that no other grant has."""
        try:
            return await count_try(self.limits, counts, grant)
        except TooManyTries as refusal:
            self._note(refusal.rule.name, address)
            raise

    async def note_right_code(self, sub: str) -> None:
        """Note that an account has typed a right code: in a wave, its tries begin anew."""
        if await self.wave.is_on():
            await self.limits.forget(CODE_WAVE, sub)

    def note_busy(self, address: str) -> None:
        """Count and log an attempt to sign in that found too many others waiting."""
        self.recorder.count(table.SIGN_INS, "busy")
        self.recorder.count(table.REFUSALS, table.SIGN_IN_QUEUE)
        self._note(table.SIGN_IN_QUEUE, address)

    async def _attempt(self, counts: tuple[Count, ...], address: str) -> Try:
        try:
            return await count_try(self.limits, counts)
        except TooManyTries as refusal:
            self.recorder.count(table.SIGN_INS, "limited")
            self._note(refusal.rule.name, address)
            raise

    def _note(self, name: str, address: str, sub: str = "") -> None:
        """Log that a limit refuses: a line a minute for each limit and address, and more."""
        self.audit.record(
            SecurityEvent.LIMIT_REFUSED, outcome="failure", limit=name, sub=sub, address=address
        )
        line = self.refusals.note((name, address))
        if line is not None:
            (limit, address), times = line
            log.warning("limit.refused", limit=limit, address=address, times=times)


def account_key(username: str) -> str:
    """Return what attempts to sign in as `username` are counted by, in every spelling."""
    return prepare_username(username) or username.strip().casefold()
