"""The device authorization request and its answer: RFC 8628 3.1 and 3.2."""

from urllib.parse import urlencode, urljoin, urlsplit

import msgspec

from deviceflow.conformance.answers import SiteAnswer
from deviceflow.conformance.check import Level, NotApplicable, check, require
from deviceflow.conformance.site import Site
from deviceflow.device.client_auth import Credentials

_OK, _BAD_REQUEST, _UNAUTHORIZED = 200, 400, 401
_MOST_REDIRECTS = 5
_ERROR_TEXT = frozenset(map(chr, range(0x20, 0x7F))) - {'"', "\\"}
UNKNOWN = "nobody-has-registered-this-client"


def refused(answer: SiteAnswer, what: str) -> None:
    """Require a refusal, in whatever words."""
    require(not answer.members.get("device_code"), f"{what} is given codes")
    is_refused = bool(answer.error) or answer.status >= _BAD_REQUEST
    require(is_refused, f"{what} is answered {answer.summary}")


@check("8628-3.2-a", Level.MUST, "RFC 8628 3.2", "The answer has all required members")
async def members(site: Site) -> str:
    answer = await site.request_codes()
    require(answer.status == _OK, f"the answer is {answer.summary}")
    found = answer.members
    for name in ("device_code", "user_code", "verification_uri"):
        require(isinstance(found.get(name), str) and bool(found[name]), f"{name} is missing")
    for name in ("expires_in", "interval"):
        value = found.get(name, 1 if name == "interval" else None)
        is_number = isinstance(value, int | float) and not isinstance(value, bool) and value > 0
        require(is_number, f"{name} is {value!r}, no number of seconds")
    return f"the codes live {found['expires_in']} s, the interval is {found.get('interval', 5)} s"


@check("8628-3.2-d", Level.MUST, "RFC 8628 3.2", "The answer is application/json")
async def content_type(site: Site) -> str:
    answer = await site.request_codes()
    kind = answer.headers.get("Content-Type", "nothing")
    require(answer.is_json, f"the content type is {kind}")
    return f"it is {kind}"


@check("8628-3.2-e", Level.SHOULD, "RFC 8628 3.2", "No cache keeps the answer")
async def no_store(site: Site) -> str:
    answer = await site.request_codes()
    policy = answer.headers.get("Cache-Control", "")
    require("no-store" in policy, f"Cache-Control is {policy!r}")
    return "Cache-Control has no-store"


@check("8628-3.2-f", Level.MUST, "RFC 8628 3.2", "The verification address can be opened")
async def verification_uri(site: Site) -> str:
    grant = await site.start()
    parts = urlsplit(grant.verification_uri)
    require(bool(parts.netloc), f"{grant.verification_uri!r} is no absolute address")
    is_https = parts.scheme == "https" or site.at.is_local
    require(is_https, f"{grant.verification_uri} is not https")
    answer = await site.send("GET", grant.verification_uri, headers={"Accept": "text/html"})
    require(answer.status < 400, f"GET {grant.verification_uri} gives {answer.status}")  # noqa: PLR2004
    return f"GET {grant.verification_uri} gives {answer.status}"


@check("8628-3.3-b", Level.SHOULD, "RFC 8628 3.3", "verification_uri does not hold the user code")
async def plain_verification_uri(site: Site) -> str:
    grant = await site.start()
    plain = grant.verification_uri.replace("-", "").upper()
    require(grant.user_code.replace("-", "").upper() not in plain, "it holds the user code")
    return "the person types the code, or follows verification_uri_complete"


@check("8628-3.1-c", Level.MUST, "RFC 8628 3.1", "Unknown parameters are ignored")
async def unknown_parameter(site: Site) -> str:
    answer = await site.request_codes(unheard_of="1")
    require(bool(answer.members.get("device_code")), f"the answer is {answer.summary}")
    return "the request is answered as if it had none"


@check("8628-3.1-b", Level.MUST, "RFC 8628 3.1", "A parameter without a value is as if omitted")
async def empty_parameter(site: Site) -> str:
    answer = await site.post(site.at.device_authorization, {"scope": ""})
    omitted = await site.post(site.at.device_authorization, {})
    same = bool(answer.members.get("device_code")) == bool(omitted.members.get("device_code"))
    require(
        same and answer.error == omitted.error,
        f"`scope=` gives {answer.summary}, no scope gives {omitted.summary}",
    )
    return f"both give {answer.summary if answer.error else 'codes'}"


@check("8628-3.1-d", Level.SHOULD, "RFC 8628 3.1", "A repeated parameter is refused")
async def repeated_parameter(site: Site) -> str:
    form = [("scope", site.parties.scope), ("scope", site.parties.scope)]
    twice = [("x-extra", "1"), ("scope", site.parties.scope or "openid"), *form]
    answer = await site.post(site.at.device_authorization, twice)
    refused(answer, "a request with `scope` three times")
    return f"the answer is {answer.summary}"


@check("8628-3.1-f", Level.MUST, "RFC 8628 3.1", "An unknown client gets no codes")
async def unknown_client(site: Site) -> str:
    answer = await site.request_codes(Credentials(client_id=UNKNOWN))
    refused(answer, "an unknown client")
    return f"the answer is {answer.summary}"


