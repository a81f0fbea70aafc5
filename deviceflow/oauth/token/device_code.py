"""The device_code grant type (RFC 8628 sections 3.4 and 3.5): polls and redemption."""

from dataclasses import dataclass
from hmac import compare_digest

import structlog
from aiohttp import web

from deviceflow.audit.events import SecurityEvent
from deviceflow.audit.journal import Audit
from deviceflow.callers import Callers
from deviceflow.core import pkce
from deviceflow.core.clients import Clients
from deviceflow.core.clock import Clock
from deviceflow.core.device_code import DeviceCode
from deviceflow.core.errors import (
    OAuthError,
    invalid_client,
    invalid_grant,
    invalid_request,
    no_device_grant,
)
from deviceflow.core.grant import POLL_ANSWERS, Outcome, PollAnswer, State
from deviceflow.core.holding import Hold
from deviceflow.core.messages import DEVICE_CODE_GRANT
from deviceflow.core.resources import GrantedScope
from deviceflow.notices.notice import Notice
from deviceflow.notices.outbox import Outboxes
from deviceflow.oauth.answers import json_response
from deviceflow.oauth.dpop_proofs import DPoPProofs
from deviceflow.oauth.poll.held import HeldPolls, preference_applied, requested_wait
from deviceflow.oauth.poll.verdict import DESCRIPTIONS, PollJudge, Verdict, answer_poll
from deviceflow.oauth.token.minting import Entitlement, TokenMint
from deviceflow.oauth.token.request import TokenRequest
from deviceflow.ops.metrics import table
from deviceflow.ops.metrics.recorder import Recorder
from deviceflow.store.client_revocations import ClientRevocations
from deviceflow.store.errors import StoreUnavailable
from deviceflow.store.grant_records import Grant
from deviceflow.store.grants import Grants
from deviceflow.store.mirror import Mirror
from deviceflow.store.redemptions import RedeemedTokens, Redemptions
from deviceflow.store.users import Users

log = structlog.get_logger()


