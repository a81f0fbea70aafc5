"""Where a server is reached."""

from typing import Any
from urllib.parse import urlsplit

import msgspec


class Endpoints(msgspec.Struct, frozen=True, kw_only=True):
    """Where the server is reached. `metadata`: its document (RFC 8414), {} without one."""

    issuer: str
    device_authorization: str
    token: str
    metadata: dict[str, Any] = {}

    @property
    def is_local(self) -> bool:
        """Whether it is on this machine."""
        host = urlsplit(self.token).hostname or ""
        return host in ("localhost", "::1") or host.startswith("127.")

    @property
    def client_methods(self) -> tuple[str, ...]:
        """The ways in which clients may authenticate (RFC 8414 2 has the default)."""
        listed = self.metadata.get("token_endpoint_auth_methods_supported")
        return tuple(listed) if isinstance(listed, list) else ("client_secret_basic",)

    def optional(self, name: str) -> str | None:
        """Return an endpoint of the metadata, None if the server has none."""
        found = self.metadata.get(name)
        return found if isinstance(found, str) else None
