"""Tokens that are bound to a key: RFC 9449. They run where the metadata says that DPoP is known."""

import time

from multidict import CIMultiDict

from deviceflow.conformance.answers import SiteAnswer, Started
from deviceflow.conformance.check import Level, NotApplicable, Unjudged, check, require
from deviceflow.conformance.checks.redemption import claims_of
from deviceflow.conformance.proofs import ALGORITHM, Flaw, Holder, Key
from deviceflow.conformance.site import Site

_DAY_S = 86_400
_OK, _BAD_REQUEST = 200, 400
_UNBOUND = "the tokens are not bound to the key of a proof, which RFC 9449 5 allows"


def _algorithms(site: Site) -> list[str]:
    listed = site.at.metadata.get("dpop_signing_alg_values_supported")
    if not isinstance(listed, list):
        raise NotApplicable("the metadata has no dpop_signing_alg_values_supported")
    return [str(each) for each in listed]


def _holder(site: Site) -> Holder:
    if ALGORITHM not in _algorithms(site):
        raise Unjudged(f"the server takes no proofs of {ALGORITHM}")
    return Holder(site)


def _is_bound(answer: SiteAnswer) -> bool:
    return str(answer.members.get("token_type", "")).lower() == "dpop"


async def _bound(site: Site) -> tuple[Holder, SiteAnswer]:
    """Run the flow with a proof. Return whose tokens they are, and the tokens."""
    holder = _holder(site)
    answer = await holder.poll(await site.approved())
    if not answer.has_tokens:
        raise Unjudged(f"a poll with a right proof is answered {answer.summary}")
    if not _is_bound(answer):
        raise NotApplicable(_UNBOUND)
    return holder, answer


async def _bound_refresh_token(site: Site) -> tuple[Holder, str]:
    holder, answer = await _bound(site)
    token = answer.members.get("refresh_token")
    if not token:
        raise NotApplicable("there is no refresh token")
    return holder, str(token)


async def _require_refused(site: Site, answer: SiteAnswer, what: str) -> None:
    """Require that a proof is not taken. `what` is wrong with it."""
    if answer.has_tokens and not _is_bound(answer):
        await _bound(site)  # not applicable if the server ignores all proofs
    require(not answer.has_tokens, f"a proof {what} is taken")
    if answer.error in ("authorization_pending", "slow_down"):
        raise Unjudged(f"a poll of an approved grant is answered {answer.summary}")


async def _refusals(site: Site, *flaws: Flaw) -> list[SiteAnswer]:
    """Poll an approved grant with each flaw, then rightly. Return what the flaws were answered."""
    holder = _holder(site)
    grant = await site.approved()
    answers = []
    for flaw in flaws:
        answers.append(await holder.poll(grant, flaw))
        await _require_refused(site, answers[-1], flaw.what)
    await _redeem(holder, grant)
    return answers


async def _redeem(holder: Holder, grant: Started) -> None:
    answer = await holder.poll(grant)
    if not answer.has_tokens:
        raise Unjudged(f"then a right proof is answered {answer.summary}")


@check("9449-5.1-a", Level.MUST, "RFC 9449 5.1", "Proofs are signed with asymmetric algorithms")
async def algorithms(site: Site) -> str:
    listed = _algorithms(site)
    wrong = [each for each in listed if each == "none" or each.startswith("HS")]
    require(not wrong, f"dpop_signing_alg_values_supported has {', '.join(wrong)}")
    return f"the metadata lists {', '.join(listed)}"


@check("9449-5-a", Level.MUST, "RFC 9449 5", "A proof binds the tokens to its key")
async def binds(site: Site) -> str:
    holder, answer = await _bound(site)
    claims = claims_of(answer.members["access_token"])
    if not claims:
        return "the token_type is DPoP; the token does not show its key"
    bound_to = claims.get("cnf")
    jkt = bound_to.get("jkt") if isinstance(bound_to, dict) else None
    require(jkt == holder.key.thumbprint, f"cnf.jkt is {jkt!r}, not the thumbprint of the key")
    return "the token_type is DPoP, and cnf.jkt is the thumbprint of the key"


