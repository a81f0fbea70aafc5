"""Tokens that are bound to a key (RFC 9449)."""

import json
from typing import Any

import pytest
from joserfc.jwk import OctKey
from structlog.testing import capture_logs

from deviceflow.config import Settings
from deviceflow.core import dpop
from deviceflow.core.messages import DEVICE_CODE_GRANT
from tests.stage.clock import Clock
from tests.stage.oauth import People, Stage, Worker
from tests.stage.proving import (
    AUTHORIZE,
    OTHER_KEY,
    TOKEN,
    USERINFO,
    Holder,
    claims_of,
    introspect,
    s256,
    sign,
    userinfo,
    with_surface,
)

INVALID_PROOF = (400, "invalid_dpop_proof")
USE_NONCE = (400, "use_dpop_nonce")
INVALID_GRANT = (400, "invalid_grant")


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return with_surface(settings)


@pytest.fixture
async def holder(worker: Worker, clock: Clock) -> Holder:
    """Make a device with a key and a fresh nonce."""
    made = Holder(clock)
    await made.learn_nonce(worker)
    return made


@pytest.fixture
def thief(holder: Holder, clock: Clock) -> Holder:
    """Make a thief with another key and the nonce."""
    made = Holder(clock, OTHER_KEY)
    made.nonce = holder.nonce
    return made


async def bound(worker: Worker, people: People, holder: Holder) -> dict[str, Any]:
    """Return the tokens of a device that sent a proof with its poll."""
    grant = await worker.authorize()
    await people.approve(grant.body["user_code"])
    answer = await holder.poll(worker, grant.body["device_code"])
    assert answer.status == 200, answer.body
    return answer.body


async def test_the_whole_life(worker: Worker, people: People, holder: Holder) -> None:
    """9449-5-a, 9449-6.2-a, 9700-2.2.1-a: bound, of type DPoP, also at introspection."""
    body = await bound(worker, people, holder)
    assert body["token_type"] == "DPoP"
    assert claims_of(body["access_token"])["cnf"] == {"jkt": holder.jkt}
    again = await holder.refresh(worker, body["refresh_token"])
    assert again.body["token_type"] == "DPoP"
    assert claims_of(again.body["access_token"])["cnf"] == {"jkt": holder.jkt}
    state = await introspect(worker, again.body["access_token"])
    assert (state["token_type"], state["cnf"]) == ("DPoP", {"jkt": holder.jkt})


async def test_the_refresh_token_stays_bound(
    worker: Worker, people: People, holder: Holder, thief: Holder
) -> None:
    """9449-5-a: without the key, a refresh is refused, and the owner can go on."""
    body = await bound(worker, people, holder)
    token = body["refresh_token"]
    assert (await thief.refresh(worker, token)).outcome == INVALID_GRANT
    assert (await worker.refresh(token)).outcome == INVALID_GRANT
    assert (await holder.refresh(worker, token)).status == 200


async def test_a_key_that_comes_with_a_refresh(
    worker: Worker, people: People, holder: Holder, thief: Holder
) -> None:
    """9449-5-a: the first refresh with a proof binds its new token and all later ones."""
    grant = await worker.authorize()
    await people.approve(grant.body["user_code"])
    unbound = (await worker.poll(grant.body["device_code"])).body["refresh_token"]
    answer = await holder.refresh(worker, unbound)
    assert answer.body["token_type"] == "DPoP"
    for _ in range(2):
        token = answer.body["refresh_token"]
        assert (await worker.refresh(token)).outcome == INVALID_GRANT
        with capture_logs() as logs:
            assert (await thief.refresh(worker, token)).outcome == INVALID_GRANT
        assert [log["event"] for log in logs] == ["refresh_token.wrong_key"]
        answer = await holder.refresh(worker, token)
        assert answer.status == 200
    # The old token is not bound. Its use by another party is detected.
    assert (await thief.refresh(worker, unbound)).outcome == INVALID_GRANT
    newest = answer.body["refresh_token"]
    assert (await holder.refresh(worker, newest)).outcome == INVALID_GRANT


