"""The verification page: who may look a code up, what is shown, and what a decision does."""

import msgspec
import pytest

from deviceflow.config import Settings
from deviceflow.core.client import Client
from deviceflow.core.grant import Event, State
from deviceflow.core.user_code import NUMERIC, UserCodeFormat
from deviceflow.store.grants import GUESSES_PER_LIFETIME
from tests.stage.pages import Browser, OpenBrowser, Store

CODE = "WDJBMJHT"
SHOWN = "WDJB-MJHT"


# Before a code is looked up


async def test_a_stranger_signs_in_before_a_code_is_looked_up(
    browser: Browser, store: Store
) -> None:
    """RFC 8628 5.4, DESIGN: nobody learns anything about a code without an account."""
    store.grants.add(CODE)
    answer = await browser.open(f"/device?user_code={SHOWN}")
    assert (answer.status, answer.headers["Location"]) == (303, f"/login?user_code={SHOWN}")
    assert store.grants.looked_up == []


async def test_a_stranger_without_a_code_goes_to_sign_in_too(browser: Browser) -> None:
    answer = await browser.open("/device")
    assert (answer.status, answer.headers["Location"]) == (303, "/login")


async def test_somebody_whose_session_is_over_keeps_the_code_that_was_typed(
    ada: Browser, store: Store
) -> None:
    store.grants.add(CODE)
    await ada.open("/device")
    store.sessions.by_id.clear()
    answer = await ada.submit("/device", user_code="wdjb mjht")
    assert (answer.status, answer.headers["Location"]) == (303, f"/login?user_code={SHOWN}")
    assert store.grants.looked_up == []


async def test_somebody_disabled_since_the_sign_in_is_signed_out(
    ada: Browser, store: Store
) -> None:
    """A user locked in the meantime decides nothing (mistakes of others)."""
    store.grants.add(CODE)
    await ada.enter(SHOWN)
    account = store.users.accounts["ada"]
    store.users.accounts["ada"] = msgspec.structs.replace(account, disabled=True)
    answer = await ada.submit("/device", decision="approve")
    assert answer.status == 303
    assert store.grants.decisions == []


@pytest.mark.parametrize(
    "text", ["//evil.example", "https://evil.example/", "\r\nX-Evil: 1", "%00"]
)
async def test_only_a_code_is_carried_along(browser: Browser, text: str) -> None:
    """9700-4.11.2-a: no open redirection; continuation by a code, never by an address."""
    answer = await browser.open("/device", params={"user_code": text})
    assert answer.status == 303
    assert "evil" not in answer.headers["Location"].lower()
    assert answer.headers["Location"].startswith("/login")
    assert "X-Evil" not in answer.headers


# The form


async def test_the_form_needs_no_code_in_the_address(ada: Browser, store: Store) -> None:
    """8628-3.3-a: the bare verification URI leads to a form."""
    store.grants.add(CODE)
    answer = await ada.open("/device")
    assert answer.status == 200
    assert ada.typed == ""
    await ada.submit("/device", user_code=SHOWN)
    assert "Connect Living-room TV to your account?" in ada.text


async def test_a_code_in_the_address_only_fills_in_the_form(ada: Browser, store: Store) -> None:
    """8628-3.3.1-a: GET changes nothing; the person still presses a button and compares."""
    before = store.grants.add(CODE)
    await ada.open(f"/device?user_code={SHOWN}")
    assert ada.typed == SHOWN
    assert "Is this the code on your device?" in ada.text
    assert store.grants.by_code[CODE] == before
    assert store.grants.looked_up == []


async def test_approving_by_address_is_impossible(ada: Browser, store: Store) -> None:
    """8628-3.3.1-a: not even for a request that this account has claimed."""
    store.grants.add(CODE)
    await ada.enter(SHOWN)
    await ada.open(f"/device?user_code={SHOWN}&decision=approve&csrf_token=x")
    assert store.grants.by_code[CODE].state is State.PENDING


