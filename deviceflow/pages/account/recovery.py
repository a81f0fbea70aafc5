"""Recovery codes: made with the first factor, or when the person asks; shown once."""

import secrets
from dataclasses import dataclass

from aiohttp import web
from msgspec.structs import replace

from deviceflow.audit.events import SecurityEvent
from deviceflow.audit.journal import Audit
from deviceflow.core import base64url, recovery_code
from deviceflow.pages.account.owner import Owner, Owners
from deviceflow.pages.cookie import SessionCookie
from deviceflow.store.factors import Factors, FactorStore

RECOVERY_PATH = "/account/security/recovery-codes"
_SHOWN_WITHIN_S = 600


@dataclass(frozen=True, kw_only=True)
class NewCodes:
    """Makes codes, and hands them to the page that shows them.

    Only hashes are stored. From the POST that makes the codes to the page that shows them, an
    encrypted cookie carries them; the page removes it.
    """

    store: FactorStore
    cookie: SessionCookie

    @property
    def name(self) -> str:
        """The cookie's name."""
        return f"{self.cookie.name}-codes"

    def make(self) -> tuple[str, ...]:
        """Make codes, as they are shown."""
        return recovery_code.new_codes(secrets.choice)

    def hashes(self, owner: Owner, codes: tuple[str, ...]) -> tuple[str, ...]:
        """Return what is stored of these codes."""
        letters = (recovery_code.read(code) or "" for code in codes)
        return tuple(self.store.recovery_hash(each, owner.sub) for each in letters)

    def hand_over(self, owner: Owner, response: web.Response, codes: tuple[str, ...]) -> None:
        """Give the codes to the page that `response` leads to."""
        text = self.store.encrypted(" ".join(codes), owner.context(RECOVERY_PATH))
        response.set_cookie(
            self.name,
            base64url.encode(text),
            max_age=_SHOWN_WITHIN_S,
            path="/",
            secure=self.cookie.https,
            httponly=True,
            samesite="Lax",
        )

    def take(self, owner: Owner) -> list[str]:
        """Return the codes that were handed over, none if there are none."""
        try:
            sent = base64url.decode(owner.visitor.request.cookies.get(self.name, ""))
        except ValueError:
            return []
        return (self.store.decrypted(sent, owner.context(RECOVERY_PATH)) or "").split()

    def forget(self, response: web.Response) -> None:
        """Remove the cookie."""
        response.del_cookie(
            self.name, path="/", secure=self.cookie.https, httponly=True, samesite="Lax"
        )


@dataclass(frozen=True, kw_only=True)
class RecoveryPage:
    """GET and POST `/account/security/recovery-codes`."""

    owners: Owners
    new_codes: NewCodes
    audit: Audit

    def routes(self) -> list[web.RouteDef]:
        """List the routes."""
        return [web.get(RECOVERY_PATH, self.show), web.post(RECOVERY_PATH, self.renew)]

    async def show(self, request: web.Request) -> web.Response:
        """Show codes that were just made; later, only how many are left."""
        owner = await self.owners.meet(request)
        if isinstance(owner, web.Response):
            return owner
        if not self.owners.ways.has_second_factor(owner.factors):
            return self.owners.lead(owner)
        context = {"codes": self.new_codes.take(owner)}
        response = self.owners.show(owner, "account/recovery_codes.html", context)
        self.new_codes.forget(response)
        return response

    async def renew(self, request: web.Request) -> web.Response:
        """Replace all codes by new ones."""
        owner = await self.owners.read(request)
        if isinstance(owner, web.Response):
            return owner
        if not self.owners.ways.has_second_factor(owner.factors):
            return self.owners.lead(owner)
        codes = self.new_codes.make()
        hashes = self.new_codes.hashes(owner, codes)

        def edit(factors: Factors) -> Factors:
            return replace(factors, recovery=hashes)

        await self.owners.factors.change(owner.sub, edit)
        self.audit.record(
            SecurityEvent.FACTOR_ADDED, sub=owner.sub, subject="recovery_codes", way="page"
        )
        response = self.owners.lead(owner, RECOVERY_PATH)
        self.new_codes.hand_over(owner, response, codes)
        return response
