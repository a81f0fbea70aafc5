"""What the pages of an account have in common: who may see them, and what they say after a form."""

from dataclasses import dataclass
from enum import StrEnum

from aiohttp import web

from deviceflow.pages.redirect import see_other
from deviceflow.pages.seal import Seal
from deviceflow.pages.visitor import Person, Visitor, Visitors
from deviceflow.pages.way_back import PLACES, WayBack


class Said(StrEnum):
    """What a page says of the form that led to it."""

    OUTDATED = "outdated"
    DISCONNECTED = "disconnected"
    ALL_DISCONNECTED = "all_disconnected"
    GONE = "gone"
    RENAMED = "renamed"
    BAD_NAME = "bad_name"
    SIGNED_OUT = "signed_out"
    OTHERS_SIGNED_OUT = "others_signed_out"


@dataclass(frozen=True, kw_only=True)
class AccountVisit:
    """A signed-in person at a page of the account. `fields`: of the form, if one was sent."""

    visitor: Visitor
    person: Person
    fields: dict[str, str]

    @property
    def sub(self) -> str:
        """The account's subject."""
        return self.person.account.sub


@dataclass(frozen=True, kw_only=True)
class AccountDoor:
    """Lets signed-in people in, and leads others to the page for signing in, and back.

    May raise `StoreUnavailable`, and `PageError` for a form that cannot be read.
    """

    visitors: Visitors
    way_back: WayBack
    seal: Seal

    async def enter(self, request: web.Request, place: str) -> AccountVisit | web.Response:
        """Return who opens a page, or the answer to a person who has to sign in.

        `place`: one of PLACES, to which the person returns.
        """
        visitor = await self.visitors.meet(request)
        if visitor.person is None:
            return self.way_back.sign_in(request, place)
        return AccountVisit(visitor=visitor, person=visitor.person, fields={})

    async def take(self, request: web.Request, place: str) -> AccountVisit | web.Response:
        """Return who has sent a form, or the answer to a form that changes nothing."""
        visitor, fields = await self.visitors.read(request)
        if visitor.person is None:
            return self.way_back.sign_in(request, place, notice="ended")
        if not self.visitors.is_own(visitor, fields):
            return self.lead(visitor, PLACES[place], Said.OUTDATED)
        return AccountVisit(visitor=visitor, person=visitor.person, fields=fields)

    def lead(self, visitor: Visitor, path: str, said: Said, **query: str) -> web.Response:
        """Continue at the page `path`, which says what has happened."""
        seal = self.seal.make(visitor.cookie, "account", said)
        return see_other(visitor.request, path, "", said=said, seal=seal, **query)

    def said(self, visitor: Visitor) -> str:
        """Return what the page has to say, empty if no form of this person led to it."""
        query = visitor.request.query
        said = query.get("said", "")
        is_true = self.seal.holds(query.get("seal", ""), visitor.cookie, "account", said)
        return said if is_true and said in set(Said) else ""
