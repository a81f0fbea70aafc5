"""Metadata (RFC 8414; OpenID Connect Discovery) and keys (RFC 7517), true to the settings."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

import msgspec
from aiohttp import web

from deviceflow.config import Settings
from deviceflow.core import pkce
from deviceflow.core.client import Client
from deviceflow.core.client_methods import CLIENT_METHODS, PUBLIC, REGISTERED_METHODS
from deviceflow.core.clients import Clients
from deviceflow.core.messages import GRANT_TYPES, ServerMetadata
from deviceflow.core.public_key import ASYMMETRIC
from deviceflow.core.signing_key import registered_algorithms
from deviceflow.policy.sign_in_ways import SignInWays
from deviceflow.signing.signer import Signer

KEPT = "public, max-age=300"
ASKED_AGAIN = "no-cache"
"""A new key signs at once, and an API that meets an unknown `kid` reads the keys again (OpenID
Connect Core 10.1.1): a cache in between must not answer with the old ones."""


class Offer(NamedTuple):
    """What a client may use: a scope, a method to authenticate by, an algorithm of its tokens.

    `introspection method`: a method of a client that may introspect.
    """

    kind: Literal["scope", "method", "introspection method", "algorithm"]
    name: str


def offers_to(client: Client, settings: Settings) -> Iterator[Offer]:
    """List what the server offers to a client, each once; nothing if it is not served."""
    if not client.enabled or not settings.server.offers(client.method):
        return
    yield from (Offer("scope", scope) for scope in dict.fromkeys(client.scopes))
    for method in client.announced_methods:
        yield Offer("method", method)
        if client.introspect:
            yield Offer("introspection method", method)
    if client.algorithm:
        yield Offer("algorithm", client.algorithm)


def server_metadata(settings: Settings, offers: Iterable[Offer]) -> ServerMetadata:
    """Return what this server offers to all its clients together."""
    issuer = settings.issuer_url
    names: dict[str, list[str]] = {}
    for offer in offers:
        names.setdefault(offer.kind, []).append(offer.name)
    scopes, methods = names.get("scope", []), names.get("method", [])
    signing = [settings.tokens.algorithm, *names.get("algorithm", [])]
    if settings.registration.enabled:
        scopes += settings.registration.scopes
        methods += REGISTERED_METHODS
        signing += registered_algorithms(settings.tokens.algorithm)
    methods = _each_once(methods) or [PUBLIC]
    introspecting = _each_once(names.get("introspection method", []))
    registration = f"{issuer}/oauth2/register" if settings.registration.enabled else None
    return ServerMetadata(
        issuer=issuer,
        device_authorization_endpoint=f"{issuer}/oauth2/device_authorization",
        token_endpoint=f"{issuer}/oauth2/token",
        revocation_endpoint=f"{issuer}/oauth2/revoke",
        introspection_endpoint=f"{issuer}/oauth2/introspect",
        userinfo_endpoint=f"{issuer}/oauth2/userinfo",
        jwks_uri=f"{issuer}/oauth2/jwks",
        registration_endpoint=registration,
        grant_types_supported=list(GRANT_TYPES),
        # Required by both documents, though a device-only server answers no such request.
        response_types_supported=["none"],
        # RFC 8414 3.2: what would be empty is left out.
        scopes_supported=_each_once(scopes) or None,
        token_endpoint_auth_methods_supported=methods,
        token_endpoint_auth_signing_alg_values_supported=_algorithms(methods),
        revocation_endpoint_auth_methods_supported=methods,
        revocation_endpoint_auth_signing_alg_values_supported=_algorithms(methods),
        introspection_endpoint_auth_methods_supported=introspecting or None,
        introspection_endpoint_auth_signing_alg_values_supported=_algorithms(introspecting),
        introspection_signing_alg_values_supported=[settings.tokens.algorithm],
        code_challenge_methods_supported=[pkce.METHOD],
        dpop_signing_alg_values_supported=list(ASYMMETRIC),
        subject_types_supported=["public"],
        id_token_signing_alg_values_supported=_each_once(signing),
        acr_values_supported=SignInWays.of(settings).acr_values or None,
        claims_supported=["sub", "auth_time", "amr", "acr", "name", "preferred_username", "email"],
        ui_locales_supported=list(settings.pages.languages),
        device_poll_max_wait=settings.device.max_wait_s,
        device_poll_hold=settings.device.hold_s,
    )


def provider_metadata(settings: Settings, metadata: ServerMetadata) -> ServerMetadata:
    """Return `metadata` as OpenID Connect Discovery 3 has it: with an authorization endpoint.

    RFC 8414 2 asks for one only if a grant type uses it, so the other document has none.
    """
    return msgspec.structs.replace(
        metadata,
        authorization_endpoint=f"{settings.issuer_url}/oauth2/authorize",
    )


def _each_once(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))


def _algorithms(methods: list[str]) -> list[str] | None:
    """Return the algorithms of signed assertions if a method has any (RFC 8414 2); never `none`."""
    signs = any(method.has_keys for name, method in CLIENT_METHODS.items() if name in methods)
    return list(ASYMMETRIC) if signs else None


@dataclass(frozen=True, kw_only=True)
class PublicDocument:
    """A JSON document that anyone may read; `cache_control` says whether a cache may keep it."""

    path: str
    document: Callable[[], object]
    cache_control: str = KEPT

    def routes(self) -> list[web.RouteDef]:
        """List the routes."""
        return [web.get(self.path, self.handle)]

    async def handle(self, _: web.Request) -> web.Response:
        """Answer with the document as it is now."""
        return web.Response(
            body=msgspec.json.encode(self.document()),
            content_type="application/json",
            headers={"Cache-Control": self.cache_control},
        )


class KeptMetadata:
    """The metadata, made when it is asked for and kept until clients change it.

    Most changes do not: a client is offered what others are. So it is counted how many clients
    each offer is for, and only the first or last one changes the metadata.
    """

    def __init__(self, settings: Settings, clients: Clients) -> None:
        self._settings = settings
        self._clients = clients
        self._kept: ServerMetadata | None = None
        self._offers: Counter[Offer] = Counter()
        clients.on_change(self._count_all, self._count_one)
        self._count_all()

    def server(self) -> ServerMetadata:
        """Return what this server offers to the clients that it has now (RFC 8414)."""
        if self._kept is None:
            self._kept = server_metadata(self._settings, self._offers)
        return self._kept

    def provider(self) -> ServerMetadata:
        """Return the same as OpenID Connect Discovery 3 has it."""
        return provider_metadata(self._settings, self.server())

    def _count_all(self) -> None:
        self._offers.clear()
        self._kept = None
        for client in self._clients:
            self._count_one(None, client)

    def _count_one(self, before: Client | None, after: Client | None) -> None:
        # The new one first: what it is still offered must not seem to end.
        for offer in offers_to(after, self._settings) if after else ():
            self._offers[offer] += 1
            if self._offers[offer] == 1:
                self._kept = None
        for offer in offers_to(before, self._settings) if before else ():
            self._offers[offer] -= 1
            if not self._offers[offer]:
                del self._offers[offer]
                self._kept = None


def published_keys(signer: Signer) -> list[PublicDocument]:
    """Publish the public keys (RFC 7517 5), also where some verifiers look by themselves."""
    return [
        PublicDocument(path=path, document=signer.jwks, cache_control=ASKED_AGAIN)
        for path in ("/oauth2/jwks", "/.well-known/jwks.json")
    ]


def published_below(metadata: KeptMetadata) -> list[PublicDocument]:
    """Publish the metadata below the issuer's path.

    OpenID Connect Discovery 4 appends to the issuer. Some libraries do that with the name of
    RFC 8414 as well.
    """
    return _published(metadata, "")


def published_beside(settings: Settings, metadata: KeptMetadata) -> list[PublicDocument]:
    """Publish the metadata beside the issuer's path, if it has one.

    RFC 8414 3 inserts the name before the path, and section 5 allows that for OpenID Connect.
    """
    base = settings.route_path
    return _published(metadata, base) if base else []


def _published(metadata: KeptMetadata, suffix: str) -> list[PublicDocument]:
    return [
        PublicDocument(
            path="/.well-known/oauth-authorization-server" + suffix, document=metadata.server
        ),
        PublicDocument(
            path="/.well-known/openid-configuration" + suffix, document=metadata.provider
        ),
    ]
