"""Clients (RFC 6749 section 2): the applications whose devices may ask for a grant."""

from collections.abc import Iterable
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from deviceflow.core.user_code import UserCodeFormat

ClientId = Annotated[
    str,
    Meta(
        pattern=r"\A[\x21-\x7e]{1,100}\Z",
        description="1 to 100 printable ASCII characters without spaces",
    ),
]

# RFC 6749 3.3: scope-token = 1*( %x21 / %x23-5B / %x5D-7E )
ScopeToken = Annotated[
    str,
    Meta(
        pattern=r"\A[\x21\x23-\x5b\x5d-\x7e]+\Z",
        description="a scope: printable ASCII without spaces, quotes and backslashes",
    ),
]

SecretDigest = Annotated[
    str,
    Meta(
        pattern=r"\A[0-9a-f]{64}\Z",
        description="the SHA-256 of the secret: 64 digits and lower-case letters a to f",
        extra={"secret": True},
    ),
]

DisplayName = Annotated[
    str,
    Meta(
        pattern=r"\A[^\x00-\x20\x7f]([^\x00-\x1f\x7f]{0,98}[^\x00-\x20\x7f])?\Z",
        description="1 to 100 characters on one line, with no space at either end",
    ),
]

Audience = Annotated[
    str, Meta(pattern=r"\A[\x21-\x7e]{1,255}\Z", description="the address or name of an API")
]

Lifetime = Annotated[int, Meta(ge=1, le=86_400)]
Interval = Annotated[int, Meta(ge=1, le=3_600)]


class Client(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One registered application. What is None is as the server's own settings say.

    `name`: what people read when they decide. `scopes`: all that it may ask for.
    `secret_sha256`: hexadecimal digests; two of them while a secret is being changed.
    `lifetime_s`, `interval_s`, `user_code`: of its grants, in place of the server's.
    `refresh_token`: always, never, or (None) only with the scope `offline_access`.
    `verification_uri_complete`: False makes the person type the code (RFC 8628 5.4).
    `audience`: the `aud` of its access tokens (RFC 9068 2.2).
    """

    client_id: ClientId
    name: DisplayName
    scopes: tuple[ScopeToken, ...] = ()
    auth_method: Literal["none", "client_secret_basic", "client_secret_post"] = "none"
    secret_sha256: tuple[SecretDigest, ...] = ()
    lifetime_s: Lifetime | None = None
    interval_s: Interval | None = None
    user_code: UserCodeFormat | None = None
    refresh_token: bool | None = None
    enabled: bool = True
    verification_uri_complete: bool = True
    audience: Audience | None = None

    def scopes_for(self, requested: str | None) -> tuple[str, ...] | None:
        """Choose the scopes of a grant for the parameter `scope`, or None for `invalid_scope`.

        RFC 6749 3.3: tokens with one space between them, order without meaning but kept.
        Absent or empty asks for everything that the client may have.
        """
        if not requested:
            return tuple(dict.fromkeys(self.scopes))
        tokens = tuple(dict.fromkeys(requested.split(" ")))
        # Allowed scopes are scope-tokens, so what is not a token (an empty one between two
        # spaces, for instance) is not among them either.
        return tokens if all(token and token in self.scopes for token in tokens) else None


class Clients:
    """The clients by their id."""

    def __init__(self, clients: Iterable[Client]) -> None:
        self._by_id = {client.client_id: client for client in clients}

    def find(self, client_id: str) -> Client | None:
        """Find the client of this id, enabled or not."""
        return self._by_id.get(client_id)