@check("9449-4.3-a", Level.MUST, "RFC 9449 4.3", "A proof that is malformed is refused")
async def malformed(site: Site) -> str:
    await _refusals(
        site,
        Flaw(what="of another typ", header={"typ": "JWT"}),
        *(
            Flaw(what=f"without {name}", claims={name: None})
            for name in ("jti", "htm", "htu", "iat")
        ),
    )
    return "it is refused with another typ, and without jti, htm, htu or iat"


@check("9449-4.3-b", Level.MUST, "RFC 9449 4.3", "A proof with a wrong signature is refused")
async def unsigned(site: Site) -> str:
    shown = Key()
    await _refusals(
        site,
        Flaw(what="without a signature", header={"alg": "none"}),
        Flaw(what="of a symmetric algorithm", header={"alg": "HS256"}),
        Flaw(what="that another key signed", key=Key()),
        Flaw(what="with a private key in it", header={"jwk": shown.private_jwk}, key=shown),
    )
    return "it is refused unsigned, of HS256, of another key, and with a private key in it"


@check("9449-4.3-c", Level.MUST, "RFC 9449 4.3", "A proof for another request is refused")
async def for_another_request(site: Site) -> str:
    await _refusals(
        site,
        Flaw(what="of a GET", claims={"htm": "GET"}),
        Flaw(what="for another server", claims={"htu": "https://elsewhere.example/token"}),
        Flaw(what="for another endpoint", claims={"htu": site.at.device_authorization}),
    )
    return "it is refused with another method, server and endpoint"


@check("9449-4.3-d", Level.MUST, "RFC 9449 4.3", "A request has one proof")
async def two_proofs(site: Site) -> str:
    holder = _holder(site)
    grant = await site.approved()
    learnt = await holder.poll(grant, Flaw(what="of another typ", header={"typ": "JWT"}))
    await _require_refused(site, learnt, "of another typ")
    proofs = [holder.proof("POST", site.at.token) for _ in range(2)]
    two = CIMultiDict([("DPoP", proof) for proof in proofs])
    await _require_refused(site, await site.poll(grant, headers=two), "beside another one")
    await _redeem(holder, grant)
    return "two DPoP headers are refused"


@check("9449-4.3-e", Level.MUST, "RFC 9449 4.3", "An old proof is refused")
async def old(site: Site) -> str:
    holder = _holder(site)
    grant = await site.approved()
    for seconds, what in ((-_DAY_S, "of yesterday"), (_DAY_S, "of tomorrow")):
        flaw = Flaw(what=what, claims={"iat": int(time.time()) + seconds})
        answer = await holder.poll(grant, flaw)
        if holder.nonce:
            await _redeem(holder, grant)
            raise NotApplicable("the server's nonce tells how old a proof is")
        await _require_refused(site, answer, what)
    await _redeem(holder, grant)
    return "a proof of yesterday and one of tomorrow are refused"


@check("9449-5-b", Level.SHOULD, "RFC 9449 5", "A refused proof is invalid_dpop_proof")
async def error_code(site: Site) -> str:
    answers = await _refusals(
        site,
        Flaw(what="of a GET", claims={"htm": "GET"}),
        Flaw(what="that another key signed", key=Key()),
    )
    for answer in answers:
        require(answer.error == "invalid_dpop_proof", f"it is answered {answer.summary}")
        require(answer.status == _BAD_REQUEST, f"the status is {answer.status}")
    return "400 invalid_dpop_proof"


@check("9449-5-c", Level.MUST, "RFC 9449 5", "A public client's refresh token needs its key")
async def bound_refresh(site: Site) -> str:
    if site.client.client_secret is not None:
        raise NotApplicable("the client is confidential")
    holder, first = await _bound_refresh_token(site)
    answer = await holder.refresh(first)
    require(answer.has_tokens, f"with its key it is answered {answer.summary}")
    require(_is_bound(answer), f"the new token_type is {answer.members.get('token_type')!r}")
    token = str(answer.members.get("refresh_token", first))
    other = await Holder(site).refresh(token)
    require(not other.has_tokens, "with another key it gives tokens")
    form = {"grant_type": "refresh_token", "refresh_token": token}
    without = await site.post(site.at.token, form)
    require(not without.has_tokens, "without a proof it gives tokens")
    return f"another key is answered {other.summary}, no proof {without.summary}"


