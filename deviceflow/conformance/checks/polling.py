"""Polls of a pending grant, and wrong ones: RFC 8628 3.4 and 3.5, RFC 6749 5.2."""

from deviceflow.conformance.answers import SiteAnswer
from deviceflow.conformance.check import Level, Unjudged, check, require
from deviceflow.conformance.site import GRANT_TYPE, Site

_BAD_REQUEST = 400
_ANSWERS = ("authorization_pending", "slow_down", "access_denied", "expired_token")
LONGEST_WAIT_S = 900
"""The check of the expiry waits as long as a code lives, but no longer than this."""


def _no_tokens(answer: SiteAnswer, what: str, *allowed: str) -> str:
    """Require one of the errors `allowed`; return what came."""
    require(not answer.has_tokens, f"{what} is given tokens")
    require(answer.error in allowed, f"{what} is answered {answer.summary}")
    return f"the answer is {answer.summary}"


@check("8628-3.5-c", Level.MUST, "RFC 8628 3.5", "Codes that were not used are expired_token")
async def expired(site: Site) -> str:
    grant = await site.start()
    if grant.expires_in > LONGEST_WAIT_S:
        raise Unjudged(
            f"the codes live {grant.expires_in} s, and this check waits for {LONGEST_WAIT_S} s "
            "at most; give the client a shorter lifetime"
        )
    await site.time.sleep(max(0, grant.began + grant.expires_in + 2 - site.time.clock()))
    return _no_tokens(await site.poll(grant), "an expired code", "expired_token")


@check("8628-3.5-a", Level.MUST, "RFC 8628 3.5", "A pending grant is authorization_pending")
async def pending(site: Site) -> str:
    return _no_tokens(await site.poll(await site.start()), "a poll", "authorization_pending")


@check("6749-5.2-d", Level.MUST, "RFC 6749 5.2", "Errors of a poll are 400, in JSON")
async def error_answer(site: Site) -> str:
    answer = await site.poll(await site.start())
    require(answer.status == _BAD_REQUEST, f"the status is {answer.status}")
    require(answer.is_json, f"the content type is {answer.headers.get('Content-Type')}")
    return "400 and application/json"


@check("6749-5.2-e", Level.SHOULD, "RFC 6749 5.2", "No cache keeps the error of a poll")
async def error_no_store(site: Site) -> str:
    answer = await site.poll(await site.start())
    policy = answer.headers.get("Cache-Control", "")
    require("no-store" in policy, f"Cache-Control is {policy!r}")
    return "Cache-Control has no-store"


@check("8628-3.4-a", Level.MUST, "RFC 8628 3.4", "A poll without device_code is invalid_request")
async def no_device_code(site: Site) -> str:
    answer = await site.post(site.at.token, {"grant_type": GRANT_TYPE})
    return _no_tokens(answer, "a poll without device_code", "invalid_request")


@check("6749-5.2-b", Level.MUST, "RFC 6749 5.2", "An unknown device code is invalid_grant")
async def unknown_device_code(site: Site) -> str:
    grant = await site.start()
    first, last = grant.device_code[:-1], grant.device_code[-1]
    altered = first + ("A" if last != "A" else "B")
    for code in (altered, "no-such-code"):
        form = {"grant_type": GRANT_TYPE, "device_code": code}
        answer = await site.post(site.at.token, form)
        _no_tokens(answer, "a made-up code", "invalid_grant", "expired_token")
    return f"the answer is {answer.summary}"


@check("6749-5.2-f", Level.MUST, "RFC 6749 5.2", "A grant type that is unknown is said to be so")
async def unknown_grant_type(site: Site) -> str:
    answer = await site.post(site.at.token, {"grant_type": "urn:example:nothing"})
    return _no_tokens(answer, "an unknown grant type", "unsupported_grant_type")


@check("9700-2.4-a", Level.MUST, "RFC 9700 2.4", "There is no password grant")
async def password_grant(site: Site) -> str:
    form = {"grant_type": "password", "username": "nobody", "password": "nothing"}
    answer = await site.post(site.at.token, form)
    unknown = await site.post(site.at.token, {"grant_type": "urn:example:nothing"})
    words = ("unsupported_grant_type", "unauthorized_client", unknown.error)
    return _no_tokens(answer, "the password grant", *words)


@check("8628-3.4-c", Level.MUST, "RFC 8628 3.4", "A poll names its client")
async def no_client(site: Site) -> str:
    grant = await site.start()
    form = {"grant_type": GRANT_TYPE, "device_code": grant.device_code}
    answer = await site.send("POST", site.at.token, form)
    is_refused = answer.error not in _ANSWERS and answer.status >= _BAD_REQUEST
    require(is_refused, f"a poll without client_id is answered {answer.summary}")
    return f"the answer is {answer.summary}"


@check("6749-3.2-a", Level.MUST, "RFC 6749 3.2", "A poll is a POST")
async def get(site: Site) -> str:
    grant = await site.start()
    query = f"grant_type={GRANT_TYPE}&client_id={site.client.client_id}&device_code="
    answer = await site.send("GET", f"{site.at.token}?{query}{grant.device_code}")
    require(answer.error not in _ANSWERS and not answer.has_tokens, "GET is taken as a poll")
    return f"GET gives {answer.status}"


@check("6749-3.2-b", Level.SHOULD, "RFC 6749 3.2", "A repeated parameter of a poll is refused")
async def repeated(site: Site) -> str:
    grant = await site.start()
    code = ("device_code", grant.device_code)
    answer = await site.post(site.at.token, [("grant_type", GRANT_TYPE), code, code])
    return _no_tokens(answer, "a poll with two codes", "invalid_request")
