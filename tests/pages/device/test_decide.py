"""What a decision does, and who may make it."""

import msgspec
import pytest

from deviceflow.core.grant import Event, State
from tests.stage.pages import Browser, Store

CODE = "WDJBMJHT"
SHOWN = "WDJB-MJHT"


async def test_approve(ada: Browser, store: Store) -> None:
    """8628-3.3-a: the person approves, and the grant knows who it was."""
    store.grants.add(CODE)
    await ada.enter(SHOWN)
    answer = await ada.press("approve")
    assert answer.status == 200
    assert "You can go back to your device" in ada.text
    [(event, subject)] = store.grants.decisions
    assert event is Event.APPROVE
    assert subject is not None
    assert (subject.sub, subject.username, subject.name) == ("sub-ada", "ada", "Ada Lovelace")
    assert (subject.auth_time, subject.amr) == (store.grants.now, ("pwd",))


@pytest.mark.parametrize(
    ("link", "header", "tag"),
    [("", "ja, en;q=0.5", "ja"), ("&ui_locales=ar", "ja", "ar"), ("", "tlh", "en")],
)
async def test_an_approval_says_the_language_of_its_page(
    ada: Browser, store: Store, link: str, header: str, tag: str
) -> None:
    """Also by the cookie that keeps `ui_locales`."""
    store.grants.add(CODE)
    headers = {"Accept-Language": header}
    await ada.open(f"/device?user_code={SHOWN}{link}", headers=headers)
    await ada.post("/device", data=ada.hidden | {"user_code": SHOWN}, headers=headers)
    await ada.open(ada.answer.headers["Location"], headers=headers)
    form = ada.hidden | {"decision": "approve"}
    await ada.post("/device", data=form, headers=headers)
    [page] = store.grants.pages
    assert page.language == tag
    assert page.address


async def test_deny(ada: Browser, store: Store) -> None:
    """8628-3.5-c: a denial is a decision of its own."""
    store.grants.add(CODE)
    await ada.enter(SHOWN)
    answer = await ada.press("deny")
    assert answer.status == 200
    assert "Request denied" in ada.text
    assert store.grants.by_code[CODE].state is State.DENIED


@pytest.mark.parametrize("decision", ["approve", "deny"])
async def test_a_decision_without_an_earlier_look_shows_the_request_instead(
    ada: Browser, store: Store, decision: str
) -> None:
    """8628-3.3.1-a: no decision on a request that this account was never shown."""
    store.grants.add(CODE)
    await ada.open("/device")
    await ada.submit("/device", user_code=SHOWN, decision=decision)
    answer = await ada.follow()
    assert answer.status == 200
    assert "Connect Living-room TV to your account?" in ada.text
    assert store.grants.decisions == []


@pytest.mark.parametrize("decision", ["approve", "deny"])
async def test_another_account_neither_sees_nor_decides(
    ada: Browser, bob: Browser, store: Store, decision: str
) -> None:
    """A second account approves or denies what the first has claimed (mistakes of others)."""
    store.grants.add(CODE)
    await ada.enter(SHOWN)
    answer = await bob.enter(SHOWN)
    assert answer.status == 409
    assert "Somebody else has entered this code" in bob.text
    assert "Living-room TV" not in bob.text
    await bob.open("/device")
    await bob.submit("/device", user_code=SHOWN, decision=decision)
    answer = await bob.follow()
    assert answer.status == 409
    assert store.grants.decisions == []
    assert store.grants.by_code[CODE].claimed_by == "sub-ada"


@pytest.mark.parametrize("decision", ["approve", "deny"])
async def test_a_decision_that_comes_too_late(ada: Browser, store: Store, decision: str) -> None:
    """8628-3.5-c: nothing is approved after expiry."""
    store.grants.add(CODE)
    await ada.enter(SHOWN)
    store.grants.now += 600
    answer = await ada.press(decision)
    assert answer.status == 410
    assert "This code is no longer valid" in ada.text
    assert store.grants.decisions == []


async def test_expiry_between_look_up_and_decision(ada: Browser, store: Store) -> None:
    grant = store.grants.add(CODE, expires_at=store.grants.now + 1)
    await ada.enter(SHOWN)
    claimed = msgspec.structs.replace(grant, claimed_by="sub-ada")
    store.grants.now += 600

    async def find(_: str) -> object:
        return claimed

    store.grants.find = find  # type: ignore[assignment, method-assign]
    answer = await ada.press("approve")
    assert answer.status == 410
    assert store.grants.decisions == []


async def test_an_unknown_decision_is_no_decision(ada: Browser, store: Store) -> None:
    store.grants.add(CODE)
    await ada.enter(SHOWN)
    answer = await ada.submit("/device", decision="maybe")
    assert answer.status == 400
    assert store.grants.decisions == []


async def test_a_client_disabled_after_the_look_can_be_denied_only(
    ada: Browser, store: Store
) -> None:
    store.grants.add(CODE, client_id="gone", claimed_by="sub-ada")
    await ada.open("/device")
    await ada.submit("/device", user_code=SHOWN, decision="approve")
    await ada.follow()
    assert (ada.answer.status, store.grants.decisions) == (403, [])
    await ada.open("/device")
    await ada.submit("/device", user_code=SHOWN, decision="deny")
    await ada.follow()
    assert ada.answer.status == 200
    assert store.grants.by_code[CODE].state is State.DENIED
