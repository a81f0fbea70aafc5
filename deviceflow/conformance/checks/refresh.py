"""Refresh tokens: RFC 6749 6, RFC 9700 2.2.2."""

from deviceflow.conformance.answers import SiteAnswer
from deviceflow.conformance.check import Level, NotApplicable, Unjudged, check, require
from deviceflow.conformance.checks.redemption import scope_in
from deviceflow.conformance.site import Site


async def _given(site: Site) -> str:
    token = (await site.tokens()).members.get("refresh_token")
    if not token:
        raise NotApplicable("there is no refresh token; give --scope offline_access, perhaps")
    return str(token)


async def _refresh(site: Site, token: str, **parameters: str) -> SiteAnswer:
    form = {"grant_type": "refresh_token", "refresh_token": token, **parameters}
    return await site.post(site.at.token, form)


@check("6749-6-c", Level.MUST, "RFC 6749 6", "A refresh token gives an access token")
async def works(site: Site) -> str:
    answer = await _refresh(site, await _given(site))
    require(answer.has_tokens, f"the answer is {answer.summary}")
    is_new = bool(answer.members.get("refresh_token"))
    return "a new access token" + (" and a refresh token" if is_new else "")


@check("6749-6-b", Level.MUST, "RFC 6749 6", "A refresh cannot widen the scope")
async def wider(site: Site) -> str:
    token = await _given(site)
    answer = await _refresh(site, token, scope=f"{site.parties.scope} admin root".strip())
    if not answer.has_tokens:
        require(bool(answer.error), f"the answer is {answer.summary}")
        return f"a wider scope is {answer.error}"
    told = str(answer.members.get("scope", "")).split()
    real = scope_in(answer.members["access_token"]) or []
    require(not {"admin", "root"} & {*told, *real}, "the wider scope is granted")
    return "the wider scope is not granted"


@check("6749-5.2-g", Level.MUST, "RFC 6749 5.2", "An unknown refresh token is invalid_grant")
async def unknown(site: Site) -> str:
    answer = await _refresh(site, "no-such-refresh-token")
    is_refused = answer.error in ("invalid_grant", "unsupported_grant_type", "unauthorized_client")
    require(is_refused, f"the answer is {answer.summary}")
    return f"the answer is {answer.error}"


@check("9700-2.2.2-a", Level.MUST, "RFC 9700 2.2.2", "A public client's refresh token changes")
async def rotated(site: Site) -> str:
    if site.client.client_secret is not None:
        raise NotApplicable("the client is confidential")
    first = await _given(site)
    answer = await _refresh(site, first)
    if not answer.has_tokens:
        raise Unjudged(f"the refresh is answered {answer.summary}")
    second = str(answer.members.get("refresh_token", ""))
    require(bool(second) and second != first, "the same refresh token goes on")
    used = await _refresh(site, second)
    if not used.has_tokens:
        raise Unjudged(f"the second refresh is answered {used.summary}")
    replayed = await _refresh(site, first)
    require(not replayed.has_tokens, "the first refresh token works after the second was used")
    return f"each refresh gives another one; an old one is {replayed.error}"
