"""Where a person goes on after a detour: a page of this server, with the code that they came with.

An address names the page by a word of this file, so it can lead nowhere else.
"""

from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlencode

from aiohttp import web

from deviceflow.pages.codes import Codes
from deviceflow.pages.redirect import see_other

_PAGES = {"confirm": "/device/confirm", "security": "/account/security"}
_FIRST = "/device"


class Onward(NamedTuple):
    """A page by its word, empty for the form for a code, and the code.

    `is_again`: the person is signed in, and has to do so once more before going on.
    """

    user_code: str = ""
    page: str = ""
    is_again: bool = False

    @classmethod
    def of(cls, codes: Codes, *sources: Mapping[str, str]) -> "Onward":
        """Read it from the fields of a form, or from an address: the first that says something."""
        said = [next(filter(None, (each.get(name, "") for each in sources)), "") for name in _NAMES]
        code, page, again = said
        return cls(codes.carry(code), page if page in _PAGES else "", bool(again))

    @property
    def fields(self) -> dict[str, str]:
        """The fields of a form that keeps it, in the words of an address."""
        again = "1" if self.is_again else ""
        said = dict(zip(_NAMES, (self.user_code, self.page, again), strict=True))
        return {name: value for name, value in said.items() if value}

    def address(self, path: str) -> str:
        """Return the address of another page, which keeps where to go on."""
        return f"{path}?{urlencode(self.fields)}" if self.fields else path

    def detour(self, request: web.Request, path: str, **query: str) -> web.Response:
        """Continue at another page first, which keeps where to go on."""
        return see_other(request, path, **(self.fields | query))

    def go_on(self, request: web.Request) -> web.Response:
        """Continue at the page."""
        return see_other(request, self.path, self.user_code)

    @property
    def path(self) -> str:
        """The path of the page."""
        return _PAGES.get(self.page, _FIRST)


_NAMES = ("user_code", "next", "again")