@dataclass(frozen=True, kw_only=True)
class DeviceCodeGrant:
    """The grant type that answers polls, and gives an approved grant its tokens.

    `enabled_by_default`: whether a client that does not say so itself may use it.
    `default_language`: of a notice whose approval says none.
    """

    name = DEVICE_CODE_GRANT

    judge: PollJudge
    held: HeldPolls
    mirror: Mirror
    grants: Grants
    clients: Clients
    users: Users
    mint: TokenMint
    redemptions: Redemptions
    proofs: DPoPProofs
    revocations: ClientRevocations
    outboxes: Outboxes
    callers: Callers
    clock: Clock
    recorder: Recorder
    audit: Audit
    enabled_by_default: bool
    default_language: str

    async def handle(self, request: TokenRequest) -> web.Response:
        """Answer a poll."""
        device_code = request.parameters.get("device_code")
        if device_code is None:
            raise invalid_request("The parameter device_code is missing.")
        # The token endpoint's end of the hand-over that `poll/held.py` describes.
        held = self.held.collect(request.http.transport)
        if not request.client.uses_device_grant(by_default=self.enabled_by_default):
            raise no_device_grant()
        verdict = self.judge.judge(device_code.encode(), request.client.client_id.encode())
        code = verdict.code
        if code is None:
            return answer_poll(verdict)
        self.held.end_older(code.grant_id)
        if verdict.answer is None:
            response = await self._ask_store(code, request)
            if response is not None:
                return _waited(response, held)
            if held.seconds:
                # The lane has judged its pace already, when the poll came.
                return _waited(answer_poll(Verdict(PollAnswer.AUTHORIZATION_PENDING)), held)
            verdict = self.judge.keep_pace(code)
        requested = requested_wait(request.http.headers.getall("Prefer", ()))
        hold = self.held.rule.of(requested, request.client.hold_s)
        if hold.seconds and verdict.answer is PollAnswer.AUTHORIZATION_PENDING:
            return await self._hold(request, code, hold)
        return answer_poll(verdict)

    async def _hold(self, request: TokenRequest, code: DeviceCode, hold: Hold) -> web.Response:
        address = self.callers.address(request.http)
        share = self.held.shares.of(address, request.client.client_id)
        held = self.held.held_answer(request.http.transport, code, hold, share)
        if held is None:
            return answer_poll(Verdict(PollAnswer.AUTHORIZATION_PENDING))
        answer = await held
        response = None
        if answer is None and self._is_unchanged(request):
            response = await self._ask_store(code, request)
        return _waited(
            response or answer_poll(Verdict(answer or PollAnswer.AUTHORIZATION_PENDING)), hold
        )

    def _is_unchanged(self, request: TokenRequest) -> bool:
        """Return whether the client has not changed since the poll came.

        If it has, it must poll again. May raise OAuthError: if another poll would not help.
        """
        client = self.clients.find(request.client.client_id)
        if client is not None and not client.enabled:
            raise invalid_client(challenge="Authorization" in request.http.headers)
        return client == request.client

    async def _ask_store(self, code: DeviceCode, request: TokenRequest) -> web.Response | None:
        """Answer by the grant in the store. Return None if it is pending or cannot be read."""
        try:
            grant = await self.grants.get(code.grant_id)
        except StoreUnavailable:
            # Nothing has changed yet, and an approval stays in the store: the device can poll on.
            return None
        if grant is None:
            return answer_poll(Verdict(PollAnswer.EXPIRED_TOKEN))
        if grant.state is State.PENDING:
            return None
        self.mirror.learn(grant.id, grant.state, grant.expires_at)
        if grant.state is State.APPROVED:
            return await self._redeem(grant, request)
        if grant.state is State.REDEEMED:
            return await self._repeat(grant, request)
        return answer_poll(Verdict(POLL_ANSWERS[grant.state]))

    async def _redeem(self, grant: Grant, request: TokenRequest) -> web.Response | None:
        """Give the tokens, or return None if the grant is pending after all.

        Everything that can fail comes before `grants.redeem`.
        """
        entitlement = await self._entitlement(grant, request)
        first = await self.mint.first(entitlement, grant.resources, request)
        outcome = await self.grants.redeem(
            grant, first.redemption, first.repeatable, first.access_ends_at
        )
        if outcome is Outcome.EXPIRED:
            return answer_poll(Verdict(PollAnswer.EXPIRED_TOKEN))
        if outcome is not Outcome.CHANGED:
            # Another request was faster. If it redeemed the code, its tokens are the code's.
            tokens = await self.redemptions.find(entitlement.family)
            if tokens is None:
                return await self._not_redeemed(grant)
            return await self._give_again(tokens, grant, request, entitlement)
        sub = entitlement.subject.sub
        name = self.grants.log_id(grant.id)
        client_id = request.client.client_id
        log.info("grant.redeemed", grant=name, client_id=client_id, sub=sub)
        self.audit.record(
            SecurityEvent.GRANT_REDEEMED,
            grant=name,
            grant_id=self.mint.families.grant_id(entitlement.family),
            client_id=client_id,
            sub=sub,
        )
        self.recorder.count(table.REDEMPTIONS, "first")
        self._tell(grant, entitlement)
        if grant.approved_at is not None:
            self.recorder.observe(table.APPROVAL_TO_TOKEN, self.clock() - grant.approved_at)
        return json_response(first.response)

    async def _not_redeemed(self, grant: Grant) -> web.Response | None:
        """Answer by the grant as it is now; return None if it is pending.

        An operator may have cancelled it since it was read. If the store has failed over, it may
        have lost the approval, or the grant. Then the device must not give up its code as a wrong
        one.
        """
        now = await self.grants.get(grant.id)
        if now is None:
            return answer_poll(Verdict(PollAnswer.EXPIRED_TOKEN))
        if now.state is State.PENDING:
            return None
        if (answer := POLL_ANSWERS[now.state]) is not None:
            return answer_poll(Verdict(answer))
        raise invalid_grant(DESCRIPTIONS[PollAnswer.INVALID_GRANT])

    def _tell(self, grant: Grant, entitlement: Entitlement) -> None:
        """Queue a notice to the person about the new device. The device does not wait for it."""
        if self.outboxes.are_on:
            subject, client = entitlement.subject, entitlement.client
            self.outboxes.put(
                Notice(
                    sub=subject.sub,
                    username=subject.username,
                    email=subject.email,
                    grant_id=self.mint.families.grant_id(entitlement.family),
                    client_id=client.client_id,
                    client_name=client.name,
                    scope=entitlement.scope,
                    device=grant.device,
                    address=grant.address,
                    connected_at=int(self.clock()),
                    language=grant.language or self.default_language,
                )
            )

    async def _repeat(self, grant: Grant, request: TokenRequest) -> web.Response:
        """Give the tokens of an earlier redemption again, if that is still possible."""
        tokens = await self.redemptions.find(self.grants.family_name(grant.id))
        if tokens is None:
            self.mirror.learn(grant.id, State.SPENT, grant.expires_at)
            raise invalid_grant(DESCRIPTIONS[PollAnswer.INVALID_GRANT])
        entitlement = await self._entitlement(grant, request)
        return await self._give_again(tokens, grant, request, entitlement)

    async def _give_again(
        self,
        tokens: RedeemedTokens,
        grant: Grant,
        request: TokenRequest,
        entitlement: Entitlement,
    ) -> web.Response:
        if not compare_digest(tokens.jkt, request.jkt):
            raise invalid_grant("This code was redeemed with another DPoP key, or without one.")
        if tokens.resources != tuple(request.resources):
            raise invalid_grant("This code was redeemed for other resources.")
        response = await self.mint.again(tokens, entitlement.family)
        sub = entitlement.subject.sub
        name = self.grants.log_id(grant.id)
        log.info("grant.redeemed_again", grant=name, client_id=request.client.client_id, sub=sub)
        self.recorder.count(table.REDEMPTIONS, "repeated")
        return json_response(response)

    async def _entitlement(self, grant: Grant, request: TokenRequest) -> Entitlement:
        """Return what the device may receive tokens for, now. May raise OAuthError."""
        client = request.client
        _check_binding(grant, request)
        if client.scopes_for(grant.scope) is None:
            # The operator has removed a scope since. A refresh would be refused, too.
            raise invalid_grant(DESCRIPTIONS[PollAnswer.INVALID_GRANT])
        subject = grant.approval
        is_ended = self.revocations.ends_approval(client.client_id, grant.approved_at or 0)
        if subject is None or is_ended or not await self.users.may_sign_in(subject):
            name = self.grants.log_id(grant.id)
            reason = "the client's grants were ended" if is_ended else "user not allowed"
            log.warning("grant.refused", grant=name, client_id=client.client_id, reason=reason)
            self.audit.record(
                SecurityEvent.GRANT_REFUSED,
                outcome="failure",
                grant=name,
                client_id=client.client_id,
                sub=subject.sub if subject else "",
                reason=reason,
            )
            raise OAuthError("access_denied", DESCRIPTIONS[PollAnswer.ACCESS_DENIED])
        granted = GrantedScope(grant.scope, grant.resources.split())
        access = self.mint.access(request, grant.scope, granted)
        await self.proofs.spend(request.possession)
        name = self.grants.family_name(grant.id)
        return Entitlement(client, subject, grant.scope, access, request.jkt, name)


def _check_binding(grant: Grant, request: TokenRequest) -> None:
    """Check the PKCE verifier (RFC 7636 4.6) and the DPoP key of the authorization request.

    A thief of the device code gets no tokens, and the approval stays for the owner. The errors may
    say what is missing: only a caller with an approved code of this client can see them.
    """
    verifier = request.parameters.get("code_verifier", "")
    expected = grant.code_challenge
    if expected and not verifier:
        raise invalid_grant("The parameter code_verifier is missing.")
    if expected and not pkce.proves(verifier, expected):
        raise invalid_grant("The code_verifier is not the one of the code_challenge.")
    if verifier and not expected:
        raise invalid_grant("This code was asked for without a code_challenge.")
    if grant.dpop_jkt and not compare_digest(grant.dpop_jkt, request.jkt):
        raise invalid_grant("A DPoP proof of the key that the code is bound to is missing.")


def _waited(response: web.Response, hold: Hold) -> web.Response:
    """Add `Preference-Applied` to the response, if the poll was held and had asked for it."""
    response.headers.update(preference_applied(hold.preference))
    return response
