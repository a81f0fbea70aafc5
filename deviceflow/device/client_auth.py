"""The authentication of a device to the server: RFC 6749 2.3.1, and public clients."""

from base64 import b64encode
from typing import Literal
from urllib.parse import quote_plus

import msgspec

AuthMethod = Literal["none", "client_secret_basic", "client_secret_post"]


class Credentials(msgspec.Struct, frozen=True, kw_only=True):
    """A client's id, and for a confidential client its secret and the method to send it."""

    client_id: str
    client_secret: str | None = None
    auth_method: AuthMethod | None = None

    def __post_init__(self) -> None:
        """Check that the secret and the method fit. May raise ValueError."""
        if not self.client_id:
            raise ValueError("client_id is empty")
        if (self.auth_method or "none") != "none" and self.client_secret is None:
            raise ValueError(f"auth_method {self.auth_method} needs a client_secret")
        if self.auth_method == "none" and self.client_secret is not None:
            raise ValueError("auth_method none sends no client_secret: leave one of them out")

    def __repr__(self) -> str:
        return f"Credentials(client_id={self.client_id!r}, ...)"

    def apply(self, supported: tuple[str, ...]) -> tuple[dict[str, str], dict[str, str]]:
        """Return the headers and the form fields that identify the client.

        `supported` is token_endpoint_auth_methods_supported. Without `auth_method`, a secret is
        sent by Basic, which every server must accept (RFC 6749 2.3.1), unless the server lists
        only post.
        """
        if self.client_secret is None:
            return {}, {"client_id": self.client_id}
        only_post = "client_secret_post" in supported and "client_secret_basic" not in supported
        if self.auth_method == "client_secret_post" or (self.auth_method is None and only_post):
            return {}, {"client_id": self.client_id, "client_secret": self.client_secret}
        # RFC 6749 2.3.1: form-encode first, so that a colon in the id cannot split the pair.
        pair = f"{quote_plus(self.client_id)}:{quote_plus(self.client_secret)}"
        return {"Authorization": f"Basic {b64encode(pair.encode()).decode()}"}, {}
