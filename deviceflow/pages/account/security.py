"""How a person signs in, at a glance: the password, passkeys, the app, recovery codes."""

from dataclasses import dataclass

from aiohttp import web

from deviceflow.pages.account.owner import SECURITY, Owners

_NOTICES = {"app_added", "app_removed", "passkey_added", "passkey_removed"} | {
    "password_changed",
    "password_changed_all",
    "outdated",
}
"""What a POST may have to say here."""


@dataclass(frozen=True, kw_only=True)
class SecurityPage:
    """GET `/account/security`."""

    owners: Owners

    def routes(self) -> list[web.RouteDef]:
        """List the routes."""
        return [web.get(SECURITY, self.show)]

    async def show(self, request: web.Request) -> web.Response:
        """Show the overview."""
        owner = await self.owners.meet(request)
        if isinstance(owner, web.Response):
            return owner
        notice = request.query.get("notice", "")
        context = {
            "notice": notice if notice in _NOTICES else "",
            "has_second_factor": self.owners.ways.has_second_factor(owner.factors),
        }
        return self.owners.show(owner, "account/security.html", context)
