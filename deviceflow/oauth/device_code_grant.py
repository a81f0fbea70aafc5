"""The device_code grant type (RFC 8628 sections 3.4 and 3.5): polls and redemption."""

import time
from collections.abc import Callable
from hmac import compare_digest

import structlog
from aiohttp import web

from deviceflow.core import pkce
from deviceflow.core.client import Clients
from deviceflow.core.device_code import DeviceCode
from deviceflow.core.errors import OAuthError, invalid_client, invalid_grant, invalid_request
from deviceflow.core.grant import POLL_ANSWERS, Outcome, Poll, State
from deviceflow.core.resources import Granted
from deviceflow.oauth.answers import answer, answer_error
from deviceflow.oauth.held import HeldPolls, applied, asked_wait
from deviceflow.oauth.issuing import Entitlement, Issuer
from deviceflow.oauth.polls import Polls, Verdict
from deviceflow.oauth.proofs import Proofs
from deviceflow.oauth.token import TokenRequest
from deviceflow.store.errors import StoreUnavailable
from deviceflow.store.grants import Grant, Grants
from deviceflow.store.mirror import Mirror
from deviceflow.store.users import Users

DESCRIPTIONS = {
    Poll.AUTHORIZATION_PENDING: "Nobody has decided yet. Keep polling.",
    Poll.SLOW_DOWN: "Too fast. Wait for the interval between polls.",
    Poll.ACCESS_DENIED: "The request was denied.",
    Poll.EXPIRED_TOKEN: "The device code has expired. Start again.",
    Poll.INVALID_GRANT: "The device code is not valid for this client.",
}

log = structlog.get_logger()


class DeviceCodeGrant:
    """Answers polls; gives tokens for an approved grant, once."""

    def __init__(
        self,
        *,
        polls: Polls,
        held: HeldPolls,
        mirror: Mirror,
        grants: Grants,
        clients: Clients,
        users: Users,
        issuer: Issuer,
        proofs: Proofs,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._polls = polls
        self._held = held
        self._mirror = mirror
        self._grants = grants
        self._clients = clients
        self._users = users
        self._issuer = issuer
        self._proofs = proofs
        self._clock = clock

    async def handle(self, asked: TokenRequest) -> web.Response:
        """Answer a poll."""
        device_code = asked.parameters.get("device_code")
        if device_code is None:
            raise invalid_request("The parameter device_code is missing.")
        granted = self._held.take_granted(asked.http.transport)
        verdict = self._polls.judge(device_code.encode(), asked.client.client_id.encode())
        code = verdict.code
        if code is None:
            return answer_poll(verdict)
        if verdict.answer is None:
            response = await self._ask_store(code, asked)
            if response is not None:
                return _waited(response, granted)
            if granted:
                # It kept the pace when it came; that it was held for a while is not its doing.
                return _waited(answer_poll(Verdict(Poll.AUTHORIZATION_PENDING)), granted)
            verdict = self._polls.keep_pace(code, self._clock())
        wait = min(asked_wait(asked.http.headers.getall("Prefer", ())), self._held.max_wait)
        if wait and verdict.answer is Poll.AUTHORIZATION_PENDING:
            return await self._hold(asked, code, wait)
        return answer_poll(verdict)

    async def _hold(self, asked: TokenRequest, code: DeviceCode, wait: int) -> web.Response:
        held = self._held.held_future(asked.http.transport, code, wait)
        if held is None:
            return answer_poll(Verdict(Poll.AUTHORIZATION_PENDING))
        answer = await held
        response = None
        if answer is None and self._is_unchanged(asked):
            response = await self._ask_store(code, asked)
        return _waited(response or answer_poll(Verdict(answer or Poll.AUTHORIZATION_PENDING)), wait)

    def _is_unchanged(self, asked: TokenRequest) -> bool:
        """Whether the client is what it was when the poll came; if not, it has to poll again.

        Raises OAuthError where another poll would not help.
        """
        client = self._clients.find(asked.client.client_id)
        if client is not None and not client.enabled:
            raise invalid_client(challenge="Authorization" in asked.http.headers)
        return client == asked.client

    async def _ask_store(self, code: DeviceCode, asked: TokenRequest) -> web.Response | None:
        """The answer as the store knows it; None for pending, or where it cannot be asked."""
        try:
            grant = await self._grants.read(code.grant_id)
        except StoreUnavailable:
            # Nothing was tried yet. An approval is safe in the store; the device polls on.
            return None
        if grant is None:
            return answer_poll(Verdict(Poll.EXPIRED_TOKEN))
        if grant.state is State.PENDING:
            return None
        self._mirror.learn(grant.id, grant.state, grant.expires_at)
        if grant.state is State.APPROVED:
            return await self._redeem(grant, asked)
        return answer_poll(Verdict(POLL_ANSWERS[grant.state]))

    async def _redeem(self, grant: Grant, asked: TokenRequest) -> web.Response:
        """Everything that can fail comes before the flip."""
        client = asked.client
        _check_binding(grant, asked)
        if client.scopes_for(grant.scope) is None:
            # The operator took a scope away since; a refresh would be refused, too.
            raise invalid_grant(DESCRIPTIONS[Poll.INVALID_GRANT])
        subject = grant.approval
        if subject is None or not await self._users.may_sign_in(subject):
            log.warning("grant.refused", client_id=client.client_id, reason="user not allowed")
            raise OAuthError("access_denied", DESCRIPTIONS[Poll.ACCESS_DENIED])
        granted = Granted(grant.scope, grant.resources.split())
        access = self._issuer.access(asked, grant.scope, granted)
        await self._proofs.spend(asked.possession)
        name = self._grants.family_name(grant.id)
        tokens = await self._issuer.first(
            Entitlement(client, subject, grant.scope, access, asked.jkt, name), grant.resources
        )
        outcome = await self._grants.redeem(grant, tokens.redemption)
        if outcome is Outcome.EXPIRED:
            return answer_poll(Verdict(Poll.EXPIRED_TOKEN))
        if outcome is not Outcome.CHANGED:
            raise invalid_grant(DESCRIPTIONS[Poll.INVALID_GRANT])
        log.info("grant.redeemed", client_id=client.client_id, sub=subject.sub)
        return answer(tokens.response)


def _check_binding(grant: Grant, asked: TokenRequest) -> None:
    """Whoever has no more than the device code gets nothing; the approval stays for the owner.

    RFC 7636 4.6 for the verifier; the key is the one that the authorization request named. What
    is missing may be told: whoever comes here has the client and an approved code of its own.
    """
    verifier = asked.parameters.get("code_verifier", "")
    expected = grant.code_challenge
    if expected and not verifier:
        raise invalid_grant("The parameter code_verifier is missing.")
    if expected and not pkce.proves(verifier, expected):
        raise invalid_grant("The code_verifier is not the one of the code_challenge.")
    if verifier and not expected:
        raise invalid_grant("This code was asked for without a code_challenge.")
    if grant.dpop_jkt and not compare_digest(grant.dpop_jkt, asked.jkt):
        raise invalid_grant("A DPoP proof of the key that the code is bound to is missing.")


def answer_poll(verdict: Verdict) -> web.Response:
    """An error of RFC 8628 3.5; slow_down tells the interval now in force."""
    code = verdict.answer or Poll.INVALID_GRANT
    error = OAuthError(code, DESCRIPTIONS[code], retry_after=verdict.interval)
    return answer_error(error, interval=verdict.interval)


def _waited(response: web.Response, wait: int) -> web.Response:
    """Say that the poll was held, if it was."""
    if wait:
        response.headers.update(applied(wait))
    return response
