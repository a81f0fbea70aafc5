"""What the pages record in the audit, of people who sign in and decide."""

import json
from typing import Any

import pytest
from msgspec.structs import replace

from deviceflow.config import Settings
from tests.stage.pages import TV, Browser, OpenBrowser, Store

CODE = "WDJBMJHT"
SHOWN = "WDJB-MJHT"
ADDRESS = "203.0.113.7"

Line = dict[str, Any]
CHAINED = {"time", "chain", "sequence", "previous", "hash"}


def lines(store: Store) -> list[Line]:
    """What was recorded, without where each line belongs."""
    found = [json.loads(text) for text in store.audit.recent]
    return [{name: line[name] for name in line if name not in CHAINED} for line in found]


def newest(store: Store) -> Line:
    return lines(store)[-1]


def events(store: Store) -> list[str]:
    return [line["event"] for line in lines(store)]


async def test_a_sign_in_and_a_sign_out(ada: Browser, store: Store) -> None:
    signed_in = {"event": "sign_in.succeeded", "way": "password", "sub": "sub-ada"}
    assert newest(store) == signed_in | {"address": "127.0.0.1"}
    await ada.open("/logout")
    await ada.submit("/logout")
    assert newest(store) == {"event": "session.ended", "sub": "sub-ada", "way": "page"}


async def test_a_wrong_password_is_recorded_with_the_account(
    browser: Browser, store: Store
) -> None:
    await browser.open("/login")
    await browser.send_password(username="ada", password="wrong")
    failed = {"event": "sign_in.failed", "outcome": "failure", "way": "password"}
    assert newest(store) == failed | {"sub": "sub-ada"}


async def test_what_is_no_name_is_only_there_as_a_hash(browser: Browser, store: Store) -> None:
    """People type passwords into the field for the name."""
    secret = "Correct-Horse-Battery"
    for typed in (secret, secret.upper(), "somebody"):
        await browser.open("/login")
        await browser.send_password(username=typed, password="wrong")
    first, again, other = (line["tried_name"] for line in lines(store))
    assert first == again != other
    assert len(first) == 16
    assert secret.lower() not in str(list(store.audit.recent)).lower()


@pytest.mark.parametrize(
    ("button", "event"), [("approve", "grant.approved"), ("deny", "grant.denied")]
)
async def test_a_decision_is_recorded_once(
    ada: Browser, store: Store, button: str, event: str
) -> None:
    store.grants.add(CODE)
    await ada.enter(SHOWN)
    form = ada.hidden | {"decision": button}
    for _ in range(2):
        await ada.post("/device/confirm", data=form)
    decided = {"event": event, "way": "page", "sub": "sub-ada", "grant": "grant-1"}
    assert newest(store) == decided | {"client_id": "tv-app"}
    assert events(store) == ["sign_in.succeeded", event]


async def test_a_report_says_who_and_where_the_code_came_from(ada: Browser, store: Store) -> None:
    store.grants.add(CODE)
    await ada.enter(SHOWN)
    await ada.press("report")
    assert events(store) == ["sign_in.succeeded", "grant.reported", "grant.denied"]
    reported = lines(store)[1]
    assert (reported["sub"], reported["subject"]) == ("sub-ada", ADDRESS)


async def test_a_wrong_code_is_recorded_without_it(ada: Browser, store: Store) -> None:
    await ada.enter(SHOWN)
    assert newest(store) == {"event": "code.wrong", "outcome": "failure", "sub": "sub-ada"}
    assert CODE not in str(list(store.audit.recent))


async def test_a_code_that_is_somebody_elses(ada: Browser, bob: Browser, store: Store) -> None:
    store.grants.add(CODE)
    await ada.enter(SHOWN)
    await bob.enter(SHOWN)
    line = newest(store)
    assert (line["event"], line["sub"], line["grant"]) == (
        "grant.claimed_by_another",
        "sub-bob",
        "grant-1",
    )


async def test_a_limit_that_refuses(ada: Browser, store: Store) -> None:
    while "limit.refused" not in events(store):
        assert len(events(store)) < 40
        await ada.enter(SHOWN)
    line = newest(store)
    assert (line["limit"], line["sub"], line["address"]) == (
        "code.account",
        "sub-ada",
        "127.0.0.1",
    )


async def test_a_sign_in_that_is_not_enough(
    open_browser: OpenBrowser, store: Store, settings: Settings
) -> None:
    browser = await open_browser(replace(settings, clients=(replace(TV, sign_in="second_factor"),)))
    await browser.sign_in("ada")
    store.grants.add(CODE)
    await browser.enter(SHOWN)
    await browser.follow()
    line = newest(store)
    assert (line["event"], line["reason"]) == ("step_up.required", "second_factor")


async def test_the_look_for_secrets_would_find_one(ada: Browser, store: Store) -> None:
    """`open_browser` looks after every test of the pages, for all that a browser has seen."""
    store.grants.add(CODE)
    await ada.enter(SHOWN)
    seen = ada.secrets.values
    assert {CODE, SHOWN} <= seen
    assert len(seen) >= 4, "the session, and the token of a form"
    for secret in seen:
        line = b'{"reason":"so it is: %b"}' % secret.lower().encode()
        assert secret in ada.secrets.found_in([line])
