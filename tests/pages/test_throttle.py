"""What counts as a guess on the pages, and what a person reads who has to wait.

The rules themselves are told as stories in `tests/policy`.
"""

import msgspec
import pytest

from deviceflow.config import Settings
from deviceflow.core.client import Client
from deviceflow.core.grant import State
from deviceflow.pages.throttle import account_key
from deviceflow.policy.rules import (
    CODES_IN_A_WAVE,
    GUESSES_PER_LIFETIME,
    SIGN_IN_ACCOUNT_ADDRESS,
    SIGN_IN_ADDRESS,
)
from tests.stage.pages import TV, Browser, OpenBrowser, Store

CODE = "WDJBMJHT"
SHOWN = "WDJB-MJHT"
TYPED = Client(client_id="typed", name="Typed TV", verification_uri_complete=False)
HERE = "127.0.0.1"


def guesses_of_ada(store: Store) -> tuple[int, int]:
    limits = store.limits
    return limits.counted("code.account", "sub-ada"), limits.counted("code.address", HERE)


async def sign_out(browser: Browser) -> None:
    await browser.open("/logout")
    await browser.submit("/logout")


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
    assert guesses_of_ada(store) == (GUESSES_PER_LIFETIME, GUESSES_PER_LIFETIME)


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
    await ada.submit("/device", user_code=SHOWN, decision="approve")
    assert (await ada.follow()).status == 429
    assert store.grants.by_code[CODE].claimed_by is None


async def test_a_decision_on_one_s_own_request_is_no_guess(ada: Browser, store: Store) -> None:
    store.grants.add(CODE)
    await ada.enter(SHOWN)
    await ada.submit("/device", decision="approve")
    assert guesses_of_ada(store) == (0, 0)


async def test_to_send_one_s_own_answered_request_again_is_no_guess(
    ada: Browser, store: Store
) -> None:
    """Another click, a reload: the code is right, whatever has become of it."""
    store.grants.add(CODE)
    await ada.enter(SHOWN)
    await ada.submit("/device", decision="approve")
    for _ in range(GUESSES_PER_LIFETIME + 1):
        assert (await ada.enter(SHOWN)).status == 200
    assert guesses_of_ada(store) == (0, 0)


