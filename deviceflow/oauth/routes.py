"""The machine endpoints of a worker, and the objects that each of them uses."""

from dataclasses import dataclass
from functools import partial
from typing import Protocol

from aiohttp import web

from deviceflow.core.cross_origin import CrossOrigin
from deviceflow.core.holding import HoldRule
from deviceflow.oauth.clients.authentication import ClientAuthentication
from deviceflow.oauth.clients.failures import FailureThrottle
from deviceflow.oauth.clients.proof import ClientProof
from deviceflow.oauth.clients.refusals import RefusalLog
from deviceflow.oauth.clients.registration import RegistrationEndpoint
from deviceflow.oauth.device_authorization import DeviceAuthorizationEndpoint
from deviceflow.oauth.dpop_proofs import DPoPProofs
from deviceflow.oauth.gateway import GatewayEndpoint
from deviceflow.oauth.introspection import IntrospectionEndpoint
from deviceflow.oauth.metadata import (
    KeptMetadata,
    published_below,
    published_beside,
    published_keys,
)
from deviceflow.oauth.poll.held import HeldPolls
from deviceflow.oauth.poll.lane import Lane, PollCounts
from deviceflow.oauth.poll.shares import PollShares
from deviceflow.oauth.poll.verdict import PollJudge
from deviceflow.oauth.presented_tokens import PresentedTokens
from deviceflow.oauth.protected_resource import TokenChecks
from deviceflow.oauth.revocation import RevocationEndpoint
from deviceflow.oauth.start.grant_start import GrantStart
from deviceflow.oauth.start.lane import StartLane
from deviceflow.oauth.token.counts import TokenRequestCounts
from deviceflow.oauth.token.device_code import DeviceCodeGrant
from deviceflow.oauth.token.endpoint import TokenEndpoint
from deviceflow.oauth.token.minting import TokenMint
from deviceflow.oauth.token.refresh_token import RefreshTokenGrant
from deviceflow.oauth.userinfo import UserinfoEndpoint
from deviceflow.ops.metrics import table
from deviceflow.parts import Parts
from deviceflow.policy.admission import StartAdmission


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
    device, server = parts.settings.device, parts.settings.server
    judge = PollJudge(parts.installation.codes, parts.mirror, parts.pace, parts.clock, parts.steady)
    held = HeldPolls(
        parts.mirror,
        parts.clock,
        parts.holds.announce,
        max_held=device.max_held,
        rule=HoldRule(device.max_wait_s, device.hold_s),
        shares=PollShares(server.proxies, server.forwarded_header),
        interval_of=judge.interval_of,
    )
    held.on_refusal = partial(parts.recorder.count, table.REFUSALS)
    held.on_end = partial(parts.recorder.count, table.HOLD_ENDS)
    parts.holds.on_other(held.end_older_elsewhere)
    cross_origin = CrossOrigin(parts.settings.server.cors_origins)
    lane = Lane(
        judge,
        parts.clients,
        parts.clock,
        held,
        base=parts.settings.base_path,
        headers=cross_origin.headers(),
        reads_no_origin=cross_origin.depends_on_origin,
        counts=PollCounts(parts.recorder.lane_polls, parts.recorder.lane_polls_by_client),
        enabled_by_default=device.enabled_by_default,
    )
    return Polling(judge=judge, held=held, lane=lane)


@dataclass(frozen=True, kw_only=True)
class Checks:
    """The objects with which several endpoints check a request."""

    refusals: RefusalLog
    authentication: ClientAuthentication
    proofs: DPoPProofs
    presented: PresentedTokens

    @property
    def tokens(self) -> TokenChecks:
        """The checks of an access token that comes with a request."""
        return TokenChecks(presented=self.presented, proofs=self.proofs)


@dataclass(frozen=True, kw_only=True)
class Starting:
    """The objects that start grants. The endpoint and its lane share `starts`."""

    starts: GrantStart
    lane: StartLane


def starting(parts: Parts) -> Starting:
    """Make the objects that start grants in a worker."""
    settings = parts.settings
    starts = GrantStart(
        settings=settings,
        resources=parts.resources,
        grants=parts.grants,
        admission=StartAdmission(
            parts.starts, parts.load, settings.limits, parts.clock, parts.recorder
        ),
        intervals=parts.intervals,
        clock=parts.clock,
        recorder=parts.recorder,
        audit=parts.audit,
    )
    cross_origin = CrossOrigin(settings.server.cors_origins)
    lane = StartLane(
        starts,
        parts.clients,
        parts.callers,
        base=settings.base_path,
        headers=cross_origin.headers(),
        reads_no_origin=cross_origin.depends_on_origin,
        finish_s=settings.server.shutdown_s,
    )
    return Starting(starts=starts, lane=lane)


