"""A device code that is useless without its verifier (RFC 7636)."""

import pytest

from deviceflow.config import Settings
from tests.stage.oauth import People, Worker
from tests.stage.proving import VERIFIER, s256, with_surface

INVALID_GRANT = (400, "invalid_grant")
INVALID_REQUEST = (400, "invalid_request")
CHALLENGE = s256(VERIFIER)


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return with_surface(settings)


async def test_the_owner_gets_the_tokens(worker: Worker, people: People) -> None:
    """Without the right verifier, there are no tokens, and the approval stays valid."""
    grant = await worker.authorize(code_challenge=CHALLENGE, code_challenge_method="S256")
    code = grant.body["device_code"]
    pending = await worker.poll(code, code_verifier=VERIFIER)
    assert pending.error == "authorization_pending"
    await people.approve(grant.body["user_code"])
    for wrong in ("w" * 43, VERIFIER + "v", "short", CHALLENGE, "é" * 43):
        assert (await worker.poll(code, code_verifier=wrong)).outcome == INVALID_GRANT
    assert (await worker.poll(code)).outcome == INVALID_GRANT
    assert (await worker.poll(code, code_verifier=VERIFIER)).status == 200


async def test_the_owner_is_told_what_is_wrong(worker: Worker, people: People) -> None:
    """For another client, or before the approval, the answer is the same for all verifiers."""
    grant = await worker.authorize(code_challenge=CHALLENGE, code_challenge_method="S256")
    code = grant.body["device_code"]
    assert (await worker.poll(code, code_verifier="w" * 43)).error == "authorization_pending"
    await people.approve(grant.body["user_code"])
    missing, wrong = await worker.poll(code), await worker.poll(code, code_verifier="w" * 43)
    assert missing.body["error_description"] == "The parameter code_verifier is missing."
    assert "is not the one of the code_challenge" in wrong.body["error_description"]
    others = [
        (await worker.poll(code, "opaque", code_verifier=verifier)).body
        for verifier in ("", "w" * 43, VERIFIER)
    ]
    assert others == [others[0]] * 3
    assert others[0]["error_description"] == "The device code is not valid for this client."


async def test_a_verifier_that_nobody_announced(worker: Worker, people: People) -> None:
    """RFC 9700 4.8: otherwise the removal of a challenge would stay hidden."""
    grant = await worker.authorize()
    await people.approve(grant.body["user_code"])
    code = grant.body["device_code"]
    assert (await worker.poll(code, code_verifier=VERIFIER)).outcome == INVALID_GRANT
    assert (await worker.poll(code)).status == 200


@pytest.mark.parametrize(
    "parameters",
    [
        {"code_challenge": CHALLENGE},
        {"code_challenge": CHALLENGE, "code_challenge_method": "plain"},
        {"code_challenge": CHALLENGE, "code_challenge_method": "s256"},
        {"code_challenge": CHALLENGE[:-1], "code_challenge_method": "S256"},
        {"code_challenge": CHALLENGE + "=", "code_challenge_method": "S256"},
        {"code_challenge_method": "S256"},
    ],
)
async def test_no_good_challenge(worker: Worker, parameters: dict[str, str]) -> None:
    assert (await worker.authorize(**parameters)).outcome == INVALID_REQUEST


async def test_a_client_that_has_to(worker: Worker, people: People) -> None:
    assert (await worker.authorize("pkce")).outcome == INVALID_REQUEST
    grant = await worker.authorize("pkce", code_challenge=CHALLENGE, code_challenge_method="S256")
    await people.approve(grant.body["user_code"])
    code = grant.body["device_code"]
    assert (await worker.poll(code, "pkce")).outcome == INVALID_GRANT
    assert (await worker.poll(code, "pkce", code_verifier=VERIFIER)).status == 200
