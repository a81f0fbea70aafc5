"""Clients through the API: listed in pages, and shown without their secrets."""

import pytest

from tests.stage.admin import Operator
from tests.stage.oauth import CLIENTS


async def test_all_of_them_page_by_page(operator: Operator) -> None:
    ids, after = [], ""
    while True:
        page = await operator.get("/clients", params={"limit": 4, "after": after})
        assert page.body["total"] == len(CLIENTS)
        ids += [client["client_id"] for client in page.body["clients"]]
        if "after" not in page.body:
            break
        after = page.body["after"]
    assert ids == sorted(client.client_id for client in CLIENTS)
    assert len((await operator.get("/clients")).body["clients"]) == len(CLIENTS)


@pytest.mark.parametrize("limit", ["0", "501", "-1", "x", "", "1e2", "٣", "9999999999"])
async def test_a_limit_that_is_none(operator: Operator, limit: str) -> None:
    answer = await operator.get("/clients", params={"limit": limit})
    assert answer.outcome == (400, "invalid_request")


async def test_one_client(operator: Operator) -> None:
    shown = (await operator.get("/clients/console")).body
    assert (shown["name"], shown["auth_method"], shown["enabled"]) == (
        "Console",
        "client_secret_basic",
        True,
    )
    assert not any("secret_sha256" in name or "jwks" in name for name in shown)
    assert (await operator.get("/clients/off")).body["enabled"] is False
    assert (await operator.get("/clients/typed")).body["lifetime_s"] == 120
    assert (await operator.get("/clients/nobody")).outcome == (404, "not_found")
