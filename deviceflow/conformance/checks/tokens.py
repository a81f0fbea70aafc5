"""What the tokens say: RFC 9068, OpenID Connect Core 2. Signatures are not checked here."""

import time

from deviceflow.conformance.check import Level, NotApplicable, check, require
from deviceflow.conformance.checks.redemption import claims_of
from deviceflow.conformance.site import Site

_ACCESS_CLAIMS = ("iss", "exp", "aud", "sub", "client_id", "iat", "jti")
_ID_CLAIMS = ("iss", "sub", "aud", "exp", "iat")
_LONG_S = 86_400


async def _access_token(site: Site) -> str:
    token = str((await site.tokens()).members["access_token"])
    if str(claims_of(token, 0).get("typ", "")).lower() not in ("at+jwt", "application/at+jwt"):
        raise NotApplicable("the access token is no JWT of RFC 9068")
    return token


async def _id_token(site: Site) -> str:
    if "openid" not in site.parties.scope.split():
        raise NotApplicable("the scope openid was not asked: give --scope openid")
    token = (await site.tokens()).members.get("id_token")
    if not token and not site.at.metadata:
        raise NotApplicable("there is no ID token, and no metadata that announces one")
    require(bool(claims_of(token)), "openid was asked, and there is no ID token")
    return str(token)


@check("9068-2.1-a", Level.MUST, "RFC 9068 2.1", "A JWT access token is signed")
async def access_token_signed(site: Site) -> str:
    header = claims_of(await _access_token(site), 0)
    require(header.get("alg") not in (None, "none"), f"its alg is {header.get('alg')!r}")
    return f"its alg is {header['alg']}"


@check("9068-2.2-a", Level.MUST, "RFC 9068 2.2", "A JWT access token has the required claims")
async def access_token_claims(site: Site) -> str:
    claims = claims_of(await _access_token(site))
    missing = [name for name in _ACCESS_CLAIMS if name not in claims]
    require(not missing, f"it lacks {', '.join(missing)}")
    require(claims["iss"] == site.at.issuer, f"its iss is {claims['iss']!r}")
    own = site.client.client_id
    require(claims["client_id"] == own, f"its client_id is {claims['client_id']!r}")
    return f"it has {', '.join(_ACCESS_CLAIMS)}"


@check("6750-5.3-a", Level.SHOULD, "RFC 6750 5.3", "An access token does not live long")
async def short_life(site: Site) -> str:
    answer = await site.tokens()
    lifetime = answer.members.get("expires_in")
    if not isinstance(lifetime, int | float):
        exp = claims_of(answer.members["access_token"]).get("exp")
        if not isinstance(exp, int | float):
            raise NotApplicable("the answer has no expires_in")
        lifetime = exp - time.time()
    require(lifetime <= _LONG_S, f"it lives {lifetime:.0f} s")
    return f"it lives {lifetime:.0f} s"


@check("OIDC-2-a", Level.MUST, "OIDC Core 2", "An ID token has the required claims")
async def id_token_claims(site: Site) -> str:
    claims = claims_of(await _id_token(site))
    missing = [name for name in _ID_CLAIMS if name not in claims]
    require(not missing, f"it lacks {', '.join(missing)}")
    require(claims["iss"] == site.at.issuer, f"its iss is {claims['iss']!r}")
    audience = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
    require(site.client.client_id in audience, f"its aud is {claims['aud']!r}")
    require(claims["exp"] > time.time(), "it has expired")
    return f"it has {', '.join(_ID_CLAIMS)}"


@check("OIDC-10.1-a", Level.MUST, "OIDC Core 10.1", "The key of an ID token is published")
async def id_token_key(site: Site) -> str:
    address = site.at.optional("jwks_uri")
    header = claims_of(await _id_token(site), 0)
    require(header.get("alg") not in (None, "none"), f"its alg is {header.get('alg')!r}")
    if address is None or str(header["alg"]).startswith("HS"):
        raise NotApplicable("there is no published key")
    keys = (await site.send("GET", address)).members.get("keys", [])
    ids = [key.get("kid") for key in keys if isinstance(key, dict)]
    is_found = header.get("kid") in ids or (header.get("kid") is None and len(ids) == 1)
    require(is_found, f"the kid {header.get('kid')!r} is not among {len(ids)} keys")
    return f"the key {header.get('kid')} is published"
