"""A person says that somebody sent the code."""

import pytest
from structlog.testing import capture_logs

from deviceflow.core.grant import State
from tests.stage.pages import Browser, Store

CODE = "WDJBMJHT"
SHOWN = "WDJB-MJHT"


async def test_it_denies_and_reports(ada: Browser, store: Store) -> None:
    store.grants.add(CODE)
    await ada.enter(SHOWN)
    assert "Somebody sent me this code" in ada.text
    with capture_logs() as logs:
        answer = await ada.press("report")
    assert answer.status == 200
    assert "Thank you for telling us" in ada.text
    assert "Nothing was connected" in ada.text
    assert "Delete the message" in ada.text
    assert store.grants.by_code[CODE].state is State.DENIED
    assert store.reports.all == [("grant-1", "tv-app", "203.0.113.7")]
    [line] = [line for line in logs if line["event"] == "grant.reported"]
    assert line == {
        "event": "grant.reported",
        "log_level": "warning",
        "grant": "grant-1",
        "client_id": "tv-app",
        "address": "203.0.113.7",
        "of_client": 1,
        "of_address": 1,
    }


async def test_an_ipv6_device_is_counted_by_its_network(ada: Browser, store: Store) -> None:
    store.grants.add(CODE, address="2001:db8::5:1")
    await ada.enter(SHOWN)
    await ada.press("report")
    assert store.reports.all == [("grant-1", "tv-app", "2001:db8::/64")]


async def test_a_second_report_says_the_same_and_counts_once(ada: Browser, store: Store) -> None:
    store.grants.add(CODE)
    await ada.enter(SHOWN)
    form = ada.hidden | {"decision": "report"}
    with capture_logs() as logs:
        for _ in range(2):
            await ada.post("/device/confirm", data=form)
            await ada.follow()
            assert "Thank you for telling us" in ada.text
    assert len([line for line in logs if line["event"] == "grant.reported"]) == 1


async def test_a_report_after_the_approval_says_that_it_came_too_late(
    ada: Browser, store: Store
) -> None:
    store.grants.add(CODE)
    await ada.enter(SHOWN)
    form = ada.hidden
    await ada.press("approve")
    await ada.post("/device/confirm", data=form | {"decision": "report"})
    await ada.follow()
    assert "This device is already connected" in ada.text
    assert store.grants.by_code[CODE].state is State.APPROVED
    assert len(store.reports.all) == 1


async def test_a_report_after_the_end_of_the_code(ada: Browser, store: Store) -> None:
    store.grants.add(CODE)
    await ada.enter(SHOWN)
    store.grants.now += 600
    await ada.press("report")
    assert "Thank you for telling us" in ada.text
    assert len(store.reports.all) == 1


async def test_nobody_reports_a_request_that_was_not_shown(
    ada: Browser, bob: Browser, store: Store
) -> None:
    """It would tell a guesser which codes exist, and let strangers report anything."""
    store.grants.add(CODE)
    await ada.open("/device")
    await ada.submit("/device", user_code=SHOWN, decision="report")
    await ada.follow()
    assert "Connect Living-room TV to your account?" in ada.text
    await bob.open("/device")
    await bob.submit("/device", user_code=SHOWN, decision="report")
    await bob.follow()
    assert store.reports.all == []
    assert store.grants.by_code[CODE].state is State.PENDING


async def test_nothing_is_reported_by_a_form_of_somebody_else(ada: Browser, store: Store) -> None:
    store.grants.add(CODE)
    await ada.enter(SHOWN)
    await ada.submit("/device/confirm", decision="report", csrf_token="x")
    assert "notice=outdated" in ada.answer.headers["Location"]
    assert store.reports.all == []


@pytest.mark.parametrize("client_id", ["gone"])
async def test_the_client_may_be_gone(ada: Browser, store: Store, client_id: str) -> None:
    store.grants.add(CODE, client_id=client_id, claimed_by="sub-ada")
    await ada.open("/device")
    await ada.submit("/device", user_code=SHOWN, decision="report")
    await ada.follow()
    assert "Thank you for telling us" in ada.text
    assert store.reports.all == [("grant-1", "gone", "203.0.113.7")]
