"""An authenticator app: set it up by a QR code and a first code, or remove it."""

import io
from dataclasses import dataclass

import segno
from aiohttp import web
from markupsafe import Markup
from msgspec.structs import replace

from deviceflow.config import Pages
from deviceflow.core import base64url
from deviceflow.core.assurance import ONE_TIME_CODE
from deviceflow.pages.account.additions import Additions
from deviceflow.pages.account.owner import Owner, Owners
from deviceflow.pages.words import title_in_words
from deviceflow.policy import totp
from deviceflow.store.factors import Authenticator, Factors

APP_PATH = "/account/security/app"
_SETUP_S = 1800
_GROUP = 4


@dataclass(frozen=True, kw_only=True)
class AppPage:
    """GET and POST `/account/security/app`, and POST `.../remove`.

    Until the first code is right, the secret is nowhere but in the address and the form, encrypted
    for this session: a reload shows the same QR code, and nothing is stored.
    """

    owners: Owners
    additions: Additions
    pages: Pages

    def routes(self) -> list[web.RouteDef]:
        """List the routes."""
        return [
            web.get(APP_PATH, self.show),
            web.post(APP_PATH, self.confirm),
            web.post(f"{APP_PATH}/remove", self.remove),
        ]

    async def show(self, request: web.Request) -> web.Response:
        """Show the secret, as a QR code and as text, and ask for a first code."""
        owner = await self.owners.meet_fresh(request)
        if isinstance(owner, web.Response):
            return owner
        if not self._may_add(owner):
            return self.owners.lead(owner)
        setup = request.query.get("setup", "")
        secret = self._secret_in(owner, setup)
        if secret is None:
            return self._begin(owner)
        uri = totp.provisioning_uri(
            secret, owner.person.account.username, title_in_words(self.pages)
        )
        is_wrong = request.query.get("notice") == "wrong"
        groups = [secret[start : start + _GROUP] for start in range(0, len(secret), _GROUP)]
        context = {
            "qr": _qr(uri),
            "uri": uri,
            "secret": " ".join(groups),
            "setup": setup,
            "is_wrong": is_wrong,
        }
        status = 400 if is_wrong else 200
        return self.owners.show(owner, "account/app.html", context, status=status)

    async def confirm(self, request: web.Request) -> web.Response:
        """Add the app if the first code is right."""
        owner = await self.owners.read(request)
        if isinstance(owner, web.Response):
            return owner
        if not self._may_add(owner):
            return self.owners.lead(owner)
        setup = owner.fields.get("setup", "")
        secret = self._secret_in(owner, setup)
        if secret is None:
            return self._begin(owner)
        now = int(self.owners.clock())
        step = totp.step_of(secret, owner.fields.get("code", ""), now)
        if step is None:
            return self.owners.lead(owner, APP_PATH, setup=setup, notice="wrong")
        app = Authenticator(
            secret=self.owners.factors.encrypted(secret, owner.sub), added_at=now, used_step=step
        )

        def edit(factors: Factors) -> Factors | None:
            return None if factors.authenticator else replace(factors, authenticator=app)

        return await self.additions.add(owner, edit, "app_added", ONE_TIME_CODE)

    async def remove(self, request: web.Request) -> web.Response:
        """Remove the app."""
        owner = await self.owners.read(request)
        if isinstance(owner, web.Response):
            return owner

        def edit(factors: Factors) -> Factors | None:
            return replace(factors, authenticator=None) if factors.authenticator else None

        return await self.additions.remove(owner, edit, "app_removed")

    def _may_add(self, owner: Owner) -> bool:
        return self.owners.ways.totp and owner.factors.authenticator is None

    def _begin(self, owner: Owner) -> web.Response:
        """Lead to the page with a new secret."""
        text = f"{totp.new_secret()} {int(self.owners.clock()) + _SETUP_S}"
        encrypted = self.owners.factors.encrypted(text, owner.context(APP_PATH))
        return self.owners.lead(owner, APP_PATH, setup=base64url.encode(encrypted))

    def _secret_in(self, owner: Owner, setup: str) -> str | None:
        """Return the secret that this session sets up, None if there is none any more."""
        try:
            encrypted = base64url.decode(setup)
        except ValueError:
            return None
        text = self.owners.factors.decrypted(encrypted, owner.context(APP_PATH)) or ""
        secret, _, until = text.partition(" ")
        return secret if secret and int(until) > self.owners.clock() else None


def _qr(uri: str) -> Markup:
    """Draw a QR code, black on white in every colour scheme, with the margin that it needs."""
    drawing = io.BytesIO()
    segno.make_qr(uri, error="m").save(
        drawing, kind="svg", xmldecl=False, svgns=False, border=4, omitsize=True, light="#fff"
    )
    return Markup(drawing.getvalue().decode())  # noqa: S704, made here, of a checked address
