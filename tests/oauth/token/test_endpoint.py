"""The phases that every grant type shares, and their order (RFC 6749 3.2)."""

import pytest

from deviceflow.config import Settings
from tests.stage.oauth import Worker
from tests.stage.proving import TOKEN, Holder, with_surface

INVALID_REQUEST = (400, "invalid_request")
REFRESH = {"grant_type": "refresh_token", "refresh_token": "x"}


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return with_surface(settings)


@pytest.mark.parametrize("grant_type", ["password", "client_credentials", "authorization_code"])
async def test_other_grant_types(worker: Worker, grant_type: str) -> None:
    """9700-2.4-a, 6749-5.2-b."""
    form = {"client_id": "tv-app", "grant_type": grant_type, "username": "a", "password": "b"}
    assert (await worker.post(TOKEN, form)).outcome == (400, "unsupported_grant_type")


async def test_the_grant_type_is_required(worker: Worker) -> None:
    """8628-3.4-a."""
    for form in ({"client_id": "tv-app"}, {"client_id": "tv-app", "grant_type": ""}):
        assert (await worker.post(TOKEN, form)).outcome == INVALID_REQUEST


async def test_the_client_comes_before_the_grant_type(worker: Worker) -> None:
    """A stranger does not learn which grant types there are."""
    form = {"client_id": "nobody", "grant_type": "password"}
    assert (await worker.post(TOKEN, form)).outcome == (401, "invalid_client")


async def test_the_grant_type_comes_before_the_proof(worker: Worker) -> None:
    form = {"client_id": "tv-app", "grant_type": "password"}
    answer = await worker.post(TOKEN, form, headers={"DPoP": "x"})
    assert answer.outcome == (400, "unsupported_grant_type")


async def test_the_proof_comes_before_the_grant_types_own_parameters(worker: Worker) -> None:
    """9449-5.2-a: a client that has to prove a key does so with every request."""
    for form in (REFRESH, {"grant_type": "refresh_token"}):
        answer = await worker.post(TOKEN, form | {"client_id": "dpop"})
        assert answer.outcome == (400, "invalid_dpop_proof")
        answer = await worker.post(TOKEN, form | {"client_id": "tv-app"}, headers={"DPoP": "x"})
        assert answer.outcome == (400, "invalid_dpop_proof")


async def test_a_nonce_comes_with_an_answer_to_a_proof(worker: Worker, holder: Holder) -> None:
    """9449-8-a: for the next proof. A request without a proof needs none."""
    device_code = (await worker.authorize()).body["device_code"]
    assert "DPoP-Nonce" not in (await worker.poll(device_code)).headers
    answer = await holder.poll(worker, device_code)
    assert answer.error == "slow_down"
    assert answer.headers.getall("DPoP-Nonce") == [holder.nonce]
