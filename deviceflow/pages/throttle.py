"""What counts as a guess on the pages, and what a person reads who has to wait.

The rules are `policy.rules`. An attempt to sign in is counted, and taken back if the password
was right; a code too, if it led to a request that this account may see.
"""

from dataclasses import dataclass

import structlog

from deviceflow.core.precis import prepare_username
from deviceflow.ops.metrics import table
from deviceflow.ops.metrics.recorder import Recorder
from deviceflow.ops.thinned_log import ThinnedLog
from deviceflow.pages.codes import Codes
from deviceflow.pages.errors import Button, too_many
from deviceflow.pages.redirect import with_code
from deviceflow.pages.texts import gettext
from deviceflow.pages.words import lasting
from deviceflow.policy.code_lifetime import CodeLifetime
from deviceflow.policy.rules import code_counts, sign_in_counts
from deviceflow.policy.tries import TooManyTries, Try, count_try
from deviceflow.store.limits import Limits

log = structlog.get_logger()


@dataclass(frozen=True, kw_only=True)
class Throttle:
    """Counts attempts in the store. Raises `PageError` 429, with `Retry-After`, when over."""

    limits: Limits
    codes: Codes
    lifetime: CodeLifetime
    recorder: Recorder
    refusals: ThinnedLog

    async def sign_in(self, username: str, address: str, browser: str | None, code: str) -> Try:
        """Count an attempt to sign in, whether or not there is such a user.

        `username`: as `account_key` gives it. `browser`: its mark, if it is known. `code`: the one
        that the person came with.
        """
        try:
            return await count_try(self.limits, sign_in_counts(username, address, browser))
        except TooManyTries as refusal:
            self.recorder.count(table.SIGN_INS, "limited")
            self._note(refusal, address)
            hints = [] if browser else [gettext("error.too_many.known_browser")]
            if code:
                hints.append(self._code_hint(refusal.wait_s))
            raise too_many(
                gettext("error.too_many.sign_ins"),
                refusal.wait_s,
                hints=hints,
                button=Button(with_code("/login", code), gettext("button.try_again")),
            ) from None

    async def code(self, sub: str, address: str, text: str) -> Try:
        """Count the code in `text` as a guess, until it is known to be right."""
        lifetime_s = self.lifetime.longest_s
        try:
            return await count_try(self.limits, code_counts(sub, address, lifetime_s))
        except TooManyTries as refusal:
            self._note(refusal, address)
            is_worth_keeping = refusal.wait_s < lifetime_s
            code = self.codes.carry(text) if is_worth_keeping else ""
            raise too_many(
                gettext("error.too_many.codes"),
                refusal.wait_s,
                hints=[self._code_hint(refusal.wait_s)],
                button=Button(
                    with_code("/device", code), gettext("button.enter_code"), is_worth_keeping
                ),
            ) from None

    def _note(self, refusal: TooManyTries, address: str) -> None:
        """Log that a limit refuses: a line a minute for each limit and address, and more."""
        line = self.refusals.note((refusal.rule.name, address))
        if line is not None:
            (limit, address), times = line
            log.warning("limit.refused", limit=limit, address=address, times=times)

    def _code_hint(self, wait_s: int) -> str:
        """Say what becomes of the code on the device in `wait_s`.

        Which code that is must not be looked up here. It was handed out before now.
        """
        lifetime_s = self.lifetime.longest_s
        if wait_s >= lifetime_s:
            return gettext("error.too_many.code_expired")
        if wait_s >= lifetime_s / 2:
            return gettext("error.too_many.code_expires", lifetime=lasting(lifetime_s))
        return gettext("error.too_many.code_lasts", lifetime=lasting(lifetime_s))


def account_key(username: str) -> str:
    """Return what attempts to sign in as `username` are counted by, in every spelling."""
    return prepare_username(username) or username.strip().casefold()