@check("8628-3.1-g", Level.MUST, "RFC 8628 3.1", "A request without a client gets no codes")
async def no_client(site: Site) -> str:
    answer = await site.send("POST", site.at.device_authorization, {"scope": site.parties.scope})
    refused(answer, "a request without client_id")
    return f"the answer is {answer.summary}"


@check("8628-3.1-e", Level.MUST, "RFC 8628 3.1", "A confidential client proves who it is")
async def wrong_secret(site: Site) -> str:
    if site.client.client_secret is None:
        raise NotApplicable("the client has no secret")
    wrong = msgspec.structs.replace(site.client, client_secret="not-the-secret")  # noqa: S106
    answer = await site.request_codes(wrong)
    refused(answer, "a wrong secret")
    require(answer.error == "invalid_client", f"a wrong secret is answered {answer.summary}")
    nameless = await site.request_codes(Credentials(client_id=site.client.client_id))
    refused(nameless, "the client without its secret")
    return "a wrong secret and a missing one are invalid_client"


@check("8628-3.2-g", Level.MUST, "RFC 8628 3.2", "A refusal is an OAuth error")
async def error_in_json(site: Site) -> str:
    answer = await site.send("POST", site.at.device_authorization, {"scope": "openid"})
    require(bool(answer.error), f"a request without a client is answered {answer.summary}")
    return f"a request without a client is answered {answer.summary}"


@check("6749-5.2-a", Level.MUST, "RFC 6749 5.2", "invalid_client by Basic is 401 with a challenge")
async def challenge(site: Site) -> str:
    wrong = Credentials(client_id=UNKNOWN, client_secret="x", auth_method="client_secret_basic")  # noqa: S106
    # The clause is about the token endpoint.
    form = {"grant_type": "refresh_token", "refresh_token": "no-such-token"}
    answer = await site.post(site.at.token, form, wrong)
    require(answer.status == _UNAUTHORIZED, f"the status is {answer.status}")
    require("WWW-Authenticate" in answer.headers, "the header WWW-Authenticate is missing")
    return "401 with WWW-Authenticate"


@check("6749-2.3.1-b", Level.MUST, "RFC 6749 2.3.1", "Credentials in the address are refused")
async def credentials_in_address(site: Site) -> str:
    if site.client.client_secret is None:
        raise NotApplicable("the client has no secret")
    own = {"client_id": site.client.client_id, "client_secret": site.client.client_secret}
    query = urlencode(own)
    answer = await site.send("POST", f"{site.at.device_authorization}?{query}", {})
    refused(answer, "a request with its secret in the address")
    return f"the answer is {answer.summary}"


@check("8628-3.1-h", Level.SHOULD, "RFC 8628 3.1", "The request is a POST; GET gives no codes")
async def get(site: Site) -> str:
    query = f"client_id={site.client.client_id}"
    answer = await site.send("GET", f"{site.at.device_authorization}?{query}")
    require(not answer.members.get("device_code"), "GET gives codes")
    if answer.status < _BAD_REQUEST and not answer.is_json:
        return "GET gives a page for people"
    require(answer.status >= _BAD_REQUEST, f"GET gives {answer.status}")
    return f"GET gives {answer.status}"


@check("6749-5.2-c", Level.MUST, "RFC 6749 5.2", "Texts of errors have only the allowed characters")
async def error_text(site: Site) -> str:
    answer = await site.post(
        site.at.token, {"grant_type": 'wrong"\\<é\u202e', "device_code": 'x"\\<é\u202e'}
    )
    require(bool(answer.error), f"the answer is {answer.summary}")
    for name in ("error", "error_description"):
        text = answer.members.get(name, "")
        outside = sorted({*str(text)} - _ERROR_TEXT)
        require(not outside, f"{name} has {', '.join(map(repr, outside))}")
    return "error and error_description keep to the characters of RFC 6749"


@check("9700-2.6-b", Level.PRUDENT, "RFC 9700 2.6", "The page for people is closed to other sites")
async def page_without_cors(site: Site) -> str:
    grant = await site.start()
    answer = await site.send(
        "GET", grant.verification_uri, headers={"Origin": "https://attacker.example"}
    )
    allowed = answer.headers.get("Access-Control-Allow-Origin")
    require(allowed is None, f"Access-Control-Allow-Origin is {allowed}")
    return "there is no Access-Control-Allow-Origin"


@check("9700-4.16-a", Level.MUST, "RFC 9700 4.16", "No other site can frame the page for people")
async def page_without_frames(site: Site) -> str:
    grant = await site.start()
    answer = await site.send("GET", grant.verification_uri, headers={"Accept": "text/html"})
    place = grant.verification_uri
    for _ in range(_MOST_REDIRECTS):
        if "Location" not in answer.headers:
            break
        place = urljoin(place, answer.headers["Location"])
        answer = await site.send("GET", place, headers={"Accept": "text/html"})
    policy = answer.headers.get("Content-Security-Policy", "")
    is_closed = "frame-ancestors" in policy or "X-Frame-Options" in answer.headers
    require(is_closed, "neither frame-ancestors nor X-Frame-Options is there")
    return "frame-ancestors or X-Frame-Options is there"
