"""POST /oauth2/device_authorization (RFC 8628 section 3.1 and 3.2)."""

import time
from collections.abc import Callable
from ipaddress import IPv4Network, IPv6Network

import structlog
from aiohttp import web

from deviceflow.config import Settings
from deviceflow.core import user_code as codes
from deviceflow.core.address import client_address
from deviceflow.core.client import Clients
from deviceflow.core.errors import invalid_scope
from deviceflow.core.messages import DeviceAuthorizationResponse
from deviceflow.oauth.answers import answer
from deviceflow.oauth.client_auth import read_client_request
from deviceflow.store.grants import GrantRequest, Grants

USER_AGENT_KEPT = 64
"""Bytes; a longer value would cost every grant a third more memory in the store."""

log = structlog.get_logger()


class DeviceAuthorizationEndpoint:
    """Starts a grant."""

    def __init__(
        self,
        settings: Settings,
        clients: Clients,
        grants: Grants,
        trusted_proxies: tuple[IPv4Network | IPv6Network, ...],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._device = settings.device
        self._verification_uri = f"{settings.issuer_url}/device"
        self._clients = clients
        self._grants = grants
        self._trusted_proxies = trusted_proxies
        self._clock = clock

    async def __call__(self, request: web.Request) -> web.Response:
        """Answer with the codes. Raises OAuthError, StoreUnavailable."""
        _, parameters, client = await read_client_request(request, self._clients)
        scopes = client.scopes_for(parameters.get("scope"))
        if scopes is None:
            raise invalid_scope()

        form = client.user_code or self._device.user_code
        lifetime = client.lifetime_s or self._device.lifetime_s
        interval = client.interval_s or self._device.interval_s
        wanted = GrantRequest(
            client_id=client.client_id,
            scope=" ".join(scopes),
            requested_at=int(self._clock()),
            address=self._address(request),
            user_agent=_user_agent(request),
        )
        issued = await self._grants.issue(wanted, form, lifetime, interval)
        log.info("grant.issued", client_id=client.client_id, scope=wanted.scope)

        shown = codes.display(issued.user_code, form.group)
        complete = f"{self._verification_uri}?user_code={shown}"
        return answer(
            DeviceAuthorizationResponse(
                device_code=issued.device_code,
                user_code=shown,
                verification_uri=self._verification_uri,
                verification_uri_complete=complete if client.verification_uri_complete else None,
                expires_in=lifetime,
                interval=interval,
            )
        )

    def _address(self, request: web.Request) -> str:
        forwarded = request.headers.getall("X-Forwarded-For", [])
        return client_address(request.remote or "", forwarded, self._trusted_proxies)


def _user_agent(request: web.Request) -> str:
    text = request.headers.get("User-Agent", "").encode(errors="ignore")[:USER_AGENT_KEPT]
    readable = text.decode(errors="ignore")
    return "".join(character for character in readable if character.isprintable())