async def test_a_key_that_a_thief_brings(
    worker: Worker, people: People, holder: Holder, thief: Holder
) -> None:
    """9449-5-a, 9700-2.2.2-a: the owner is not locked out; the second of the two is detected."""
    for owner_is_first in (True, False):
        grant = await worker.authorize()
        await people.approve(grant.body["user_code"])
        stolen = (await worker.poll(grant.body["device_code"])).body["refresh_token"]
        theirs = (await thief.refresh(worker, stolen)).body["refresh_token"]
        ours = (await holder.refresh(worker, stolen)).body["refresh_token"]
        uses = [(holder, ours), (thief, theirs)]
        (one, token), (other, late) = uses if owner_is_first else uses[::-1]
        newest = await one.refresh(worker, token)
        assert newest.status == 200
        assert (await other.refresh(worker, late)).outcome == INVALID_GRANT
        assert (await one.refresh(worker, newest.body["refresh_token"])).outcome == INVALID_GRANT


BOX = {"client_id": "box", "client_secret": "%:+ é&="}


async def box_tokens(worker: Worker, people: People, holder: Holder) -> dict[str, Any]:
    """Return the tokens of a confidential client that sent a proof."""
    grant = await worker.post(AUTHORIZE, BOX)
    await people.approve(grant.body["user_code"])
    form = BOX | {"grant_type": DEVICE_CODE_GRANT, "device_code": grant.body["device_code"]}
    answer = await worker.post(TOKEN, form, headers={"DPoP": holder.proof()})
    assert answer.status == 200, answer.body
    return answer.body


async def test_a_confidential_clients_refresh_token(
    stage: Stage, worker: Worker, people: People, holder: Holder, thief: Holder
) -> None:
    """RFC 9449 5: its authentication protects it. Each access token is bound to its request's key.

    The same holds for a family of an older version, whose record has a key.
    """
    body = await box_tokens(worker, people, holder)
    assert claims_of(body["access_token"])["cnf"] == {"jkt": holder.jkt}
    (family,) = await stage.keys("df:f:*")
    record = json.loads(await stage.redis.hget(family, "family") or b"")
    assert record["dpop_jkt"] == ""
    await stage.redis.hset(family, "family", json.dumps(record | {"dpop_jkt": holder.jkt}))
    token = body["refresh_token"]
    for key in (holder, thief, None, holder):
        headers = {"DPoP": key.proof()} if key else {}
        form = BOX | {"grant_type": "refresh_token", "refresh_token": token}
        answer = await worker.post(TOKEN, form, headers=headers)
        assert answer.status == 200, answer.body
        token = answer.body["refresh_token"]
        bound_to = claims_of(answer.body["access_token"]).get("cnf")
        assert bound_to == ({"jkt": key.jkt} if key else None)


async def test_a_stolen_device_code(
    worker: Worker, people: People, holder: Holder, thief: Holder
) -> None:
    """A device code that is bound to a key is useless without it."""
    grant = await worker.authorize(dpop_jkt=holder.jkt)
    await people.approve(grant.body["user_code"])
    code = grant.body["device_code"]
    assert (await thief.poll(worker, code)).outcome == INVALID_GRANT
    without = await worker.poll(code)
    assert without.outcome == INVALID_GRANT
    assert "DPoP proof of the key" in without.body["error_description"]
    assert (await holder.poll(worker, code)).status == 200


async def test_a_proof_at_the_device_authorization(
    worker: Worker, people: People, holder: Holder, thief: Holder
) -> None:
    headers = {"DPoP": holder.proof(AUTHORIZE)}
    grant = await worker.post(AUTHORIZE, {"client_id": "tv-app"}, headers=headers)
    assert grant.status == 200, grant.body
    await people.approve(grant.body["user_code"])
    assert (await thief.poll(worker, grant.body["device_code"])).outcome == INVALID_GRANT
    assert (await holder.poll(worker, grant.body["device_code"])).status == 200


async def test_two_keys_at_the_device_authorization(worker: Worker, holder: Holder) -> None:
    form = {"client_id": "tv-app", "dpop_jkt": OTHER_KEY.thumbprint()}
    answer = await worker.post(AUTHORIZE, form, headers={"DPoP": holder.proof(AUTHORIZE)})
    assert answer.outcome == INVALID_PROOF
    assert (await worker.authorize(dpop_jkt="short")).outcome == (400, "invalid_request")


