"""How often one may guess: limits by account and by address, and what does not count."""

import msgspec
import pytest

from deviceflow.config import Settings
from deviceflow.pages.throttle import throttle_rules
from deviceflow.store.grants import GUESSES_PER_LIFETIME
from tests.stage.pages import Browser, OpenBrowser, Store

CODE = "WDJBMJHT"
SHOWN = "WDJB-MJHT"


# Codes


async def test_guesses_are_limited_by_account(ada: Browser, store: Store) -> None:
    """8628-5.1-a: a right code in between resets nothing, and comes too late after too many."""
    store.grants.add(CODE)
    for number in range(GUESSES_PER_LIFETIME):
        answer = await ada.enter("LMNP-QRST")
        assert answer.status == 400
        if number == 1:
            assert (await ada.enter(SHOWN)).status == 200
    for text in ("LMNP-QRST", SHOWN):
        answer = await ada.enter(text)
        assert (answer.status, answer.headers["Retry-After"]) == (429, "600")
        assert "Wait 10 minutes, then try again." in ada.text
    assert store.limits.keys("code-user") == {"sub-ada"}


async def test_a_decision_on_somebody_s_code_is_a_guess_too(ada: Browser, store: Store) -> None:
    """8628-5.1-a: there is no way around the limit."""
    store.grants.add(CODE)
    await ada.open("/device")
    for _ in range(GUESSES_PER_LIFETIME):
        await ada.open("/device")
        await ada.submit("/device", user_code="LMNP-QRST", decision="approve")
        await ada.follow()
        assert ada.answer.status == 410
    await ada.open("/device")
    answer = await ada.submit("/device", user_code=SHOWN, decision="approve")
    assert answer.status == 429
    assert store.grants.by_code[CODE].claimed_by is None


async def test_a_decision_on_one_s_own_request_is_no_guess(ada: Browser, store: Store) -> None:
    store.grants.add(CODE)
    await ada.enter(SHOWN)
    await ada.submit("/device", decision="approve")
    counts = store.limits.counts
    assert {count for (name, _), count in counts.items() if name.startswith("code-")} == {0}


async def test_who_sets_up_many_devices_guesses_at_none(ada: Browser, store: Store) -> None:
    for number in range(3 * GUESSES_PER_LIFETIME):
        code = CODE[:-2] + "BCDFGHJKLM"[number // 10] + "BCDFGHJKLM"[number % 10]
        store.grants.add(code)
        assert (await ada.enter(code)).status == 200


async def test_guesses_are_limited_by_network(
    open_browser: OpenBrowser, store: Store, settings: Settings
) -> None:
    """9700-4.13-a: by the address that our proxy saw, an IPv6 one by its /64."""
    server = msgspec.structs.replace(settings.server, trusted_proxies=("127.0.0.0/8",))
    ada = await open_browser(msgspec.structs.replace(settings, server=server))
    await ada.sign_in()
    await ada.open("/device")
    fields = ada.hidden | {"user_code": "LMNP-QRST"}
    for host in ("1", "2"):
        headers = {"X-Forwarded-For": f"192.0.2.66, 2001:db8:0:7::{host}"}
        await ada.post("/device", data=fields, headers=headers)
    assert store.limits.keys("code-address") == {"2001:db8:0:7::/64"}
    assert store.limits.counts["code-address", "2001:db8:0:7::/64"] == 2


async def test_a_forged_header_changes_no_limit(ada: Browser, store: Store) -> None:
    """9700-4.13-a: without a configured proxy the header means nothing."""
    await ada.open("/device")
    fields = ada.hidden | {"user_code": "LMNP-QRST"}
    await ada.post("/device", data=fields, headers={"X-Forwarded-For": "192.0.2.66"})
    assert store.limits.keys("code-address") == {"127.0.0.1"}


# Passwords


@pytest.mark.parametrize("username", ["ada", "nobody"])
async def test_guesses_at_one_account_are_slowed_down(
    browser: Browser, store: Store, username: str
) -> None:
    """Sign-in brute force: the same limit for users that there are and that there are not."""
    for _ in range(10):
        assert (await browser.sign_in(username, "wrong")).status == 403
    answer = await browser.sign_in(username.upper(), username)
    assert (answer.status, answer.headers["Retry-After"]) == (429, "60")
    assert "Nothing is locked for good." in browser.text
    assert len(store.users.verified) == 10, "no password is checked any more"
    assert (await browser.sign_in("bob")).status == 303, "others are not punished"


async def test_the_pause_grows(browser: Browser, store: Store) -> None:
    """Growing delay, no permanent lock."""
    store.limits.counts["sign-in-user-hour", "ada"] = 50
    answer = await browser.sign_in("ada")
    assert (answer.status, answer.headers["Retry-After"]) == (429, "3600")
    assert "Wait 60 minutes, then try again." in browser.text


async def test_a_success_resets_no_count(browser: Browser, store: Store) -> None:
    """A success that resets the limit (mistakes of others)."""
    await browser.sign_in("ada", "wrong")
    await browser.sign_in("ada")
    assert store.limits.counts["sign-in-user", "ada"] == 2


async def test_guesses_from_one_network_are_slowed_down(browser: Browser, store: Store) -> None:
    store.limits.counts["sign-in-address", "127.0.0.1"] = 60
    assert (await browser.sign_in("ada")).status == 429


# The rules


def test_an_account_may_guess_as_often_as_the_length_of_codes_allows() -> None:
    """The rules of codes last as long as a code."""
    rules = throttle_rules(900)
    assert [(rule.limit, rule.window_s) for rule in rules.code_account] == [
        (GUESSES_PER_LIFETIME, 900)
    ]
    assert {rule.window_s for rule in rules.code_address} == {900}


def test_an_address_has_more_room_than_an_account() -> None:
    rules = throttle_rules(600)
    for account, address in (
        (rules.code_account, rules.code_address),
        (rules.sign_in_account, rules.sign_in_address),
    ):
        for rule, wider in zip(account, address, strict=True):
            assert rule.window_s == wider.window_s
            assert rule.limit < wider.limit


def test_no_two_rules_share_a_count() -> None:
    rules = throttle_rules(600)
    names = [
        rule.name
        for kind in (
            rules.sign_in_account,
            rules.sign_in_address,
            rules.code_account,
            rules.code_address,
        )
        for rule in kind
    ]
    assert len(set(names)) == len(names)
