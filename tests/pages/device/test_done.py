"""The last page says how the request ended, also to a person who comes second or again."""

import pytest

from deviceflow.core.grant import State
from tests.stage.pages import Browser, Store

CODE = "WDJBMJHT"
SHOWN = "WDJB-MJHT"
APPROVED = "You can go back to your device"
DENIED = "Request denied"
NOTHING = "There is nothing more about this code"


@pytest.mark.parametrize(
    ("state", "pressed", "status", "words"),
    [
        (State.APPROVED, "approve", 200, APPROVED),
        (State.REDEEMED, "approve", 200, APPROVED),
        (State.APPROVED, "deny", 409, "This device is already connected"),
        (State.REDEEMED, "deny", 409, "This device is already connected"),
        (State.DENIED, "deny", 200, DENIED),
        (State.DENIED, "approve", 409, "This request is already denied"),
        (State.CANCELLED, "approve", 409, "The people who run this server have ended this request"),
        (State.CANCELLED, "deny", 409, "The people who run this server have ended this request"),
    ],
)
async def test_a_button_that_comes_second_says_what_is_true(
    ada: Browser, store: Store, state: State, pressed: str, status: int, words: str
) -> None:
    """A late approval revives nothing, a late denial ends nothing (mistakes of others)."""
    store.grants.add(CODE)
    await ada.enter(SHOWN)
    fields = ada.hidden | {"decision": pressed}
    store.grants.add(CODE, state=state, claimed_by="sub-ada")
    for _ in range(2):
        await ada.post("/device/confirm", data=fields)
        await ada.follow()
        assert (ada.answer.status, words in ada.text) == (status, True)
        await ada.open(ada.answer.url.path_qs)
        assert (ada.answer.status, words in ada.text) == (status, True)
    assert store.grants.by_code[CODE].state is state


@pytest.mark.parametrize(("pressed", "words"), [("approve", APPROVED), ("deny", DENIED)])
async def test_the_end_can_be_loaded_again(
    ada: Browser, store: Store, pressed: str, words: str
) -> None:
    """POST, 303, GET: reload, Back and a tab that was discarded show the same end."""
    store.grants.add(CODE)
    await ada.enter(SHOWN)
    question = ada.answer.url.path_qs
    answer = await ada.submit("/device/confirm", decision=pressed)
    end = answer.headers["Location"]
    assert answer.status == 303
    for address in (end, end, question, f"/device/done?user_code={SHOWN}"):
        await ada.open(address)
        await ada.follow()
        assert (ada.answer.status, words in ada.text) == (200, True)
    assert len(store.grants.decisions) == 1


async def test_the_same_code_entered_again_shows_its_end(ada: Browser, store: Store) -> None:
    store.grants.add(CODE, state=State.APPROVED, claimed_by="sub-ada")
    answer = await ada.enter(SHOWN)
    assert (answer.status, APPROVED in ada.text) == (200, True)


async def test_no_end_is_shown_while_the_request_waits(ada: Browser, store: Store) -> None:
    store.grants.add(CODE, claimed_by="sub-ada")
    answer = await ada.open(f"/device/done?user_code={SHOWN}")
    assert (answer.status, answer.headers["Location"]) == (
        303,
        f"/device/confirm?user_code={SHOWN}",
    )


async def test_the_end_of_a_code_without_an_answer(ada: Browser, store: Store) -> None:
    """8628-3.5-c: for as long as the store remembers it; then the page says what it can."""
    store.grants.add(CODE, claimed_by="sub-ada")
    store.grants.now += 600
    answer = await ada.open(f"/device/done?user_code={SHOWN}")
    assert (answer.status, "This code is no longer valid" in ada.text) == (410, True)
    store.grants.by_code.clear()
    answer = await ada.open(f"/device/done?user_code={SHOWN}")
    assert (answer.status, NOTHING in ada.text) == (404, True)


@pytest.mark.parametrize("state", State)
async def test_the_end_is_shown_to_the_account_that_decided_and_to_no_other(
    bob: Browser, store: Store, state: State
) -> None:
    """No oracle, and no guess: an unknown, an unclaimed and another's code get one answer."""
    store.grants.add(CODE, state=state, claimed_by="sub-ada")
    store.grants.add("BCDFGHJK", state=State.PENDING)
    pages = set()
    for text in (SHOWN, "BCDF-GHJK", "LMNP-QRST", "€", ""):
        answer = await bob.open("/device/done", params={"user_code": text})
        pages.add((answer.status, bob.page))
    assert [status for status, _ in pages] == [404]
    assert NOTHING in bob.text
    assert store.limits.keys("code-user") == set()


async def test_a_stranger_signs_in_first(browser: Browser, store: Store) -> None:
    store.grants.add(CODE, state=State.APPROVED, claimed_by="sub-ada")
    answer = await browser.open(f"/device/done?user_code={SHOWN}")
    assert (answer.status, answer.headers["Location"]) == (303, f"/login?user_code={SHOWN}")


@pytest.mark.parametrize("because", ["claimed", "unavailable", "cancelled", "expired", "x"])
async def test_a_link_cannot_make_the_page_say_something(ada: Browser, because: str) -> None:
    """What only the address says counts only with this server's seal."""
    link = f"/device/done?typed={SHOWN}&because={because}&seal={'0' * 32}"
    answer = await ada.open(link)
    assert (answer.status, NOTHING in ada.text) == (404, True)