async def test_a_client_that_has_to_prove(worker: Worker, people: People, holder: Holder) -> None:
    """9449-5.2-a: at each step, also while the grant is pending."""
    assert (await worker.authorize("dpop")).outcome == (400, "invalid_request")
    grant = await worker.authorize("dpop", dpop_jkt=holder.jkt)
    code = grant.body["device_code"]
    assert (await worker.poll(code, "dpop")).outcome == INVALID_PROOF
    assert (await holder.poll(worker, code, "dpop")).error == "authorization_pending"
    await people.approve(grant.body["user_code"])
    assert (await worker.poll(code, "dpop")).outcome == INVALID_PROOF
    answer = await holder.poll(worker, code, "dpop")
    assert answer.status == 200
    token = answer.body["refresh_token"]
    assert (await worker.refresh(token, "dpop")).outcome == INVALID_PROOF


async def test_nonces(worker: Worker, people: People, clock: Clock) -> None:
    """9449-8-a, 9449-11.2-a: 400 with one nonce; an old or invented one is not enough.

    So there are no tokens, long-lived or not, for proofs without nonces. Answers bring more.
    """
    holder = Holder(clock)
    grant = await worker.authorize()
    await people.approve(grant.body["user_code"])
    code = grant.body["device_code"]
    for nonce in ("", "invented", "é", "\ud800"):
        holder.nonce = nonce
        answer = await holder.poll(worker, code)
        assert answer.outcome == USE_NONCE
        assert len(answer.headers.getall("DPoP-Nonce")) == 1
    await holder.learn_nonce(worker)
    clock.advance(2 * dpop.NONCE_STEP_S)
    assert (await holder.poll(worker, code)).outcome == USE_NONCE
    await holder.learn_nonce(worker)
    answer = await holder.poll(worker, code)
    assert answer.status == 200
    assert answer.headers.getall("DPoP-Nonce") == [holder.nonce]


NOT_FOR_US: dict[str, dict[str, Any]] = {
    "another typ": {"header": {"typ": "JWT"}},
    "no typ": {"header": {"typ": None}},
    "alg none": {"header": {"alg": "none"}},
    "alg HS256": {"header": {"alg": "HS256"}},
    "alg RS256": {"header": {"alg": "RS256"}},
    "no key": {"header": {"jwk": None}},
    "an empty key": {"header": {"jwk": {}}},
    "another key": {"header": {"jwk": OTHER_KEY.as_dict(private=False)}},
    "a private key": {"header": {"jwk": OTHER_KEY.as_dict(private=True)}},
    "a symmetric key": {"header": {"jwk": OctKey.generate_key(256).as_dict(private=True)}},
    "no jti": {"drop": "jti"},
    "no htm": {"drop": "htm"},
    "no htu": {"drop": "htu"},
    "no iat": {"drop": "iat"},
    "an empty jti": {"jti": ""},
    "a jti that is a number": {"jti": 1},
    "another method": {"htm": "GET"},
    "another path": {"htu": "http://127.0.0.1:8628/oauth2/userinfo"},
    "another scheme": {"htu": "https://127.0.0.1:8628/oauth2/token"},
    "another host": {"htu": "http://localhost:8628/oauth2/token"},
    "an htu that is an object": {"htu": {}},
    "an iat of 1970": {"iat": 0},
    "an endless iat": {"iat": 10**400},
    "an iat of 2096": {"iat": 4_000_000_000},
    "an iat that is a text": {"iat": "now"},
}


@pytest.mark.parametrize("wrong", NOT_FOR_US.values(), ids=NOT_FOR_US)
async def test_a_proof_that_is_not_right(
    worker: Worker, people: People, holder: Holder, wrong: dict[str, Any]
) -> None:
    """9449-4.3-a, 9449-11.1-a: the proof is refused, and the approval stays valid."""
    grant = await worker.authorize()
    await people.approve(grant.body["user_code"])
    code = grant.body["device_code"]
    assert (await holder.poll(worker, code, **wrong)).outcome == INVALID_PROOF
    assert (await holder.poll(worker, code)).status == 200


@pytest.mark.parametrize(
    "proof", ["", "x", "a.b.c", "..", "é.é.é", "e30.e30.", "eyJhbGciOiJub25lIn0.e30.", "A" * 4000]
)
async def test_what_is_no_proof(worker: Worker, proof: str) -> None:
    """9449-4.3-a: a well-formed JWT."""
    form = {"client_id": "tv-app", "grant_type": "refresh_token", "refresh_token": "x"}
    answer = await worker.post(TOKEN, form, headers={"DPoP": proof})
    assert answer.outcome == INVALID_PROOF