async def test_a_code_of_a_strict_client_has_to_be_typed(
    open_browser: OpenBrowser, store: Store, settings: Settings
) -> None:
    """A link cannot stand in for the device's screen where the client says so."""
    bank = Client(client_id="bank", name="Bank", verification_uri_complete=False)
    clients = (*settings.clients, bank)
    ada = await open_browser(msgspec.structs.replace(settings, clients=clients))
    await ada.sign_in()
    store.grants.add(CODE, client_id="bank")
    store.grants.add("BCDFGHJK")
    await ada.open(f"/device?user_code={SHOWN}")
    assert ada.typed == ""
    await ada.open("/device?user_code=BCDF-GHJK")
    assert ada.typed == "BCDF-GHJK"
    for _ in range(GUESSES_PER_LIFETIME):
        await ada.open("/device?user_code=BCDF-GHJK")
    assert ada.typed == "", "looking up for the form is a guess like any other"


async def test_a_client_of_the_store_may_have_its_code_typed(ada: Browser, store: Store) -> None:
    """From the moment that this worker knows of it."""
    store.grants.add(CODE, client_id="bank")
    await ada.open(f"/device?user_code={SHOWN}")
    assert ada.typed == SHOWN
    store.clients.adopt([Client(client_id="bank", name="Bank", verification_uri_complete=False)])
    await ada.open(f"/device?user_code={SHOWN}")
    assert ada.typed == ""


@pytest.mark.parametrize(
    "text",
    [
        "WDJB-MJHT",
        "wdjb mjht",
        "wdjbmjht",
        "  Wdjb_Mjht. ",
        "\uff37\uff24\uff2a\uff22-mjht",
        "WDJB\u2013MJHT",
    ],
)
async def test_a_code_may_be_typed_in_many_ways(ada: Browser, store: Store, text: str) -> None:
    """8628-6.1-a: case is folded, punctuation stripped."""
    store.grants.add(CODE)
    await ada.enter(text)
    assert SHOWN in ada.text
    assert store.grants.by_code[CODE].claimed_by == "sub-ada"


async def test_codes_of_digits_get_a_number_pad(
    open_browser: OpenBrowser, store: Store, settings: Settings
) -> None:
    form = UserCodeFormat(alphabet=NUMERIC, length=9, group=3)
    device = msgspec.structs.replace(settings.device, user_code=form)
    ada = await open_browser(msgspec.structs.replace(settings, device=device))
    await ada.sign_in()
    store.grants.add("019450730")
    await ada.open("/device")
    assert 'inputmode="numeric"' in ada.page
    await ada.submit("/device", user_code="o19 450 73O")
    assert "019-450-730" in ada.text


async def test_a_client_may_have_a_code_format_of_its_own(
    open_browser: OpenBrowser, store: Store, settings: Settings
) -> None:
    form = UserCodeFormat(alphabet=NUMERIC, length=9, group=3)
    radio = Client(client_id="radio", name="Radio", user_code=form)
    ada = await open_browser(msgspec.structs.replace(settings, clients=(*settings.clients, radio)))
    await ada.sign_in()
    store.grants.add("019450730", client_id="radio")
    store.grants.add(CODE)
    await ada.enter("019 450 730")
    assert "019-450-730" in ada.text
    await ada.enter("wdjb mjht")
    assert SHOWN in ada.text
    await ada.open("/device")
    assert 'inputmode="text"' in ada.page


async def test_a_client_of_the_store_may_have_a_code_format_of_its_own(
    browser: Browser, store: Store
) -> None:
    """The code is carried through the sign-in, too."""
    store.grants.add("019450730", client_id="radio")
    form = UserCodeFormat(alphabet=NUMERIC, length=9, group=3)
    store.clients.adopt([Client(client_id="radio", name="Radio", user_code=form)])
    answer = await browser.open("/login?user_code=019450730")
    assert answer.status == 200
    assert "0194-5073-0" in browser.page
    await browser.sign_in()
    await browser.enter("019 450 730")
    assert "019-450-730" in browser.text


# Codes that cannot be used


async def test_there_is_one_answer_for_every_code_that_cannot_be_used(
    ada: Browser, store: Store
) -> None:
    """No oracle: unknown, expired, mistyped and empty codes cannot be told apart."""
    store.grants.add("BCDFGHJK", expires_at=store.grants.now)
    answers = set()
    for text in ["LMNPQRST", "BCDF-GHJK", "AAAA", "€uro", "W" * 200, ""]:
        answer = await ada.enter(text)
        answers.add((answer.status, ada.page.replace(f'value="{text}"', 'value=""')))
    assert [status for status, _ in answers] == [400]
    assert "This code cannot be used." in ada.text
    assert "A code lives for 10 minutes" in ada.text
    assert "get a new one on the device" in ada.text


