"""All settings, and the addresses that follow from them."""

import re
from collections.abc import Mapping
from urllib.parse import unquote, urlsplit

import msgspec

from deviceflow.config.sections import (
    Admin,
    AuditSettings,
    Device,
    GrantLimits,
    Keys,
    Log,
    Notices,
    Pages,
    Phishing,
    Redis,
    Registration,
    Section,
    SecurityEvents,
    Server,
    SignIn,
    Tokens,
    Tracing,
    User,
)
from deviceflow.config.upstreams import Upstream
from deviceflow.config.values import (
    Issuer,
    Words,
)
from deviceflow.core.client import Client
from deviceflow.core.client_values import ScopeToken
from deviceflow.core.origin import host_in_url
from deviceflow.core.resources import ProtectedResource

DEFAULT_SCOPES = {
    "openid": "Know who you are",
    "profile": "See your name",
    "email": "See your e-mail address",
    "offline_access": "Stay signed in without asking you again",
}
"""The scopes that are described to people even if the file does not describe them."""


class Settings(Section, frozen=True, kw_only=True):
    """All settings. `scopes`: a description for people, by scope, in one language or in several.

    `resources`: the APIs with scopes of their own (RFC 9068 3).
    """

    issuer: Issuer | None = None
    server: Server = Server()
    redis: Redis = Redis()
    keys: Keys = Keys()
    device: Device = Device()
    phishing: Phishing = Phishing()
    limits: GrantLimits = GrantLimits()
    tokens: Tokens = Tokens()
    registration: Registration = Registration()
    pages: Pages = Pages()
    notices: Notices = Notices()
    sign_in: SignIn = SignIn()
    log: Log = Log()
    tracing: Tracing = Tracing()
    admin: Admin = Admin()
    audit: AuditSettings = AuditSettings()
    security_events: SecurityEvents = SecurityEvents()
    scopes: Mapping[ScopeToken, Words] = msgspec.field(default_factory=DEFAULT_SCOPES.copy)
    resources: tuple[ProtectedResource, ...] = ()
    clients: tuple[Client, ...] = ()
    users: tuple[User, ...] = ()
    upstream: tuple[Upstream, ...] = ()

    @property
    def base_path(self) -> str:
        """The path of the issuer, or an empty text. All public paths begin with it."""
        return urlsplit(self.issuer_url).path

    @property
    def route_path(self) -> str:
        """The same decoded, as the router compares it with what a request names."""
        return unquote(self.base_path)

    @property
    def code_page(self) -> str:
        """The address of the page for a code."""
        return f"{self.issuer_url}/device"

    @property
    def verification_uri(self) -> str:
        """The address that devices show (RFC 8628 3.2)."""
        return self.device.verification_uri or self.code_page

    def verification_uri_complete(self, user_code: str) -> str:
        """Return that address with a code in it, for a QR code (RFC 8628 3.3.1)."""
        address = self.verification_uri
        path = "" if urlsplit(address).path else "/"
        return f"{address}{path}?user_code={user_code}"

    def route(self, path: str) -> str:
        """Return the route of `path` below the issuer's path.

        The router encodes the plain text of a route that has a variable, but not the path that it
        compares with it. So a base that would be encoded is written as a variable itself.
        """
        base = self.route_path
        if "{" in path and base != self.base_path:
            base = f"/{{issuer_path:{re.escape(base[1:])}}}"
        return base + path

    @property
    def issuer_url(self) -> str:
        """The issuer as configured, byte for byte, or else the address of the server.

        It never ends with a slash. For a server that listens on all addresses, it is loopback.
        """
        if self.issuer is not None:
            return self.issuer
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.server.host, self.server.host)  # noqa: S104 - compared
        return f"http://{host_in_url(host)}:{self.server.port}"
