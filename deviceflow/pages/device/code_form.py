"""The form for a code: empty, filled in, or with a code that cannot be used."""

from dataclasses import dataclass

from aiohttp import web

from deviceflow.pages.codes import Codes
from deviceflow.pages.device.refusals import Reason, Refusal
from deviceflow.pages.texts import gettext
from deviceflow.pages.visitor import Visitor, Visitors
from deviceflow.pages.words import lasting
from deviceflow.store.errors import StoreUnavailable
from deviceflow.store.grants import Grants

UNUSABLE = 400
"""The status for a code that is unknown, expired, mistyped or missing: the answer is the same."""


@dataclass(frozen=True, kw_only=True)
class CodeForm:
    """Shows the form. `lifetime_s`: how long a code lives."""

    visitors: Visitors
    codes: Codes
    grants: Grants
    lifetime_s: int

    async def show(self, visitor: Visitor, text: str, *, is_outdated: bool = False) -> web.Response:
        """Ask for a code; `text` is filled in. `is_outdated`: a form that was sent did nothing."""
        return await self._page(visitor, text, 200, None, is_outdated=is_outdated)

    async def refuse(self, visitor: Visitor, refusal: Refusal) -> web.Response:
        """Say that the code that was typed cannot be used, and ask again in an empty field."""
        return await self._page(visitor, "", UNUSABLE, refusal)

    async def ask_to_type(self, visitor: Visitor) -> web.Response:
        """Ask to type the code: its client allows none that a link fills in (RFC 8628 5.4)."""
        return await self._page(visitor, "", 200, None, must_type=True)

    async def _page(
        self,
        visitor: Visitor,
        text: str,
        status: int,
        refusal: Refusal | None,
        *,
        must_type: bool = False,
        is_outdated: bool = False,
    ) -> web.Response:
        context = {
            "user_code": text,
            "typed": refusal.typed if refusal else "",
            "example": await self._example(),
            "is_numeric": self.codes.is_numeric,
            "lifetime": lasting(self.lifetime_s),
            "is_unusable": status == UNUSABLE,
            "must_type": must_type,
            "is_outdated": is_outdated,
            "wrong_length": self._wrong_length(refusal.reason) if refusal else "",
        }
        return self.visitors.show(visitor, "device/enter.html", context, status=status)

    async def _example(self) -> str:
        """Make an example as long as the codes that devices show now."""
        form = self.codes.default
        try:
            length = await self.grants.code_length(form, self.lifetime_s)
        except StoreUnavailable:
            # The form is of use without it.
            length = form.length
        return self.codes.example(length)

    def _wrong_length(self, reason: Reason) -> str:
        """Say what is wrong with the length of a code, empty if nothing is."""
        shortest, longest = self.codes.lengths
        if reason is Reason.TOO_SHORT:
            return gettext("device.enter.too_short", shortest=shortest, longest=longest)
        if reason is Reason.TOO_LONG:
            return gettext("device.enter.too_long", shortest=shortest, longest=longest)
        return ""