async def test_what_was_typed_stays_and_is_escaped(ada: Browser) -> None:
    """6749-10.14-a: what comes in goes out as text."""
    await ada.enter('"><script>alert(1)</script>')
    assert ada.typed == '"><script>alert(1)</script>'
    assert "<script" not in ada.page


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


# The confirmation


async def test_the_request_is_shown_truthfully(ada: Browser, store: Store) -> None:
    """8628-5.4-a, 6749-10.2-a: application, code, scopes in words, lifetime, device, time."""
    store.grants.add(CODE)
    answer = await ada.enter(SHOWN)
    assert answer.status == 200
    for words in (
        "Connect Living-room TV to your account?",
        SHOWN,
        "Your device must show this code now",
        "Nobody should have sent you this code. If you got it in a message or a call, choose Deny.",
        "Know who you are",
        "See your name & picture",
        "For up to 1 hour",
        "203.0.113.7 not the network you are on now",
        "NebulaTV 4.2",
        "2 minutes ago 5 Nov 2026, 14:01 UTC",
        "The code ends in 8 minutes",
        "Signed in as Ada Lovelace (ada)",
    ):
        assert words in ada.text


async def test_deny_is_as_easy_as_approve(ada: Browser, store: Store) -> None:
    """8628-3.3.1-a, 8628-5.4-a: two buttons of one size, deny first, none of them focused."""
    store.grants.add(CODE)
    await ada.enter(SHOWN)
    deny, approve = ada.page.index('value="deny"'), ada.page.index('value="approve"')
    assert deny < approve
    assert "autofocus" not in ada.page


async def test_the_lifetime_of_a_refresh_token_is_told(ada: Browser, store: Store) -> None:
    """6749-10.2-a, OIDC-11-a: the consent to stay signed in, and its lifetime."""
    store.grants.add(CODE, scope="openid offline_access")
    await ada.enter(SHOWN)
    assert "Stay signed in without asking you again" in ada.text
    assert "For up to 180 days" in ada.text


async def test_a_request_without_scopes_and_from_the_same_network(
    ada: Browser, store: Store
) -> None:
    store.grants.add(CODE, scope="", address="127.0.0.1", user_agent="")
    await ada.enter(SHOWN)
    assert "gets no other access" in ada.text
    assert "127.0.0.1 the network you are on now" in ada.text
    assert "Calls itself" not in ada.text


async def test_what_a_device_says_of_itself_is_text(ada: Browser, store: Store) -> None:
    """CONFORMANCE 4, XSS: client and device names are escaped, broken bytes are no error."""
    store.grants.add(CODE, user_agent="<img/src=x>\udcff\n", scope="<b>")
    answer = await ada.enter(SHOWN)
    assert answer.status == 200
    assert "<img src=x" not in ada.page
    assert "&lt;b&gt;" in ada.page


async def test_consent_is_asked_for_every_time(ada: Browser, store: Store) -> None:
    """8628-5.6-a, 6749-10.2-a: an earlier approval decides nothing."""
    store.grants.add(CODE)
    await ada.enter(SHOWN)
    await ada.submit("/device", decision="approve")
    store.grants.add("BCDFGHJK")
    await ada.enter("BCDF-GHJK")
    assert "Connect Living-room TV to your account?" in ada.text
    assert store.grants.by_code["BCDFGHJK"].state is State.PENDING


async def test_the_page_may_be_shown_again_to_the_same_account(ada: Browser, store: Store) -> None:
    store.grants.add(CODE)
    for _ in range(2):
        answer = await ada.enter(SHOWN)
        assert (answer.status, SHOWN in ada.text) == (200, True)


# Decisions


async def test_approve(ada: Browser, store: Store) -> None:
    """8628-3.3-a: the person approves, and the grant knows who it was."""
    store.grants.add(CODE)
    await ada.enter(SHOWN)
    answer = await ada.submit("/device", decision="approve")
    assert answer.status == 200
    assert "You can go back to your device" in ada.text
    [(event, subject)] = store.grants.decisions
    assert event is Event.APPROVE
    assert subject is not None
    assert (subject.sub, subject.username, subject.name) == ("sub-ada", "ada", "Ada Lovelace")
    assert (subject.auth_time, subject.amr) == (store.grants.now, ("pwd",))


