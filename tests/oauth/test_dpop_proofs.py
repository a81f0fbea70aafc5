"""Which proofs are accepted (RFC 9449 4.3, 8, 11.1): well formed, for this request, used once."""

from typing import Any
from unittest import mock

import pytest
from joserfc.jwk import OctKey

from deviceflow.config import Settings
from deviceflow.core import dpop
from deviceflow.core.messages import DEVICE_CODE_GRANT
from deviceflow.policy.rules import CLIENT_FAILURE_ADDRESS
from tests.stage.clock import Clock
from tests.stage.oauth import People, Stage, Worker
from tests.stage.proving import OTHER_KEY, TOKEN, Holder, bound, sign, with_surface

INVALID_PROOF = (400, "invalid_dpop_proof")
USE_NONCE = (400, "use_dpop_nonce")


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return with_surface(settings)


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


@pytest.mark.parametrize("iat", [0, 1_700_000_000, 4_000_000_000])
async def test_the_clock_of_the_device_does_not_count(
    worker: Worker, people: People, clock: Clock, iat: int
) -> None:
    """9449-11.1-a: a device without a battery starts in 1970; the nonce stands in for `iat`."""
    holder = Holder(clock)
    grant = await worker.authorize()
    await people.approve(grant.body["user_code"])
    form = {
        "grant_type": DEVICE_CODE_GRANT,
        "device_code": grant.body["device_code"],
        "client_id": "tv-app",
    }
    headers = {"DPoP": holder.proof(iat=iat, drop="nonce")}
    assert (await worker.post(TOKEN, form, headers=headers)).outcome == USE_NONCE
    await holder.learn_nonce(worker)
    headers = {"DPoP": holder.proof(iat=iat)}
    assert (await worker.post(TOKEN, form, headers=headers)).status == 200
    answer = await worker.post(TOKEN, form, headers=headers)
    assert answer.status == 400


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


async def test_wrong_proofs_shut_nobody_out(worker: Worker, people: People, holder: Holder) -> None:
    """They guess at nothing, so the devices at that address are not refused for them."""
    grant = await worker.authorize()
    await people.approve(grant.body["user_code"])
    code = grant.body["device_code"]
    for _ in range(CLIENT_FAILURE_ADDRESS.limit + 1):
        answer = await holder.poll(worker, code, **NOT_FOR_US["another key"])
        assert answer.outcome == INVALID_PROOF
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


@pytest.mark.parametrize(
    "wrong",
    [{"htm": "GET"}, {"htu": "http://x.example/"}, {"nonce": "old"}, {"drop": "jti"}],
    ids=["htm", "htu", "nonce", "jti"],
)
async def test_the_signature_is_checked_last(
    worker: Worker, holder: Holder, wrong: dict[str, Any]
) -> None:
    """A stranger chooses the key: what is refused for another reason must not cost a signature."""
    form = {"client_id": "tv-app", "grant_type": "refresh_token", "refresh_token": "x"}
    verifying = mock.patch("deviceflow.signing.dpop.verify_signature", side_effect=AssertionError)
    with verifying as verify:
        answer = await worker.post(TOKEN, form, headers={"DPoP": holder.proof(**wrong)})
    assert answer.outcome in (INVALID_PROOF, USE_NONCE)
    verify.assert_not_called()


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
