"""A token request whose client is authenticated, as a grant type receives it."""

from typing import NamedTuple

from aiohttp import web

from deviceflow.core.client import Client
from deviceflow.oauth.dpop_proofs import Possession


class TokenRequest(NamedTuple):
    """A token request, its authenticated client, and the proof that the client holds a key.

    `resources`: the values of `resource` (RFC 8707 2.2).
    """

    http: web.Request
    parameters: dict[str, str]
    client: Client
    resources: list[str]
    possession: Possession | None

    @property
    def jkt(self) -> str:
        """The thumbprint of the client's DPoP key (RFC 7638), empty for none."""
        return self.possession.jkt if self.possession else ""
