"""The form for a code: empty, filled in, or with a code that cannot be used."""

from dataclasses import dataclass

from aiohttp import web

from deviceflow.pages.codes import Codes
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

    async def show(self, visitor: Visitor, text: str) -> web.Response:
        """Ask for a code; `text` is filled in."""
        return await self._page(visitor, text, "", 200)

    async def refuse(self, visitor: Visitor, text: str) -> web.Response:
        """Say that the code in `text` cannot be used, and ask again in an empty field."""
        return await self._page(visitor, "", text, UNUSABLE)

    async def _page(self, visitor: Visitor, text: str, typed: str, status: int) -> web.Response:
        context = {
            "user_code": text,
            "typed": typed,
            "example": await self._example(),
            "is_numeric": self.codes.is_numeric,
            "lifetime": lasting(self.lifetime_s),
            "is_unusable": status == UNUSABLE,
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
