"""The server's metadata: RFC 8414, and what RFC 8628 4 adds."""

from typing import Any
from urllib.parse import urlsplit

from deviceflow.conformance.check import Level, NotApplicable, check, require
from deviceflow.conformance.site import GRANT_TYPE, Site

_PRIVATE_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})


def _document(site: Site) -> dict[str, Any]:
    if not site.at.metadata:
        raise NotApplicable("the endpoints were given by hand; there is no metadata")
    return site.at.metadata


@check("8414-3.3-a", Level.MUST, "RFC 8414 3.3", "The metadata names the issuer that was asked")
async def issuer(site: Site) -> str:
    named = _document(site).get("issuer")
    require(named == site.at.issuer, f"it names {named!r}, and {site.at.issuer!r} was asked")
    return f"the issuer is {named}"


@check("8628-4-a", Level.MUST, "RFC 8628 4", "The metadata lists the device_code grant type")
async def grant_type(site: Site) -> str:
    listed = _document(site).get("grant_types_supported")
    require(
        isinstance(listed, list) and GRANT_TYPE in listed,
        f"grant_types_supported is {listed!r}; its default has no device_code (RFC 8414 2)",
    )
    return "grant_types_supported has it"


@check("8628-4-b", Level.SHOULD, "RFC 8628 4", "The metadata has the device endpoint")
async def endpoint(site: Site) -> str:
    found = _document(site).get("device_authorization_endpoint")
    require(isinstance(found, str), "device_authorization_endpoint is missing")
    return f"it is {found}"


@check("8628-3.1-a", Level.MUST, "RFC 8628 3.1", "The endpoints are reached by TLS")
async def tls(site: Site) -> str:
    if site.at.is_local:
        raise NotApplicable("the server is on this machine")
    for url in (site.at.device_authorization, site.at.token):
        require(urlsplit(url).scheme == "https", f"{url} is not https")
    return "both are https"


@check("8414-3.2-a", Level.MUST, "RFC 8414 3.2", "The metadata is application/json")
async def content_type(site: Site) -> str:
    _document(site)
    parts = urlsplit(site.at.issuer)
    base, path = f"{parts.scheme}://{parts.netloc}", parts.path.rstrip("/")
    for url in (
        f"{base}/.well-known/oauth-authorization-server{path}",
        f"{base}{path}/.well-known/openid-configuration",
    ):
        answer = await site.send("GET", url)
        if answer.status == 200:  # noqa: PLR2004
            kind = answer.headers.get("Content-Type", "nothing")
            require(answer.is_json, f"the content type is {kind}")
            return f"{url} is JSON"
    raise NotApplicable("no well-known address gives the document")


@check("8414-2-c", Level.MUST, "RFC 8414 2", "Signing algorithms are listed, and none is not one")
async def assertion_algorithms(site: Site) -> str:
    document = _document(site)
    methods = document.get("token_endpoint_auth_methods_supported") or []
    if not {"private_key_jwt", "client_secret_jwt"} & {*methods}:
        raise NotApplicable("no client signs assertions here")
    algorithms = document.get("token_endpoint_auth_signing_alg_values_supported")
    require(
        isinstance(algorithms, list) and bool(algorithms),
        "token_endpoint_auth_signing_alg_values_supported is missing",
    )
    require("none" not in (algorithms or []), "it lists none")
    return f"it lists {', '.join(algorithms or [])}"


@check("7517-9.2-a", Level.MUST, "RFC 8414 2", "The published keys have no private part")
async def keys(site: Site) -> str:
    address = _document(site).get("jwks_uri")
    if not isinstance(address, str):
        raise NotApplicable("the metadata has no jwks_uri")
    answer = await site.send("GET", address)
    published = answer.members.get("keys")
    require(isinstance(published, list), f"{address} gives no key set: {answer.summary}")
    found = [key for key in published or [] if isinstance(key, dict)]
    secret = sorted({member for key in found for member in _PRIVATE_MEMBERS & {*key}})
    require(not secret, f"keys have the members {', '.join(secret)}")
    return f"none of the keys ({len(found)}) has a private part"
