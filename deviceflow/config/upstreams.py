"""The settings of upstream OpenID providers, and what the presets fill in."""

from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from deviceflow.config.values import FilePath
from deviceflow.core.address import is_loopback
from deviceflow.core.client_values import DisplayName, ScopeToken
from deviceflow.core.public_key import ASYMMETRIC

Preset = Literal["generic", "keycloak", "entra", "google", "okta", "authentik"]
UpstreamMethod = Literal["client_secret_basic", "client_secret_post", "private_key_jwt"]

PRESETS: dict[Preset, dict[str, Any]] = {
    "generic": {"name": "your organisation"},
    "keycloak": {"name": "Keycloak"},
    # The ID token of Entra ID has no email_verified. Its prompt=login asks for the password that
    # the person has just typed; select_account lists the accounts of the browser.
    "entra": {
        "name": "Microsoft",
        "fresh_prompt": "select_account",
        "assertion_audience": "token_endpoint",
    },
    # Google knows no prompt=login, and has no session that a client can end.
    "google": {"name": "Google", "fresh_prompt": "select_account", "username": "email"},
    "okta": {"name": "Okta", "assertion_audience": "token_endpoint"},
    "authentik": {"name": "authentik"},
}
"""The defaults that differ from provider to provider."""


def _is_upstream_issuer(text: str) -> bool:
    """Return whether a URL can be a provider's issuer (OpenID Connect Discovery 3, 4.1).

    It may end with a slash. Plain http is only for loopback.
    """
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    is_bare = not (parts.query or parts.fragment or parts.username or "@" in parts.netloc)
    if not (text.isascii() and text.isprintable() and " " not in text and host and is_bare):
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host))


UpstreamId = Annotated[
    str,
    Meta(
        pattern=r"\A[a-z0-9](-?[a-z0-9]){0,31}\Z",
        description="1 to 32 small letters, digits and single hyphens: it is in an address",
    ),
]
UpstreamIssuer = Annotated[
    str,
    Meta(
        description="the provider's issuer as its metadata has it: an https:// URL without a query"
        " or a fragment (http:// only for 127.0.0.1, [::1] or localhost)",
        extra={"rule": _is_upstream_issuer},
    ),
]
OpaqueText = Annotated[
    str, Meta(pattern=r"\A[\x21-\x7e]{1,500}\Z", description="1 to 500 ASCII characters, no spaces")
]
Secret = Annotated[
    str,
    Meta(
        pattern=r"\A[\x20-\x7e]{1,1000}\Z",
        description="1 to 1000 ASCII characters",
        extra={"secret": True},
    ),
]
VariableName = Annotated[
    str,
    Meta(
        pattern=r"\A(?!DEVICEFLOW_)[A-Za-z_][A-Za-z0-9_]{0,99}\Z",
        description="the name of an environment variable that does not begin with DEVICEFLOW_",
    ),
]
ClaimName = Annotated[
    str, Meta(pattern=r"\A[\x21-\x7e]{1,200}\Z", description="the name of a claim, such as email")
]
GroupName = Annotated[
    str, Meta(min_length=1, max_length=500, description="1 to 500 characters, as the claim has it")
]
EmailDomain = Annotated[
    str,
    Meta(
        pattern=r"\A[a-z0-9]([a-z0-9.-]*[a-z0-9])?\Z",
        description="a domain in small letters, without @",
    ),
]
Algorithm = Annotated[
    str,
    Meta(
        description=f"one of {', '.join(ASYMMETRIC)}",
        extra={"rule": lambda name: name in ASYMMETRIC},
    ),
]


class ClaimNames(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The claims from which an account is made. `username`: None for the preset's."""

    username: ClaimName | None = None
    name: ClaimName = "name"
    email: ClaimName = "email"
    groups: ClaimName = "groups"


class Upstream(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An OpenID provider at which people sign in (OpenID Connect Core, Discovery).

    A field that is None takes the preset's value, or what the provider announces.
    """

    id: UpstreamId
    issuer: UpstreamIssuer
    client_id: OpaqueText
    name: DisplayName | None = None
    preset: Preset = "generic"
    client_secret: Secret | None = None
    client_secret_file: FilePath | None = None
    client_secret_env: VariableName | None = None
    key_file: FilePath | None = None
    key_id: OpaqueText | None = None
    auth_method: UpstreamMethod | None = None
    assertion_audience: Literal["issuer", "token_endpoint"] | None = None
    scopes: tuple[ScopeToken, ...] = ("openid", "profile", "email")
    acr_values: tuple[OpaqueText, ...] = ()
    max_age_s: Annotated[int, Meta(ge=0, le=31_536_000)] | None = None
    response_mode: Literal["query", "form_post"] = "query"
    algorithms: tuple[Algorithm, ...] = ASYMMETRIC
    claims: ClaimNames = ClaimNames()
    allow_create: bool = False
    groups: tuple[GroupName, ...] = ()
    email_domains: tuple[EmailDomain, ...] = ()
    trust_email: bool = False
    fresh_prompt: Literal["login", "select_account"] | None = None
    logout: bool = True

    def __repr__(self) -> str:
        """Name the provider. All fields would show the secret."""
        return f"Upstream(id={self.id!r}, issuer={self.issuer!r})"

    @property
    def title(self) -> str:
        """The name on the button."""
        return self.name or str(self._preset["name"])

    @property
    def username_claim(self) -> str:
        """The claim that the name of a new account is made from."""
        return self.claims.username or str(self._preset.get("username", "preferred_username"))

    @property
    def prompt_for_another(self) -> str:
        """The `prompt` that keeps the provider from signing the same person in silently."""
        return self.fresh_prompt or str(self._preset.get("fresh_prompt", "login"))

    @property
    def audience_of_assertions(self) -> str:
        """Whether the `aud` of client assertions is the issuer or the token endpoint."""
        return self.assertion_audience or str(self._preset.get("assertion_audience", "issuer"))

    @property
    def secret_sources(self) -> tuple[str, ...]:
        """The fields that give the credential of this client; exactly one is right."""
        names = ("client_secret", "client_secret_file", "client_secret_env", "key_file")
        return tuple(name for name in names if getattr(self, name) is not None)

    @property
    def _preset(self) -> dict[str, Any]:
        return PRESETS[self.preset]