async def test_json_that_is_nested_deep(worker: Worker, holder: Holder) -> None:
    """9449-4.3-a: a broken proof gets an OAuth error, never a 500."""
    deep = '{"jti":' + "[" * 2500 + "]" * 2500 + "}"
    header = {"typ": "dpop+jwt", "alg": "ES256", "jwk": holder.key.as_dict(private=False)}
    form = {"client_id": "tv-app", "grant_type": "refresh_token", "refresh_token": "x"}
    for content in (deep, "[" * 2500, "null", "[]", '"x"', ""):
        proof = sign(header, content, holder.key)
        answer = await worker.post(TOKEN, form, headers={"DPoP": proof})
        assert answer.outcome == INVALID_PROOF


async def test_two_proofs(worker: Worker, holder: Holder) -> None:
    """9449-4.3-a: one header."""
    form = {"client_id": "tv-app", "grant_type": "refresh_token", "refresh_token": "x"}
    headers = [("DPoP", holder.proof()), ("DPoP", holder.proof())]
    assert (await worker.post(TOKEN, form, headers=headers)).outcome == INVALID_PROOF


async def test_the_address_in_another_spelling(
    worker: Worker, people: People, holder: Holder
) -> None:
    """9449-4.3-a: the address is normalised before the comparison."""
    grant = await worker.authorize()
    await people.approve(grant.body["user_code"])
    spelling = "HTTP://127.0.0.1:8628/oauth2/token?x#y"
    assert (await holder.poll(worker, grant.body["device_code"], htu=spelling)).status == 200


@pytest.mark.parametrize("jti", ["one", "\ud800"])
async def test_a_replay_also_after_a_restart(
    stage: Stage, worker: Worker, people: People, holder: Holder, jti: str
) -> None:
    """9449-11.1-a: a proof can be used once, at any worker, now or later."""
    body = await bound(worker, people, holder)
    headers = {"DPoP": holder.proof(jti=jti)}
    form = {
        "client_id": "tv-app",
        "grant_type": "refresh_token",
        "refresh_token": body["refresh_token"],
    }
    assert (await worker.post(TOKEN, form, headers=headers)).status == 200
    restarted = await stage.start_worker()
    for each in (worker, restarted):
        assert (await each.post(TOKEN, form, headers=headers)).outcome == INVALID_PROOF
    assert (await holder.refresh(restarted, body["refresh_token"])).status == 200


async def test_bound_at_userinfo(
    worker: Worker, people: People, holder: Holder, thief: Holder
) -> None:
    """9449-7.2-a, 9449-4.3-a: refused as Bearer, without its key, or with another ath."""
    token = (await bound(worker, people, holder))["access_token"]
    ath = s256(token)

    async def ask(scheme: str, proof: str | None) -> tuple[int, str]:
        headers = {"DPoP": proof} if proof else {}
        answer = await userinfo(worker, f"{scheme} {token}", headers=headers)
        if answer.status != 200:
            assert answer.headers["WWW-Authenticate"].startswith(scheme)
        return answer.outcome

    good = holder.proof(USERINFO, method="GET", ath=ath)
    assert await ask("Bearer", None) == (401, "invalid_token")
    assert await ask("Bearer", good) == (401, "invalid_token")
    assert await ask("DPoP", None) == (401, "invalid_token")
    assert await ask("DPoP", thief.proof(USERINFO, method="GET", ath=ath)) == (401, "invalid_token")
    for proof in (
        holder.proof(USERINFO, method="GET"),
        holder.proof(USERINFO, method="GET", ath=s256("another")),
        holder.proof(USERINFO, method="POST", ath=ath),
    ):
        assert await ask("DPoP", proof) == (401, "invalid_dpop_proof")
    stale = holder.proof(USERINFO, method="GET", ath=ath, nonce="")
    assert await ask("DPoP", stale) == (401, "use_dpop_nonce")
    assert await ask("DPoP", good) == (200, "")
    assert await ask("DPoP", good) == (401, "invalid_dpop_proof")


async def test_an_unbound_token_with_the_scheme_dpop(
    worker: Worker, people: People, holder: Holder
) -> None:
    grant = await worker.authorize()
    await people.approve(grant.body["user_code"])
    token = (await worker.poll(grant.body["device_code"])).body["access_token"]
    proof = holder.proof(USERINFO, method="GET", ath=s256(token))
    answer = await userinfo(worker, f"DPoP {token}", headers={"DPoP": proof})
    assert answer.outcome == (401, "invalid_token")
