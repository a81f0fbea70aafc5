"""Revocation, introspection and userinfo: RFC 7009, RFC 7662, RFC 6750."""

from deviceflow.conformance.check import Level, NotApplicable, check, require
from deviceflow.conformance.site import Site

_OK, _BAD_REQUEST, _UNAUTHORIZED = 200, 400, 401


def _endpoint(site: Site, name: str) -> str:
    found = site.at.optional(name)
    if found is None:
        raise NotApplicable(f"the metadata has no {name}")
    return found


@check("7009-2-a", Level.MUST, "RFC 7009 2", "A revoked refresh token ends")
async def revoked(site: Site) -> str:
    endpoint = _endpoint(site, "revocation_endpoint")
    token = (await site.tokens()).members.get("refresh_token")
    if not token:
        raise NotApplicable("there is no refresh token")
    answer = await site.post(endpoint, {"token": str(token)})
    require(answer.status == _OK, f"the answer is {answer.summary}")
    form = {"grant_type": "refresh_token", "refresh_token": str(token)}
    used = await site.post(site.at.token, form)
    require(not used.has_tokens, "the revoked refresh token gives tokens")
    return f"then it is {used.error}"


@check("7009-2.1-a", Level.MUST, "RFC 7009 2.1", "A wrong token_type_hint does no harm")
async def wrong_hint(site: Site) -> str:
    endpoint = _endpoint(site, "revocation_endpoint")
    token = (await site.tokens()).members.get("refresh_token")
    if not token:
        raise NotApplicable("there is no refresh token")
    await site.post(endpoint, {"token": str(token), "token_type_hint": "access_token"})
    form = {"grant_type": "refresh_token", "refresh_token": str(token)}
    used = await site.post(site.at.token, form)
    require(not used.has_tokens, "with the hint access_token, a refresh token is not revoked")
    return f"then it is {used.error}"


@check("7009-2.2-a", Level.MUST, "RFC 7009 2.2", "The revocation of an unknown token is 200")
async def unknown_revoked(site: Site) -> str:
    answer = await site.post(_endpoint(site, "revocation_endpoint"), {"token": "no-such-token"})
    require(answer.status == _OK, f"the answer is {answer.summary}")
    return "200"


@check("7662-2.1-a", Level.MUST, "RFC 7662 2.1", "Nobody introspects without authorisation")
async def anonymous_introspection(site: Site) -> str:
    endpoint = _endpoint(site, "introspection_endpoint")
    token = str((await site.tokens()).members["access_token"])
    answer = await site.send("POST", endpoint, {"token": token})
    require(answer.members.get("active") is not True, "a request without a client learns all")
    require(answer.status >= _BAD_REQUEST, f"the status is {answer.status}")
    return f"the answer is {answer.summary}"


@check("OIDC-5.3.2-a", Level.MUST, "OIDC Core 5.3.2", "Userinfo names the subject")
async def userinfo(site: Site) -> str:
    endpoint = _endpoint(site, "userinfo_endpoint")
    if "openid" not in site.parties.scope.split():
        raise NotApplicable("the scope openid was not asked")
    token = (await site.tokens()).members["access_token"]
    answer = await site.send("GET", endpoint, headers={"Authorization": f"Bearer {token}"})
    require(answer.status == _OK, f"the status is {answer.status}")
    require(bool(answer.members.get("sub")), "the answer has no sub")
    return "it has sub"


@check("6750-3-a", Level.MUST, "RFC 6750 3", "Userinfo without a token is 401 with Bearer")
async def userinfo_without_token(site: Site) -> str:
    answer = await site.send("GET", _endpoint(site, "userinfo_endpoint"))
    challenge = answer.headers.get("WWW-Authenticate", "")
    require(answer.status == _UNAUTHORIZED, f"the status is {answer.status}")
    require("bearer" in challenge.lower(), f"WWW-Authenticate is {challenge!r}")
    return "401 with a challenge"


@check("6750-3-b", Level.SHOULD, "RFC 6750 3.1", "Without a token there is no error code")
async def no_error_without_token(site: Site) -> str:
    answer = await site.send("GET", _endpoint(site, "userinfo_endpoint"))
    challenge = answer.headers.get("WWW-Authenticate", "")
    require("error=" not in challenge, f"WWW-Authenticate is {challenge!r}")
    return "the challenge has no error"


@check("6750-3.1-a", Level.SHOULD, "RFC 6750 3.1", "A made-up access token is invalid_token")
async def userinfo_with_garbage(site: Site) -> str:
    endpoint = _endpoint(site, "userinfo_endpoint")
    answer = await site.send("GET", endpoint, headers={"Authorization": "Bearer no-such-token"})
    challenge = answer.headers.get("WWW-Authenticate", "")
    require(answer.status == _UNAUTHORIZED, f"the status is {answer.status}")
    require("invalid_token" in challenge, f"WWW-Authenticate is {challenge!r}")
    return "401 with invalid_token"


@check("6750-2.3-a", Level.SHOULD, "RFC 6750 2.3", "A token in the address is refused")
async def userinfo_by_query(site: Site) -> str:
    endpoint = _endpoint(site, "userinfo_endpoint")
    token = (await site.tokens()).members["access_token"]
    answer = await site.send("GET", f"{endpoint}?access_token={token}")
    require(answer.status >= _BAD_REQUEST, "a token in the address opens userinfo")
    return f"the status is {answer.status}"
