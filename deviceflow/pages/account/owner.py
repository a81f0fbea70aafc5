"""The person whose account it is: signed in, and a short time ago for a change.

A session lives for hours, and a browser may be left open. So whatever changes how a person signs in
asks for a sign-in that is some minutes old at most, with all factors that the person has.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from deviceflow.core.clock import Clock
from deviceflow.pages.codes import Codes
from deviceflow.pages.onward import Onward
from deviceflow.pages.redirect import see_other
from deviceflow.pages.texts import ngettext
from deviceflow.pages.visitor import Person, Visitor, Visitors
from deviceflow.policy.sign_in_ways import SignInWays
from deviceflow.store.factors import Factors, FactorStore

SECURITY = "/account/security"

FRESH_S = 600
"""How old the sign-in may be for a change."""

VERY_FRESH_S = 120
"""How old it may be to remove the last factor."""


@dataclass(frozen=True, kw_only=True)
class Owner:
    """A signed-in person at a page of the account. `fields`: of the form that was sent."""

    visitor: Visitor
    person: Person
    factors: Factors
    user_code: str
    fields: Mapping[str, str]

    @property
    def sub(self) -> str:
        """The account's subject."""
        return self.person.account.sub

    def context(self, purpose: str) -> str:
        """Return a context of encryption: this person, in this session, for one purpose."""
        return f"{purpose} {self.sub} {self.visitor.cookie}"


@dataclass(frozen=True, kw_only=True)
class Owners:
    """Meets owners. May raise `StoreUnavailable`."""

    visitors: Visitors
    codes: Codes
    ways: SignInWays
    factors: FactorStore
    clock: Clock

    async def meet(self, request: web.Request) -> Owner | web.Response:
        """Recognise the sender, or lead to sign-in."""
        return await self._owner(await self.visitors.meet(request), request.query, {})

    async def meet_fresh(self, request: web.Request) -> Owner | web.Response:
        """Recognise the sender at a page that changes something, or lead to sign-in."""
        owner = await self.meet(request)
        if isinstance(owner, web.Response) or self.is_fresh(owner):
            return owner
        return self.sign_in_again(owner)

    async def read(self, request: web.Request) -> Owner | web.Response:
        """Read a form that changes something, or lead to sign-in or back to the overview."""
        visitor, fields = await self.visitors.read(request)
        owner = await self._owner(visitor, fields, fields)
        if isinstance(owner, web.Response):
            return owner
        if not self.visitors.is_own(visitor, fields):
            return self.lead(owner, notice="outdated")
        return owner if self.is_fresh(owner) else self.sign_in_again(owner)

    def is_fresh(self, owner: Owner, within_s: int = FRESH_S) -> bool:
        """Say whether the person signed in within that time, with all factors."""
        return self._is_young(owner, within_s) and not self._lacks_factor(owner)

    def sign_in_again(self, owner: Owner, within_s: int = FRESH_S) -> web.Response:
        """Lead to sign-in, or to the second step alone, and from there back to the overview.

        A person who signs in at a provider is not asked for an own factor on the way, so without
        the second step, they would come back with no more than before.
        """
        if self._is_young(owner, within_s) and self._lacks_factor(owner):
            return Onward(owner.user_code, "security").detour(
                owner.visitor.request, "/login/second"
            )
        onward = Onward(owner.user_code, "security", is_again=True)
        return onward.detour(owner.visitor.request, "/login")

    def _is_young(self, owner: Owner, within_s: int) -> bool:
        return self.clock() - owner.person.session.auth_time <= within_s

    def _lacks_factor(self, owner: Owner) -> bool:
        needs_two = self.ways.has_second_factor(owner.factors)
        return needs_two and "mfa" not in owner.person.session.amr

    def lead(self, owner: Owner, path: str = SECURITY, **query: str) -> web.Response:
        """Continue at a page of the account."""
        return see_other(owner.visitor.request, path, owner.user_code, **query)

    def show(
        self,
        owner: Owner,
        template: str,
        context: Mapping[str, Any],
        *,
        status: int = 200,
        policy: Mapping[str, str] | None = None,
    ) -> web.Response:
        """Show a page of the account."""
        left, passkeys = len(owner.factors.recovery), len(owner.factors.passkeys)
        own = {
            "user_code": owner.user_code,
            "factors": owner.factors,
            "ways": self.ways,
            "passkeys_in_words": ngettext(
                "account.security.passkey", "account.security.passkey_number", passkeys
            ),
            "codes_left": ngettext("account.recovery.one_left", "account.recovery.left", left),
        }
        return self.visitors.show(
            owner.visitor, template, own | dict(context), status=status, policy=policy
        )

    async def _owner(
        self, visitor: Visitor, said: Mapping[str, str], fields: Mapping[str, str]
    ) -> Owner | web.Response:
        code = self.codes.carry(said.get("user_code", ""))
        if visitor.person is None:
            return Onward(code, "security").detour(visitor.request, "/login")
        return Owner(
            visitor=visitor,
            person=visitor.person,
            factors=await self.factors.of(visitor.person.account.sub),
            user_code=code,
            fields=fields,
        )