@check("9449-7.2-a", Level.MUST, "RFC 9449 7.2", "A bound access token is no Bearer token")
async def not_bearer(site: Site) -> str:
    endpoint = _userinfo(site)
    _, answer = await _bound(site)
    headers = {"Authorization": f"Bearer {answer.members['access_token']}"}
    looked = await site.send("GET", endpoint, headers=headers)
    require(looked.status >= _BAD_REQUEST, "as a Bearer token it opens userinfo")
    return f"userinfo answers {looked.status}"


@check("9449-7.1-a", Level.MUST, "RFC 9449 7.1", "Userinfo wants the proof of a bound token")
async def proof_at_userinfo(site: Site) -> str:
    endpoint = _userinfo(site)
    holder, answer = await _bound(site)
    token = str(answer.members["access_token"])
    right = await holder.get(endpoint, token)
    if right.status != _OK:
        raise Unjudged(f"userinfo answers a right proof with {right.summary}")
    bare = await site.send("GET", endpoint, headers={"Authorization": f"DPoP {token}"})
    require(bare.status >= _BAD_REQUEST, f"without a proof the status is {bare.status}")
    other = await Holder(site).get(endpoint, token)
    require(other.status >= _BAD_REQUEST, f"with another key the status is {other.status}")
    flaw = Flaw(what="without ath", claims={"ath": None})
    unnamed = await holder.get(endpoint, token, flaw)
    require(unnamed.status >= _BAD_REQUEST, f"without ath the status is {unnamed.status}")
    return "refused without a proof, with another key's, and without ath"


@check("9449-8-a", Level.MUST, "RFC 9449 8", "The nonce of a proof is asked for, and checked")
async def nonce(site: Site) -> str:
    holder = _holder(site)
    grant = await site.approved()
    bare = await site.poll(grant, headers={"DPoP": holder.proof("POST", site.at.token)})
    if bare.error != "use_dpop_nonce":
        raise NotApplicable("the server asks for no nonce")
    given = bare.headers.getall("DPoP-Nonce", [])
    require(bare.status == _BAD_REQUEST, f"the status is {bare.status}")
    require(len(given) == 1, f"use_dpop_nonce comes with {len(given)} DPoP-Nonce headers")
    false = Flaw(what="with a made-up nonce", claims={"nonce": "a-made-up-nonce"})
    proof = holder.proof("POST", site.at.token, false)
    answer = await site.poll(grant, headers={"DPoP": proof})
    require(not answer.has_tokens, "a made-up nonce is taken")
    holder.nonce = given[0]
    right = await holder.poll(grant)
    require(right.has_tokens, f"a proof with the nonce is answered {right.summary}")
    return f"400 use_dpop_nonce with a nonce; a made-up one is {answer.summary}"


@check("9449-11.1-a", Level.PRUDENT, "RFC 9449 11.1", "A proof is taken once")
async def replayed(site: Site) -> str:
    holder, first = await _bound_refresh_token(site)
    second = (await holder.refresh(first)).members.get("refresh_token", first)
    proof = holder.proof("POST", site.at.token)
    once = await holder.refresh_with(str(second), proof)
    if not once.has_tokens:
        raise Unjudged(f"a refresh with a right proof is answered {once.summary}")
    third = str(once.members.get("refresh_token", second))
    again = await holder.refresh_with(third, proof)
    require(not again.has_tokens, "the same proof is taken for a second request")
    return f"the second time it is answered {again.summary}"


def _userinfo(site: Site) -> str:
    endpoint = site.at.optional("userinfo_endpoint")
    if endpoint is None or "openid" not in site.parties.scope.split():
        raise NotApplicable("there is no userinfo, or the scope openid was not asked")
    return endpoint
