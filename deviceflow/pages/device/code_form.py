"""The form for a code: empty, filled in, or with a code that cannot be used."""

from dataclasses import dataclass

from aiohttp import web

from deviceflow.pages.codes import Codes
from deviceflow.pages.visitor import Visitor, Visitors
from deviceflow.pages.words import lasting

UNUSABLE = 400
"""The status for a code that is unknown, expired, mistyped or missing: the answer is the same."""


@dataclass(frozen=True, kw_only=True)
class CodeForm:
    """Shows the form. `lifetime_s`: how long a code lives."""

    visitors: Visitors
    codes: Codes
    lifetime_s: int

    def show(self, visitor: Visitor, text: str) -> web.Response:
        """Ask for a code; `text` is filled in."""
        return self._page(visitor, text, "", 200)

    def refuse(self, visitor: Visitor, text: str) -> web.Response:
        """Say that the code in `text` cannot be used, and ask again in an empty field."""
        return self._page(visitor, "", text, UNUSABLE)

    def _page(self, visitor: Visitor, text: str, typed: str, status: int) -> web.Response:
        context = {
            "user_code": text,
            "typed": typed,
            "example": self.codes.example,
            "is_numeric": self.codes.is_numeric,
            "lifetime": lasting(self.lifetime_s),
            "is_unusable": status == UNUSABLE,
        }
        return self.visitors.show(visitor, "device/enter.html", context, status=status)