def machine_routes(parts: Parts, polls: Polling, starts: GrantStart) -> list[web.RouteDef]:
    """List the routes of the machine endpoints."""
    checks = _checks(parts)
    metadata = KeptMetadata(parts.settings, parts.clients)
    endpoints: list[Endpoint] = [
        _device_authorization(parts, checks, starts),
        _token(parts, polls, checks),
        _revocation(parts, checks),
        _introspection(parts, checks),
        UserinfoEndpoint(issuer=parts.settings.issuer_url, tokens=checks.tokens),
        GatewayEndpoint(
            issuer=parts.settings.issuer_url, tokens=checks.tokens, callers=parts.callers
        ),
        *published_keys(parts.signer),
        *published_below(metadata),
    ]
    if parts.settings.registration.enabled:
        endpoints.append(_registration(parts, checks))
    below = parts.below(route for endpoint in endpoints for route in endpoint.routes())
    beside = published_beside(parts.settings, metadata)
    return [*below, *(route for document in beside for route in document.routes())]


def _checks(parts: Parts) -> Checks:
    refusals = RefusalLog(
        callers=parts.callers, clock=parts.clock, recorder=parts.recorder, audit=parts.audit
    )
    return Checks(
        refusals=refusals,
        authentication=_authentication(parts, refusals),
        proofs=DPoPProofs(
            issuer=parts.settings.issuer_url,
            installation=parts.installation,
            replay=parts.replay,
            clock=parts.clock,
        ),
        presented=PresentedTokens(
            issuer=parts.settings.issuer_url,
            signer=parts.signer,
            access_tokens=parts.access_tokens,
            redemptions=parts.redemptions,
            users=parts.users,
            clients=parts.clients,
            revocations=parts.client_revocations,
            clock=parts.clock,
        ),
    )


def _authentication(parts: Parts, refusals: RefusalLog) -> ClientAuthentication:
    settings = parts.settings
    return ClientAuthentication(
        clients=parts.clients,
        stored_clients=parts.stored_clients,
        proof=ClientProof(issuer=settings.issuer_url, replay=parts.replay, clock=parts.clock),
        failures=FailureThrottle(parts.limits, parts.clock, parts.audit),
        refusals=refusals,
        callers=parts.callers,
        certificate_header=settings.server.client_certificate_header,
    )


def _device_authorization(
    parts: Parts, checks: Checks, starts: GrantStart
) -> DeviceAuthorizationEndpoint:
    return DeviceAuthorizationEndpoint(
        settings=parts.settings,
        authentication=checks.authentication,
        refusals=checks.refusals,
        proofs=checks.proofs,
        starts=starts,
        callers=parts.callers,
    )


def _token(parts: Parts, polls: Polling, checks: Checks) -> TokenEndpoint:
    mint = _mint(parts)
    return TokenEndpoint(
        authentication=checks.authentication,
        proofs=checks.proofs,
        counts=TokenRequestCounts(recorder=parts.recorder),
        grant_types=(
            _device_code(parts, polls, checks, mint),
            RefreshTokenGrant(
                families=parts.families,
                devices=parts.device_index,
                revocations=parts.client_revocations,
                access_tokens=parts.access_tokens,
                users=parts.users,
                mint=mint,
                proofs=checks.proofs,
                audit=parts.audit,
            ),
        ),
    )


def _mint(parts: Parts) -> TokenMint:
    return TokenMint(
        issuer=parts.settings.issuer_url,
        settings=parts.settings.tokens,
        resources=parts.resources,
        signer=parts.signer,
        families=parts.families,
        access_tokens=parts.access_tokens,
        redemptions=parts.redemptions,
        clock=parts.clock,
    )


def _device_code(parts: Parts, polls: Polling, checks: Checks, mint: TokenMint) -> DeviceCodeGrant:
    return DeviceCodeGrant(
        judge=polls.judge,
        held=polls.held,
        mirror=parts.mirror,
        grants=parts.grants,
        clients=parts.clients,
        users=parts.users,
        mint=mint,
        redemptions=parts.redemptions,
        proofs=checks.proofs,
        revocations=parts.client_revocations,
        outboxes=parts.outboxes,
        callers=parts.callers,
        clock=parts.clock,
        recorder=parts.recorder,
        audit=parts.audit,
        enabled_by_default=parts.settings.device.enabled_by_default,
        default_language=parts.settings.pages.default_language,
    )


def _revocation(parts: Parts, checks: Checks) -> RevocationEndpoint:
    return RevocationEndpoint(
        authentication=checks.authentication,
        presented=checks.presented,
        families=parts.families,
        audit=parts.audit,
    )


def _introspection(parts: Parts, checks: Checks) -> IntrospectionEndpoint:
    return IntrospectionEndpoint(
        issuer=parts.settings.issuer_url,
        authentication=checks.authentication,
        presented=checks.presented,
        families=parts.families,
        access_tokens=parts.access_tokens,
        redemptions=parts.redemptions,
        users=parts.users,
        signer=parts.signer,
        clock=parts.clock,
    )


def _registration(parts: Parts, checks: Checks) -> RegistrationEndpoint:
    return RegistrationEndpoint(
        settings=parts.settings,
        clients=parts.clients,
        stored_clients=parts.stored_clients,
        refusals=checks.refusals,
        audit=parts.audit,
    )
