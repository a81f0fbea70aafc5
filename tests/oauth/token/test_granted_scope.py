"""A person approves a part of the scope (RFC 6749 3.3, 5.1): every answer says that part."""

import msgspec
import pytest

from deviceflow.config import Settings
from tests.stage.oauth import Answer, People, Worker
from tests.stage.proving import claims_of, introspect, with_surface

REQUESTED = "openid profile email offline_access"


@pytest.fixture(params=["jwt", "opaque"])
def settings(settings: Settings, request: pytest.FixtureRequest) -> Settings:
    """The same with an API that may introspect, and tokens of both formats."""
    settings = with_surface(settings)
    tokens = msgspec.structs.replace(settings.tokens, format=request.param)
    return msgspec.structs.replace(settings, tokens=tokens)


async def connect(worker: Worker, people: People, scope: str | None) -> Answer:
    """The tokens of a device that requested everything."""
    grant = await worker.authorize(scope=REQUESTED)
    await people.approve(grant.body["user_code"], scope=scope)
    answer = await worker.poll(grant.body["device_code"])
    assert answer.status == 200
    return answer


async def test_the_answer_says_what_was_approved(worker: Worker, people: People) -> None:
    answer = await connect(worker, people, "openid offline_access")
    assert answer.body["scope"] == "openid offline_access"
    identity = claims_of(answer.body["id_token"])
    assert not {"name", "preferred_username", "email"} & identity.keys()


async def test_the_access_token_opens_no_more(worker: Worker, people: People) -> None:
    answer = await connect(worker, people, "openid email")
    token = answer.body["access_token"]
    assert (await introspect(worker, token))["scope"] == "openid email"
    headers = {"Authorization": f"Bearer {token}"}
    person = await worker.send("GET", "/oauth2/userinfo", headers=headers)
    assert person.body.keys() == {"sub", "email"}


async def test_a_refresh_cannot_widen_it(worker: Worker, people: People) -> None:
    answer = await connect(worker, people, "openid offline_access")
    refused = await worker.refresh(answer.body["refresh_token"], scope=REQUESTED)
    assert refused.outcome == (400, "invalid_scope")
    refreshed = await worker.refresh(answer.body["refresh_token"])
    assert refreshed.body["scope"] == "openid offline_access"


@pytest.mark.parametrize(
    ("scope", "missing"),
    [("profile", {"id_token", "refresh_token"}), ("openid", {"refresh_token"})],
)
async def test_tokens_that_were_not_approved_are_not_given(
    worker: Worker, people: People, scope: str, missing: set[str]
) -> None:
    answer = await connect(worker, people, scope)
    assert {"access_token", "id_token", "refresh_token"} - answer.body.keys() == missing


async def test_without_a_choice_all_is_granted(worker: Worker, people: People) -> None:
    answer = await connect(worker, people, None)
    assert answer.body["scope"] == REQUESTED


async def test_a_repetition_gives_the_same_part(worker: Worker, people: People) -> None:
    grant = await worker.authorize(scope=REQUESTED)
    await people.approve(grant.body["user_code"], scope="openid")
    answers = [await worker.poll(grant.body["device_code"]) for _ in range(2)]
    assert [answer.body["scope"] for answer in answers] == ["openid", "openid"]
