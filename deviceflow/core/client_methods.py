"""The methods by which a client authenticates (RFC 6749 2.3; RFC 8414 2), one row each.

This table holds what is true of a method before there is a request: settings, commands, metadata
and registration read it. How a request uses a method, and what proves the client then, stands
under the same name in oauth/clients/methods.py. No other module names a method.

A new method touches three files:

1. this one: its name in `AuthMethod`, and its row in `CLIENT_METHODS`;
2. oauth/clients/methods.py: its row in `AUTHENTICATORS`, with its reader and its proof;
3. core/client.py: a field for its credential, if no field holds it yet. A new field of a client
   also has an option in cli/client_options.py and an example in config/deviceflow.toml: tests
   fail until it has both.

People read about it in oauth/openapi/openapi.json and docs/configuration.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

AuthMethod = Literal[
    "none",
    "client_secret_basic",
    "client_secret_post",
    "client_secret",
    "private_key_jwt",
    "tls_client_auth",
]

PUBLIC: Final = "none"
"""The method of a public client: it names itself and proves nothing (RFC 6749 2.1)."""

DEFAULT_REGISTERED_METHOD: Final = "client_secret_basic"
"""The method of a client that registers itself and names none (RFC 7591 2)."""


class ClientCredential(NamedTuple):
    """What proves a client, and the `field` of `Client` that holds it.

    `fault` and `expected` are the words of an error where the field is empty.
    """

    field: str
    fault: str
    expected: str


SHARED_SECRET = ClientCredential("secret_sha256", "missing", "at least one")
PUBLIC_KEYS = ClientCredential("jwks", "no keys", "at least one public key")
CERTIFICATE_SUBJECT = ClientCredential(
    "tls_client_auth_subject_dn", "missing", "the name in the certificate,"
)


@dataclass(frozen=True, kw_only=True)
class ClientMethod:
    """What is true of a method.

    `summary` is what `--help` says of it. `parameter` is the form parameter that carries its
    credential; such a parameter is refused in an address. A client that changes its registration
    never gets a method of less `strength`. A method that is not `is_registrable` is the
    operator's to choose. `covers`: the methods of the IANA registry that it allows, if it is none
    of them itself; metadata lists those.
    """

    summary: str
    strength: int
    credential: ClientCredential | None = None
    parameter: str | None = None
    is_registrable: bool = True
    covers: tuple[AuthMethod, ...] = ()

    @property
    def has_secret(self) -> bool:
        """Whether its clients have a secret, which the server makes and shows once."""
        return self.credential is SHARED_SECRET

    @property
    def has_keys(self) -> bool:
        """Whether its clients sign with a key of theirs."""
        return self.credential is PUBLIC_KEYS

    @property
    def has_certificate(self) -> bool:
        """Whether its clients show a certificate, which only a proxy can verify."""
        return self.credential is CERTIFICATE_SUBJECT


CLIENT_METHODS: Mapping[AuthMethod, ClientMethod] = {
    PUBLIC: ClientMethod(
        summary="for an application on devices, where no secret is safe",
        strength=0,
    ),
    "client_secret_basic": ClientMethod(
        summary="a secret in the Authorization header",
        strength=1,
        credential=SHARED_SECRET,
    ),
    "client_secret_post": ClientMethod(
        summary="a secret in the form",
        strength=1,
        credential=SHARED_SECRET,
        parameter="client_secret",
    ),
    "client_secret": ClientMethod(
        summary="a secret in either place, because libraries differ in their default",
        strength=1,
        credential=SHARED_SECRET,
        is_registrable=False,
        covers=("client_secret_basic", "client_secret_post"),
    ),
    "private_key_jwt": ClientMethod(
        summary="a signed assertion (RFC 7523)",
        strength=2,
        credential=PUBLIC_KEYS,
        parameter="client_assertion",
    ),
    "tls_client_auth": ClientMethod(
        summary="a certificate (RFC 8705)",
        strength=3,
        credential=CERTIFICATE_SUBJECT,
        is_registrable=False,
    ),
}

REGISTERED_METHODS: tuple[AuthMethod, ...] = tuple(
    name for name, method in CLIENT_METHODS.items() if method.is_registrable
)
"""The methods that a client may register itself with."""

CREDENTIAL_PARAMETERS = frozenset(
    method.parameter for method in CLIENT_METHODS.values() if method.parameter
)
"""The form parameters that carry a credential."""

METHODS_WITH: Mapping[str, tuple[AuthMethod, ...]] = {
    credential.field: tuple(
        name for name, method in CLIENT_METHODS.items() if method.credential is credential
    )
    for credential in (SHARED_SECRET, PUBLIC_KEYS, CERTIFICATE_SUBJECT)
}
"""A field of `Client` that holds a credential, and the methods that prove a client by it."""
