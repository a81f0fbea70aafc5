"""One approval, one set of tokens: RFC 8628 3.5, RFC 6749 5.1 and 10.5."""

import json
from base64 import urlsafe_b64decode
from typing import Any

from deviceflow.conformance.answers import JWT, SiteAnswer
from deviceflow.conformance.check import Level, NotApplicable, Unjudged, check, require
from deviceflow.conformance.site import Site

AT_ONCE = 30
_CREDENTIALS = ("access_token", "refresh_token")


def _credentials(answer: SiteAnswer) -> tuple[str, ...]:
    """Return what tells two sets of tokens apart.

    A JWT is known by its `jti`: signed again, the same token has another signature (ECDSA).
    """
    tokens = [answer.members.get(name, "") for name in _CREDENTIALS]
    return tuple(str(claims_of(token).get("jti", token)) for token in tokens)


def claims_of(token: object, part: int = 1) -> dict[str, Any]:
    """Read a JWT without checking it: part 0 is the header, 1 the claims; {} for other tokens."""
    if not isinstance(token, str) or not JWT.match(token):
        return {}
    text = token.split(".")[part]
    try:
        found = json.loads(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def scope_in(token: object) -> list[str] | None:
    """Return the scope that a JWT says it has, as a text or as a list; None if it says nothing."""
    scope = claims_of(token).get("scope")
    if scope is None:
        return None
    return [str(each) for each in scope] if isinstance(scope, list) else str(scope).split()


@check("6749-5.1-a", Level.MUST, "RFC 6749 5.1", "Tokens are JSON that no cache keeps")
async def no_store(site: Site) -> str:
    answer = await site.tokens()
    require(answer.is_json, f"the content type is {answer.headers.get('Content-Type')}")
    policy = answer.headers.get("Cache-Control", "")
    require("no-store" in policy, f"Cache-Control is {policy!r}")
    return "application/json with no-store"


@check("6749-5.1-b", Level.MUST, "RFC 6749 5.1", "A narrower scope is told")
async def scope_told(site: Site) -> str:
    answer = await site.tokens()
    told = answer.members.get("scope")
    scope = scope_in(answer.members.get("access_token"))
    real = None if scope is None else " ".join(scope)
    if told is None:
        asked = {*site.parties.scope.split()}
        if real is None or not asked:
            raise Unjudged("the answer has no scope, and the token does not show its own")
        require({*str(real).split()} == asked, f"{real!r} is granted, and the answer does not say")
        return "what was asked is granted"
    require(
        real is None or {*str(real).split()} == {*str(told).split()}, f"{told!r} is not {real!r}"
    )
    return f"the scope is {told!r}"


@check("8628-3.5-l", Level.PRUDENT, "RFC 8628 3.5", "A redeemed code gives no second set of tokens")
async def once(site: Site) -> str:
    grant = await site.approved()
    first = await site.poll_decided(grant)
    if not first.has_tokens:
        raise Unjudged(f"an approved grant gives no tokens: {first.summary}")
    again = await site.poll_decided(grant)
    if again.has_tokens:
        require(_credentials(again) == _credentials(first), "it gives other tokens")
        return "it gives the same tokens again, which a lost answer needs"
    require(again.error in ("invalid_grant", "expired_token"), f"the answer is {again.summary}")
    return f"the second poll is {again.error}"


@check(
    "8628-3.5-m",
    Level.PRUDENT,
    "RFC 8628 3.5",
    "Polls at once give one set of tokens",
    is_alone=True,
)
async def at_once(site: Site) -> str:
    grant = await site.approved()
    answers = await site.poll_together(grant, AT_ONCE)
    given = [_credentials(answer) for answer in answers if answer.has_tokens]
    if not given:
        raise Unjudged(f"none of {AT_ONCE} polls gets tokens: {answers[0].summary}")
    different = len({*given})
    require(different == 1, f"{AT_ONCE} polls at once get {different} different sets of tokens")
    return f"{len(given)} of {AT_ONCE} polls get tokens, all the same"


@check("8628-3.5-n", Level.PRUDENT, "RFC 8628 3.5", "Used tokens end the repetition of a code")
async def after_use(site: Site) -> str:
    grant = await site.approved()
    first = await site.poll_decided(grant)
    if not first.has_tokens:
        raise Unjudged(f"an approved grant gives no tokens: {first.summary}")
    refresh = first.members.get("refresh_token")
    if not refresh:
        raise NotApplicable("there is no refresh token to use")
    form = {"grant_type": "refresh_token", "refresh_token": str(refresh)}
    used = await site.post(site.at.token, form)
    if not used.has_tokens:
        raise Unjudged(f"the refresh token cannot be used: {used.summary}")
    again = await site.poll_decided(grant)
    require(not again.has_tokens, "the code gives tokens after a refresh")
    return f"the code is {again.error} after a refresh"


@check("8628-5.2-d", Level.PRUDENT, "RFC 8628 5.2", "A device code is no other kind of token")
async def code_is_no_token(site: Site) -> str:
    grant = await site.approved()
    form = {"grant_type": "refresh_token", "refresh_token": grant.device_code}
    answer = await site.post(site.at.token, form)
    require(not answer.has_tokens, "as a refresh token it gives tokens")
    userinfo = site.at.optional("userinfo_endpoint")
    if userinfo:
        bearer = {"Authorization": f"Bearer {grant.device_code}"}
        looked = await site.send("GET", userinfo, headers=bearer)
        require(looked.status >= 400, "as an access token it opens userinfo")  # noqa: PLR2004
    await site.poll(grant)
    return "neither a refresh token nor an access token"
