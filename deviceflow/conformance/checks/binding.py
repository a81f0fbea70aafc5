"""A grant belongs to one client and to what was asked: RFC 6749 5.2 and 6, RFC 9700 2.3."""

from deviceflow.conformance.answers import SiteAnswer
from deviceflow.conformance.check import Level, NotApplicable, Unjudged, check, require
from deviceflow.conformance.checks.authorization import UNKNOWN
from deviceflow.conformance.checks.redemption import scope_in
from deviceflow.conformance.site import Site
from deviceflow.device.client_auth import Credentials

_NO_OTHER = "a second client is needed: give --other-client-id"


def _other(site: Site) -> Credentials:
    if site.parties.other is None:
        raise Unjudged(_NO_OTHER)
    return site.parties.other


@check("8628-3.4-b", Level.MUST, "RFC 6749 5.2", "Another client's code is invalid_grant")
async def pending_of_another(site: Site) -> str:
    grant = await site.start()
    answer = await site.poll(grant, _other(site))
    require(answer.error == "invalid_grant", f"the other client gets {answer.summary}")
    return "the answer is invalid_grant"


@check("8628-3.4-g", Level.PRUDENT, "RFC 6749 5.2", "Another client's try does not end the grant")
async def try_of_another(site: Site) -> str:
    other = _other(site)
    grant = await site.start()
    await site.poll(grant, other)
    own = await site.poll(grant, at_once=True)
    is_alive = own.error in ("authorization_pending", "slow_down")
    require(is_alive, f"afterwards the right client gets {own.summary}")
    return f"afterwards the right client gets {own.summary}"


@check("8628-3.4-d", Level.MUST, "RFC 6749 5.2", "Another client cannot redeem an approved code")
async def approved_of_another(site: Site) -> str:
    other = _other(site)
    grant = await site.approved()
    answer = await site.poll(grant, other)
    require(not answer.has_tokens, "the other client is given the tokens")
    require(answer.error == "invalid_grant", f"the other client gets {answer.summary}")
    own = await site.poll_decided(grant)
    return f"invalid_grant; then the right client gets {own.summary}"


@check("8628-3.4-e", Level.MUST, "RFC 6749 5.2", "An unknown client cannot redeem a code")
async def approved_of_nobody(site: Site) -> str:
    grant = await site.approved()
    answer = await site.poll(grant, Credentials(client_id=UNKNOWN))
    require(not answer.has_tokens, "an unknown client is given the tokens")
    await site.poll(grant)
    return f"the answer is {answer.summary}"


@check("8628-3.4-f", Level.MUST, "RFC 8628 3.4", "A secret is needed to redeem a code")
async def approved_without_secret(site: Site) -> str:
    if site.client.client_secret is None:
        raise NotApplicable("the client has no secret")
    grant = await site.approved()
    answer = await site.poll(grant, Credentials(client_id=site.client.client_id))
    require(not answer.has_tokens, "tokens are given without the secret")
    await site.poll(grant)
    return f"the answer is {answer.summary}"


@check("9700-2.3-a", Level.MUST, "RFC 6749 3.3", "The poll cannot widen the scope")
async def wider_scope(site: Site) -> str:
    scopes = site.parties.scope.split()
    if len(scopes) < 2:  # noqa: PLR2004
        raise Unjudged("two scopes are needed: give --scope")
    # What one scope brings: a server may add some to whatever is asked (RFC 6749 3.3).
    usual = _scopes_of(await site.tokens(scope=scopes[0]), scopes[0])
    more = {*scopes} - usual
    if not more:
        raise Unjudged(f"the server grants {' '.join(sorted(usual))} to a request for {scopes[0]}")
    grant = await site.approved(scope=scopes[0])
    answer = await site.poll_decided(grant, scope=" ".join(scopes))
    if not answer.has_tokens:
        return f"a poll with a scope is answered {answer.summary}"
    wider = _scopes_of(answer, scopes[0]) & more
    require(not wider, f"the tokens have {' '.join(sorted(wider))}, which no person approved")
    return "the scope of a poll is ignored"


def _scopes_of(answer: SiteAnswer, otherwise: str) -> set[str]:
    """Return what the tokens are good for, `otherwise` if neither answer nor token says it."""
    told = str(answer.members.get("scope", otherwise)).split()
    return {*told, *(scope_in(answer.members.get("access_token")) or [])}


@check("6749-6-a", Level.MUST, "RFC 6749 6", "Another client cannot use a refresh token")
async def refresh_of_another(site: Site) -> str:
    other = _other(site)
    token = (await site.tokens()).members.get("refresh_token")
    if not token:
        raise NotApplicable("there is no refresh token")
    form = {"grant_type": "refresh_token", "refresh_token": str(token)}
    answer = await site.post(site.at.token, form, other)
    require(not answer.has_tokens, "the other client is given tokens")
    require(answer.error in ("invalid_grant", "invalid_client"), f"it gets {answer.summary}")
    return f"the other client gets {answer.error}"
