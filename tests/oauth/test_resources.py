"""Access tokens for the APIs that the device names (RFC 8707, RFC 9068 3)."""

from typing import TYPE_CHECKING

import pytest

from deviceflow.core.messages import DEVICE_CODE_GRANT
from tests.oauth.proving import (
    API,
    AUTHORIZE,
    FILES,
    ISSUER,
    TOKEN,
    claims_of,
    introspect,
    tokens,
    with_surface,
)

if TYPE_CHECKING:
    from deviceflow.config import Settings
    from tests.oauth.conftest import People, Worker

INVALID_TARGET = (400, "invalid_target")


@pytest.fixture
def settings(settings: "Settings") -> "Settings":
    return with_surface(settings)


async def test_one_audience_each(worker: "Worker", people: "People") -> None:
    """8707-2-b, 9068-3-a, 9068-5-a, 9700-2.3-a."""
    for resource in (API, FILES):
        body = await tokens(worker, people, "apis", resource=resource)
        assert claims_of(body["access_token"])["aud"] == resource
    assert claims_of((await tokens(worker, people, "apis"))["access_token"])["aud"] == ISSUER


async def test_two_resources_and_then_one(worker: "Worker", people: "People") -> None:
    """8707-2.2-a: narrowed at the token endpoint; the refresh token keeps what was granted."""
    form = [("client_id", "apis"), ("resource", API), ("resource", FILES)]
    grant = await worker.post(AUTHORIZE, form)
    await people.approve(grant.body["user_code"])
    code = grant.body["device_code"]
    first = await worker.poll(code, "apis", resource=FILES)
    assert claims_of(first.body["access_token"])["aud"] == FILES
    both = await worker.refresh(first.body["refresh_token"], "apis")
    assert claims_of(both.body["access_token"])["aud"] == [API, FILES]
    one = await worker.refresh(both.body["refresh_token"], "apis", resource=API)
    assert claims_of(one.body["access_token"])["aud"] == API


@pytest.mark.parametrize(
    "resource", ["api", "/api", f"{API}#x", f"{API}/", "https://else.example", f"{API} x", "é"]
)
async def test_refused(worker: "Worker", resource: str) -> None:
    """8707-2-a: and nothing of it is repeated (6749-5.2-c)."""
    answer = await worker.authorize("apis", resource=resource)
    assert answer.outcome == INVALID_TARGET
    assert resource not in str(answer.body)


async def test_another_client_may_not(worker: "Worker") -> None:
    """8707-2-a: the list is the client's own."""
    assert (await worker.authorize("tv-app", resource=API)).outcome == INVALID_TARGET


async def test_wider_than_granted(worker: "Worker", people: "People") -> None:
    """8707-2.2-a: refused, and neither the approval nor the refresh token is used up."""
    grant = await worker.authorize("apis", resource=API)
    await people.approve(grant.body["user_code"])
    code = grant.body["device_code"]
    assert (await worker.poll(code, "apis", resource=FILES)).outcome == INVALID_TARGET
    form = [("client_id", "apis"), ("grant_type", DEVICE_CODE_GRANT), ("device_code", code)]
    two = [*form, ("resource", API), ("resource", FILES)]
    assert (await worker.post(TOKEN, two)).outcome == INVALID_TARGET
    first = await worker.poll(code, "apis", resource=API)
    assert first.status == 200
    token = first.body["refresh_token"]
    assert (await worker.refresh(token, "apis", resource=FILES)).outcome == INVALID_TARGET
    assert (await worker.refresh(token, "apis", resource=API)).status == 200


async def test_no_resource_at_first(worker: "Worker", people: "People") -> None:
    """8707-2.2-a."""
    grant = await worker.authorize("apis")
    await people.approve(grant.body["user_code"])
    code = grant.body["device_code"]
    assert (await worker.poll(code, "apis", resource=API)).outcome == INVALID_TARGET
    assert (await worker.poll(code, "apis")).status == 200


async def test_who_is_told(worker: "Worker", people: "People") -> None:
    """7662-2.3-a: the resource server that the token is for, and no other."""
    token = (await tokens(worker, people, "apis", resource=API))["access_token"]
    assert (await introspect(worker, token, "rs-api"))["active"] is True
    assert await introspect(worker, token, "rs-else") == {"active": False}
