"""The machine endpoints of a worker, and the objects that each of them uses."""

from dataclasses import dataclass
from typing import Protocol

from aiohttp import web

from deviceflow.oauth.clients.authentication import ClientAuthentication
from deviceflow.oauth.clients.failures import FailureThrottle
from deviceflow.oauth.clients.proof import ClientProof
from deviceflow.oauth.clients.refusals import Refusals
from deviceflow.oauth.clients.registration import RegistrationEndpoint
from deviceflow.oauth.device_authorization import DeviceAuthorizationEndpoint
from deviceflow.oauth.dpop_proofs import DPoPProofs
from deviceflow.oauth.introspection import IntrospectionEndpoint
from deviceflow.oauth.metadata import (
    published_discovery,
    published_keys,
    published_metadata,
)
from deviceflow.oauth.poll.held import HeldPolls
from deviceflow.oauth.poll.lane import Lane
from deviceflow.oauth.poll.verdict import PollJudge
from deviceflow.oauth.presented_tokens import PresentedTokens
from deviceflow.oauth.revocation import RevocationEndpoint
from deviceflow.oauth.token.device_code import DeviceCodeGrant
from deviceflow.oauth.token.endpoint import TokenEndpoint
from deviceflow.oauth.token.minting import TokenMint
from deviceflow.oauth.token.refresh_token import RefreshTokenGrant
from deviceflow.oauth.userinfo import UserinfoEndpoint
from deviceflow.parts import Parts


class Endpoint(Protocol):
    """An object with routes, which are below the issuer's path."""

    def routes(self) -> list[web.RouteDef]:
        """List the routes."""


@dataclass(frozen=True, kw_only=True)
class Polling:
    """The objects that answer polls. The lane and the token endpoint share them."""

    judge: PollJudge
    held: HeldPolls
    lane: Lane


def polling(parts: Parts) -> Polling:
    """Make the objects that answer polls in a worker."""
    device = parts.settings.device
    judge = PollJudge(parts.installation.codes, parts.mirror, parts.pace, parts.clock)
    held = HeldPolls(
        parts.mirror, parts.clock, max_held=device.max_held, max_wait=device.max_wait_s
    )
    lane = Lane(
        judge,
        parts.clients,
        parts.clock,
        max_wait=held.max_wait,
        base=parts.settings.base_path,
    )
    return Polling(judge=judge, held=held, lane=lane)


def machine_routes(parts: Parts, polls: Polling) -> list[web.RouteDef]:
    """List the routes of the machine endpoints."""
    settings, clock = parts.settings, parts.clock
    proofs = DPoPProofs(
        issuer=settings.issuer_url,
        installation=parts.installation,
        replay=parts.replay,
        clock=clock,
    )
    refusals = Refusals(callers=parts.callers, clock=clock)
    authentication = ClientAuthentication(
        clients=parts.clients,
        stored_clients=parts.stored_clients,
        proof=ClientProof(issuer=settings.issuer_url, replay=parts.replay, clock=clock),
        failures=FailureThrottle(parts.limits, clock),
        refusals=refusals,
        callers=parts.callers,
        certificate_header=settings.server.client_certificate_header,
    )
    presented = PresentedTokens(
        issuer=settings.issuer_url,
        signer=parts.signer,
        access_tokens=parts.access_tokens,
        users=parts.users,
        clients=parts.clients,
        clock=clock,
    )
    endpoints: list[Endpoint] = [
        DeviceAuthorizationEndpoint(
            settings=settings,
            authentication=authentication,
            proofs=proofs,
            resources=parts.resources,
            grants=parts.grants,
            callers=parts.callers,
            clock=clock,
        ),
        TokenEndpoint(
            authentication=authentication,
            proofs=proofs,
            grant_types=_grant_types(parts, polls, proofs),
        ),
        RevocationEndpoint(
            authentication=authentication, presented=presented, families=parts.families
        ),
        IntrospectionEndpoint(
            issuer=settings.issuer_url,
            authentication=authentication,
            presented=presented,
            families=parts.families,
            access_tokens=parts.access_tokens,
            users=parts.users,
            signer=parts.signer,
            clock=clock,
        ),
        UserinfoEndpoint(presented=presented, proofs=proofs),
        published_keys(parts.signer),
        published_discovery(settings, parts.clients),
    ]
    if settings.registration.enabled:
        endpoints.append(
            RegistrationEndpoint(
                settings=settings, stored_clients=parts.stored_clients, refusals=refusals
            )
        )
    below = parts.below(route for endpoint in endpoints for route in endpoint.routes())
    return [*below, *published_metadata(settings, parts.clients).routes()]


def _grant_types(
    parts: Parts, polls: Polling, proofs: DPoPProofs
) -> tuple[DeviceCodeGrant, RefreshTokenGrant]:
    mint = TokenMint(
        issuer=parts.settings.issuer_url,
        settings=parts.settings.tokens,
        resources=parts.resources,
        signer=parts.signer,
        families=parts.families,
        access_tokens=parts.access_tokens,
        clock=parts.clock,
    )
    device_code = DeviceCodeGrant(
        judge=polls.judge,
        held=polls.held,
        mirror=parts.mirror,
        grants=parts.grants,
        clients=parts.clients,
        users=parts.users,
        mint=mint,
        proofs=proofs,
        clock=parts.clock,
    )
    refresh_token = RefreshTokenGrant(
        families=parts.families,
        access_tokens=parts.access_tokens,
        users=parts.users,
        mint=mint,
        proofs=proofs,
    )
    return device_code, refresh_token
