"""Tokens that are bound to a key (RFC 9449)."""

import json
from typing import Any

import pytest
from structlog.testing import capture_logs

from deviceflow.config import Settings
from deviceflow.core.messages import DEVICE_CODE_GRANT
from tests.stage.oauth import People, Stage, Worker
from tests.stage.proving import (
    AUTHORIZE,
    OTHER_KEY,
    TOKEN,
    USERINFO,
    Holder,
    bound,
    claims_of,
    introspect,
    s256,
    userinfo,
    with_surface,
)

INVALID_PROOF = (400, "invalid_dpop_proof")
USE_NONCE = (400, "use_dpop_nonce")
INVALID_GRANT = (400, "invalid_grant")


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return with_surface(settings)


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