async def test_who_sets_up_many_devices_guesses_at_none(ada: Browser, store: Store) -> None:
    for number in range(3 * GUESSES_PER_LIFETIME):
        code = CODE[:-2] + "BCDFGHJKLM"[number // 10] + "BCDFGHJKLM"[number % 10]
        store.grants.add(code)
        assert (await ada.enter(code)).status == 200


@pytest.fixture
def with_typed(settings: Settings) -> Settings:
    """One client beside the television does not allow its codes in links."""
    return msgspec.structs.replace(settings, clients=(TV, TYPED))


async def test_to_open_a_link_is_no_guess(
    open_browser: OpenBrowser, with_typed: Settings, store: Store
) -> None:
    """A GET fills in the form and costs nothing, whatever clients there are."""
    ada = await open_browser(with_typed)
    await ada.sign_in()
    store.grants.add(CODE)
    for _ in range(3 * GUESSES_PER_LIFETIME):
        assert (await ada.open(f"/device?user_code={SHOWN}")).status == 200
        assert ada.typed == SHOWN
    assert store.grants.looked_up == [], "nothing is looked up, so nothing can be found out"
    await ada.submit("/device", user_code=SHOWN)
    assert (await ada.follow()).status == 200
    assert "Living-room TV" in ada.text
    assert guesses_of_ada(store) == (0, 0)


async def test_a_code_that_has_to_be_typed(
    open_browser: OpenBrowser, with_typed: Settings, store: Store
) -> None:
    """8628-5.4: the button below a code that a link filled in is not enough.

    It is one guess, however often it comes, and none once the person has typed the code.
    """
    ada = await open_browser(with_typed)
    await ada.sign_in()
    store.grants.add(CODE, client_id="typed")
    for _ in range(GUESSES_PER_LIFETIME + 1):
        await ada.open(f"/device?user_code={SHOWN}")
        await ada.submit("/device", user_code=SHOWN)
        await ada.follow()
        assert "This device wants you to type the code." in ada.text
        assert (ada.typed, SHOWN in ada.page) == ("", False)
        assert guesses_of_ada(store) == (1, 1), "one, until it is typed"
    assert store.grants.by_code[CODE].claimed_by is None
    await ada.submit("/device", user_code=SHOWN)
    assert (await ada.follow()).status == 200
    assert "Typed TV" in ada.text
    assert guesses_of_ada(store) == (0, 0)


async def test_codes_that_strangers_have_to_type_are_guesses(
    open_browser: OpenBrowser, with_typed: Settings, store: Store
) -> None:
    """Bob's forms call each guess filled in: hits are not free, even if nobody has claimed them."""
    bob = await open_browser(with_typed)
    await bob.sign_in("bob")
    await bob.open("/device")
    form = bob.hidden
    codes = [CODE[:-1] + letter for letter in "BCDFGHJKL"]
    for code in codes:
        store.grants.add(code, client_id="typed")
        await bob.post("/device", data=form | {"user_code": code, "filled_in": code})
        await bob.follow()
    assert bob.answer.status == 429
    assert len(codes) == GUESSES_PER_LIFETIME + 1


async def test_a_stranger_s_code_that_has_to_be_typed_is_a_guess(
    open_browser: OpenBrowser, with_typed: Settings, store: Store
) -> None:
    """Bob's forms call each guess filled in: a hit on Ada's code tells as little, and costs one."""
    bob = await open_browser(with_typed)
    await bob.sign_in("bob")
    store.grants.add(CODE, client_id="typed", claimed_by="sub-ada")
    for _ in range(GUESSES_PER_LIFETIME):
        await bob.open(f"/device?user_code={SHOWN}")
        await bob.submit("/device", user_code=SHOWN)
        assert (await bob.follow()).status == 409
        assert "Somebody else has entered this code" in bob.text
    await bob.open("/device")
    await bob.submit("/device", user_code=SHOWN, filled_in=SHOWN)
    assert (await bob.follow()).status == 429


@pytest.mark.parametrize("state", [State.CANCELLED, State.DENIED, State.APPROVED])
async def test_a_code_that_has_to_be_typed_and_is_answered_is_a_guess(
    open_browser: OpenBrowser, with_typed: Settings, store: Store, state: State
) -> None:
    bob = await open_browser(with_typed)
    await bob.sign_in("bob")
    store.grants.add(CODE, client_id="typed", claimed_by=None, state=state)
    await bob.open(f"/device?user_code={SHOWN}")
    await bob.submit("/device", user_code=SHOWN)
    assert (await bob.follow()).status == 409
    assert store.limits.counted("code.account", "sub-bob") == 1


async def test_a_code_that_was_typed_before_needs_no_typing(
    open_browser: OpenBrowser, with_typed: Settings, store: Store
) -> None:
    """The link again, after the account has typed the code: its own request is shown."""
    ada = await open_browser(with_typed)
    await ada.sign_in()
    store.grants.add(CODE, client_id="typed")
    await ada.enter(SHOWN)
    await ada.open(f"/device?user_code={SHOWN}")
    await ada.submit("/device", user_code=SHOWN)
    assert (await ada.follow()).status == 200
    assert "Connect Typed TV to your account?" in ada.text
    assert guesses_of_ada(store) == (0, 0)


@pytest.mark.parametrize(
    ("text", "wrong"),
    [("B", "short"), ("BCDF-GHJ", "short"), ("BCDFGHJKLMNPQRS", "long"), ("W" * 200, "long")],
)
async def test_a_code_of_a_wrong_length_is_no_guess(
    ada: Browser, store: Store, text: str, wrong: str
) -> None:
    """What is wrong is said, nothing is looked up, nothing counts."""
    for _ in range(GUESSES_PER_LIFETIME + 1):
        assert (await ada.enter(text)).status == 400
    assert f"It is too {wrong}: a code has 8 to 14 characters." in ada.text
    assert (f"You typed {text} ." in ada.text) == (wrong == "short")
    await ada.submit("/device", user_code=text, decision="approve")
    assert (await ada.follow()).status == 410
    assert store.grants.looked_up == []
    assert guesses_of_ada(store) == (0, 0)


async def test_the_window_is_as_long_as_the_longest_life_of_a_code(
    open_browser: OpenBrowser, settings: Settings
) -> None:
    slow = Client(client_id="slow", name="Slow TV", lifetime_s=3600)
    ada = await open_browser(msgspec.structs.replace(settings, clients=(TV, slow)))
    await ada.sign_in()
    for _ in range(GUESSES_PER_LIFETIME + 1):
        await ada.enter("LMNP-QRST")
    assert (ada.answer.status, ada.answer.headers["Retry-After"]) == (429, "3600")


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
    assert store.limits.keys("code.address") == {"2001:db8:0:7::/64"}
    assert store.limits.counted("code.address", "2001:db8:0:7::/64") == 2


async def test_a_forged_header_changes_no_limit(ada: Browser, store: Store) -> None:
    """9700-4.13-a: without a configured proxy the header means nothing."""
    await ada.open("/device")
    fields = ada.hidden | {"user_code": "LMNP-QRST"}
    await ada.post("/device", data=fields, headers={"X-Forwarded-For": "192.0.2.66"})
    assert store.limits.keys("code.address") == {HERE}


# Passwords


@pytest.mark.parametrize("username", ["ada", "nobody"])
async def test_guesses_at_one_account_are_slowed_down(
    browser: Browser, store: Store, username: str
) -> None:
    """Sign-in brute force: the same limit for users that there are and that there are not."""
    for _ in range(SIGN_IN_ACCOUNT_ADDRESS.limit):
        assert (await browser.sign_in(username, "wrong")).status == 403
    answer = await browser.sign_in(username.upper(), username)
    assert (answer.status, answer.headers["Retry-After"]) == (429, "1")
    assert "Nothing is locked for good." in browser.text
    checked = len(store.users.verified)
    assert checked == SIGN_IN_ACCOUNT_ADDRESS.limit, "no password is checked any more"
    assert (await browser.sign_in("bob")).status == 303, "others are not punished"
    store.grants.now += 1
    assert (await browser.sign_in(username)).status in {303, 403}, "after the pause it is"


async def test_right_passwords_do_not_count(open_browser: OpenBrowser, store: Store) -> None:
    """A person may sign in for every television, each with a new browser."""
    for _ in range(SIGN_IN_ACCOUNT_ADDRESS.limit + 5):
        assert (await (await open_browser()).sign_in()).status == 303
    assert store.limits.counted("sign-in.account-address", f"{HERE} ada") == 0
    assert store.limits.counted("sign-in.account", "ada") == 0
    assert store.limits.counted("sign-in.address", HERE) == 0


async def test_a_success_resets_no_count(browser: Browser, store: Store) -> None:
    """A success that resets the limit (mistakes of others)."""
    await browser.sign_in("ada", "wrong")
    await browser.sign_in("ada")
    assert store.limits.counted("sign-in.account", "ada") == 1


async def test_refused_attempts_do_not_count(browser: Browser, store: Store) -> None:
    store.limits.fill("sign-in.account", "ada", 300)
    for _ in range(9):
        assert (await browser.sign_in("ada", "wrong")).status == 429
    assert store.limits.counted("sign-in.account", "ada") == 300
    assert store.limits.counted("sign-in.address", HERE) == 0


async def test_guesses_from_one_network_are_slowed_down(browser: Browser, store: Store) -> None:
    store.limits.fill("sign-in.address", HERE, SIGN_IN_ADDRESS.limit)
    for number in range(9):
        assert (await browser.sign_in(f"user-{number}")).status == 429
    assert store.limits.keys("sign-in.account") == set(), "refused attempts leave nothing behind"


async def test_a_browser_that_has_signed_in_before_is_not_held_up(
    browser: Browser, store: Store
) -> None:
    """A stranger cannot lock a person out: not from elsewhere, and not from the same address."""
    await browser.sign_in("ada")
    await sign_out(browser)
    store.limits.fill("sign-in.account", "ada", 300)
    store.limits.fill("sign-in.account-address", f"{HERE} ada", 300)
    store.limits.fill("sign-in.address", HERE, 300)
    assert (await browser.sign_in("Ada", "wrong")).status == 403
    assert (await browser.sign_in("ada")).status == 303
    await sign_out(browser)
    assert (await browser.sign_in("bob")).status == 429, "known for one account only"


async def test_a_known_browser_has_a_limit_of_its_own(browser: Browser) -> None:
    await browser.sign_in("ada")
    await sign_out(browser)
    for _ in range(SIGN_IN_ACCOUNT_ADDRESS.limit):
        assert (await browser.sign_in("ada", "wrong")).status == 403
    assert (await browser.sign_in("ada")).status == 429
    assert "A browser in which you have signed in before" not in browser.text


@pytest.mark.parametrize(
    "spelling",
    ["ada", "ADA", " ada ", "\uff41\uff44\uff41"],
    ids=["as is", "case", "blanks", "wide"],
)
def test_every_spelling_of_a_name_is_one_account(spelling: str) -> None:
    assert account_key(spelling) == "ada"


# The page


@pytest.mark.parametrize(
    ("age_s", "wait", "hint"),
    [
        (0, "10 minutes", "The code on your device will have expired by then"),
        (290, "6 minutes", "will probably have expired by then"),
        (301, "5 minutes", "If your device shows a new code by then, enter the new one."),
        (570, "30 seconds", "If your device shows a new code by then, enter the new one."),
    ],
)
async def test_the_page_says_what_becomes_of_the_code(
    ada: Browser, store: Store, age_s: int, wait: str, hint: str
) -> None:
    """How long, and whether the code will have expired; nothing says "a little" of an hour."""
    store.limits.fill("code.account", "sub-ada", GUESSES_PER_LIFETIME)
    store.grants.now += age_s
    assert (await ada.enter(SHOWN)).status == 429
    assert f"Please wait {wait}" in ada.text
    assert f"Wait {wait}, then try again." in ada.text
    assert hint in ada.text
    carried = "" if age_s == 0 else f"?user_code={SHOWN}"
    assert f'href="/device{carried}"' in ada.page, "to a form that costs nothing"


async def test_the_page_of_the_sign_in_keeps_the_code(browser: Browser, store: Store) -> None:
    store.limits.fill("sign-in.address", HERE, SIGN_IN_ADDRESS.limit)
    await browser.open(f"/login?user_code={SHOWN}")
    answer = await browser.send_password(username="ada", password="ada")
    assert (answer.status, answer.headers["Retry-After"]) == (429, "1800")
    assert "Please wait 30 minutes" in browser.text
    assert "The code on your device will have expired by then" in browser.text
    assert "A browser in which you have signed in before does not have to wait" in browser.text
    assert f'href="/login?user_code={SHOWN}"' in browser.page


async def test_the_page_of_the_sign_in_without_a_code(browser: Browser, store: Store) -> None:
    store.limits.fill("sign-in.address", HERE, SIGN_IN_ADDRESS.limit)
    await browser.sign_in()
    assert browser.answer.status == 429
    assert "code" not in browser.text


# A wave of wrong codes


async def test_in_a_wave_an_account_may_try_fewer_codes(ada: Browser, store: Store) -> None:
    store.grants.wrong = 1000
    for _ in range(CODES_IN_A_WAVE):
        await ada.open("/device")
        assert "Code not accepted" in (await see(ada, "LMNPQRST"))
    assert "Please wait 10 minutes" in await see(ada, "LMNPQRST")
    assert ada.answer.status == 429
    store.grants.now += 1
    store.grants.wrong = 0
    assert "Code not accepted" in await see(ada, "LMNPQRST"), "the wave is over"


async def test_in_a_wave_a_right_code_begins_anew(ada: Browser, store: Store) -> None:
    store.grants.wrong = 1000
    store.grants.add("WDJBMJHT")
    for _ in range(2):
        for _ in range(CODES_IN_A_WAVE - 1):
            await see(ada, "LMNPQRST")
        await see(ada, "WDJBMJHT")
        assert ada.answer.status == 200
    assert store.limits.counted("code.wave", "sub-ada") == 0
    assert store.limits.counted("code.account", "sub-ada") == 2 * (CODES_IN_A_WAVE - 1)


async def see(browser: Browser, code: str) -> str:
    """Enter a code, and return the page that follows."""
    await browser.open("/device")
    await browser.submit("/device", user_code=code)
    await browser.follow()
    return browser.page
