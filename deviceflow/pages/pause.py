"""A person has to wait before the next try: a POST finds it out, and the page after it says so.

The address has the end of the pause (ms since 1970), under a seal. The page can be loaded again
as often as one likes: it says how long the pause lasts now, and when it is over, the form is back.
"""

import math
from dataclasses import dataclass
from typing import Literal

from aiohttp import web

from deviceflow.core.clock import Clock
from deviceflow.pages.codes import Codes
from deviceflow.pages.errors import Button, PageError, too_many
from deviceflow.pages.redirect import see_other, with_code
from deviceflow.pages.seal import Seal
from deviceflow.pages.texts import gettext
from deviceflow.pages.visitor import Visitor
from deviceflow.pages.words import lasting
from deviceflow.policy.code_lifetime import CodeLifetime

PROOF_PATH: Literal["/device/proof"] = "/device/proof"
"""The page that offers a proof of work in place of the pause."""

FormPath = Literal["/device", "/device/proof", "/login", "/login/second"]

PauseNote = Literal["", "known", "link"]
"""What else the page has to know. known: the browser has signed in before; link: the code came from
a link, so it counts as filled in again."""


@dataclass(frozen=True, kw_only=True)
class Pauses:
    """Leads back to a form, which says that there is a pause first."""

    seal: Seal
    codes: Codes
    lifetime: CodeLifetime
    clock: Clock

    def lead(
        self, visitor: Visitor, form: FormPath, wait_s: int, code: str, note: PauseNote = ""
    ) -> web.Response:
        """Continue at `form`, after a pause.

        `code`: the one that the person came with. It is kept if it can outlive the pause.
        """
        until = str(math.ceil((self.clock() + wait_s) * 1000))
        kept = code if form != "/device" or wait_s < self.lifetime.longest_s else ""
        seal = self.seal.make(visitor.cookie, form, until, note)
        return see_other(visitor.request, form, kept, pause=until, note=note, seal=seal)

    def check(self, visitor: Visitor, form: FormPath) -> None:
        """Raise `PageError` 429, with `Retry-After`, while the pause lasts."""
        wait_s = self.left_s(visitor, form)
        if wait_s:
            query = visitor.request.query
            code = self.codes.carry(query.get("user_code", ""))
            raise self._page(form, wait_s, code, is_known=query.get("note") == "known")

    def left_s(self, visitor: Visitor, form: FormPath) -> int:
        """Return how long the pause in the address still lasts, in s; 0 if there is none."""
        query = visitor.request.query
        until, note = query.get("pause", ""), query.get("note", "")
        if not self.seal.holds(query.get("seal", ""), visitor.cookie, form, until, note):
            return 0
        return max(0, math.ceil(int(until) / 1000 - self.clock()))

    def _page(self, form: FormPath, wait_s: int, code: str, *, is_known: bool) -> PageError:
        if form == "/device":
            return too_many(
                gettext("error.too_many.codes"),
                wait_s,
                hints=[self._code_hint(wait_s)],
                button=Button(with_code(form, code), gettext("button.enter_code")),
            )
        hints = [] if is_known else [gettext("error.too_many.known_browser")]
        if code:
            hints.append(self._code_hint(wait_s))
        return too_many(
            gettext("error.too_many.sign_ins"),
            wait_s,
            hints=hints,
            button=Button(with_code(form, code), gettext("button.try_again")),
        )

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
