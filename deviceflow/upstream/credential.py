"""How this server authenticates at a provider's token endpoint (OpenID Connect Core 9)."""

import os
import secrets
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote_plus

from deviceflow.config import Upstream
from deviceflow.core.assertion import TYPE
from deviceflow.core.clock import Clock
from deviceflow.signing.client_assertion import sign_with
from deviceflow.signing.errors import BadToken
from deviceflow.upstream.errors import Cause, UpstreamError
from deviceflow.upstream.metadata import ProviderMetadata

ASSERTION_LIFETIME_S = 60


class Authentication(NamedTuple):
    """What is added to a token request."""

    form: Mapping[str, str]
    headers: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Credential:
    """The secret or key of this client.

    A file is read each time that it is needed: a secret that was changed counts at once.
    """

    upstream: Upstream
    clock: Clock

    def check(self) -> None:
        """Raise UpstreamError if a file or variable is missing, or holds no usable credential."""
        if self.upstream.key_file is not None:
            self._assertion("https://example.com")
        else:
            self._secret()

    def authenticate(self, metadata: ProviderMetadata) -> Authentication:
        """Return the authentication for the token endpoint. May raise UpstreamError."""
        client_id = self.upstream.client_id
        if self.upstream.key_file is not None:
            is_for_endpoint = self.upstream.audience_of_assertions == "token_endpoint"
            audience = metadata.token_endpoint if is_for_endpoint else metadata.issuer
            assertion = self._assertion(audience)
            form = {"client_assertion_type": TYPE, "client_assertion": assertion}
            return Authentication(form | {"client_id": client_id}, {})
        secret = self._secret()
        if self._method(metadata) == "client_secret_post":
            return Authentication({"client_id": client_id, "client_secret": secret}, {})
        # RFC 6749 2.3.1: both are encoded like the values of a form before they are joined.
        pair = f"{quote_plus(client_id)}:{quote_plus(secret)}"
        return Authentication({}, {"Authorization": f"Basic {b64encode(pair.encode()).decode()}"})

    def _method(self, metadata: ProviderMetadata) -> str:
        supported = metadata.token_endpoint_auth_methods_supported
        is_post_only = "client_secret_basic" not in supported and "client_secret_post" in supported
        return self.upstream.auth_method or (
            "client_secret_post" if is_post_only else "client_secret_basic"
        )

    def _secret(self) -> str:
        if (path := self.upstream.client_secret_file) is not None:
            secret = _read(path).decode(errors="replace").strip()
        elif (name := self.upstream.client_secret_env) is not None:
            secret = os.environ.get(name, "")
        else:
            secret = self.upstream.client_secret or ""
        if not secret:
            source = self.upstream.client_secret_file or self.upstream.client_secret_env
            raise UpstreamError(Cause.BAD_CREDENTIAL, f"{source}: there is no secret")
        return secret

    def _assertion(self, audience: str) -> str:
        now = int(self.clock())
        claims = {
            "iss": self.upstream.client_id,
            "sub": self.upstream.client_id,
            "aud": audience,
            "jti": secrets.token_urlsafe(16),
            "iat": now,
            "exp": now + ASSERTION_LIFETIME_S,
        }
        path = str(self.upstream.key_file)
        try:
            return sign_with(_read(path), claims, self.upstream.key_id)
        except BadToken:
            detail = f"{path}: no private key; expected a JWK or PEM of EC, RSA or Ed25519"
            raise UpstreamError(Cause.BAD_CREDENTIAL, detail) from None


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        detail = f"{path}: cannot be read: {error.strerror or 'input/output error'}"
        raise UpstreamError(Cause.BAD_CREDENTIAL, detail) from error