async def test_deny(ada: Browser, store: Store) -> None:
    """8628-3.5-c: a denial is a decision of its own."""
    store.grants.add(CODE)
    await ada.enter(SHOWN)
    answer = await ada.submit("/device", decision="deny")
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
    answer = await ada.submit("/device", user_code=SHOWN, decision=decision)
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
    answer = await bob.submit("/device", user_code=SHOWN, decision=decision)
    assert answer.status == 409
    assert store.grants.decisions == []
    assert store.grants.by_code[CODE].claimed_by == "sub-ada"


async def test_two_accounts_at_the_same_moment(bob: Browser, store: Store) -> None:
    """The store decides who was first, not what this page had read before."""
    stale = store.grants.add(CODE)
    await store.grants.claim(stale, "sub-ada")

    async def find(_: str) -> object:
        return stale

    store.grants.find = find  # type: ignore[assignment, method-assign]
    answer = await bob.enter(SHOWN)
    assert answer.status == 409
    assert "Somebody else has entered this code" in bob.text


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (State.APPROVED, "You have approved this request"),
        (State.REDEEMED, "You have approved this request"),
        (State.DENIED, "You have denied this request"),
        (State.CANCELLED, "have ended this request"),
    ],
)
async def test_a_request_is_answered_once(
    ada: Browser, store: Store, state: State, words: str
) -> None:
    """A late approval revives nothing (mistakes of others)."""
    store.grants.add(CODE)
    await ada.enter(SHOWN)
    fields = ada.hidden
    store.grants.add(CODE, state=state, claimed_by="sub-ada")
    await ada.post("/device", data=fields | {"decision": "approve"})
    assert (ada.answer.status, words in ada.text) == (409, True)
    await ada.enter(SHOWN)
    assert (ada.answer.status, words in ada.text) == (409, True)
    assert store.grants.by_code[CODE].state is state


@pytest.mark.parametrize("decision", ["approve", "deny"])
async def test_a_decision_that_comes_too_late(ada: Browser, store: Store, decision: str) -> None:
    """8628-3.5-c: nothing is approved after expiry."""
    store.grants.add(CODE)
    await ada.enter(SHOWN)
    store.grants.now += 600
    answer = await ada.submit("/device", decision=decision)
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
    answer = await ada.submit("/device", decision="approve")
    assert answer.status == 410
    assert store.grants.decisions == []


async def test_an_unknown_decision_is_no_decision(ada: Browser, store: Store) -> None:
    store.grants.add(CODE)
    await ada.enter(SHOWN)
    answer = await ada.submit("/device", decision="maybe")
    assert answer.status == 400
    assert store.grants.decisions == []


# Clients that may not


@pytest.mark.parametrize("client_id", ["gone", "off"])
async def test_a_client_that_is_unknown_or_disabled(
    open_browser: OpenBrowser, store: Store, settings: Settings, client_id: str
) -> None:
    off = Client(client_id="off", name="Old TV", enabled=False)
    ada = await open_browser(msgspec.structs.replace(settings, clients=(*settings.clients, off)))
    await ada.sign_in()
    store.grants.add(CODE, client_id=client_id)
    answer = await ada.enter(SHOWN)
    assert answer.status == 403
    assert "This application cannot be connected" in ada.text
    assert store.grants.by_code[CODE].claimed_by is None


async def test_a_client_disabled_after_the_look_can_be_denied_only(
    ada: Browser, store: Store
) -> None:
    store.grants.add(CODE, client_id="gone", claimed_by="sub-ada")
    await ada.open("/device")
    await ada.submit("/device", user_code=SHOWN, decision="approve")
    assert (ada.answer.status, store.grants.decisions) == (403, [])
    await ada.open("/device")
    await ada.submit("/device", user_code=SHOWN, decision="deny")
    assert ada.answer.status == 200
    assert store.grants.by_code[CODE].state is State.DENIED


async def test_the_store_out_of_reach(ada: Browser, store: Store) -> None:
    """Redis unreachable: a 503 page that says so, and nothing is lost."""
    await ada.open("/device")
    store.grants.is_down = True
    answer = await ada.submit("/device", user_code=SHOWN)
    assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
    assert "Nothing that was confirmed before is lost" in ada.text
