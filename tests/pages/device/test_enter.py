"""The form for a code: who sees it, what stands in it, and which codes it takes."""

from copy import deepcopy
from html import unescape
from urllib.parse import unquote_plus

import msgspec
import pytest

from deviceflow.config import Settings
from deviceflow.core.client import Client
from deviceflow.core.grant import State
from deviceflow.core.user_code import NUMERIC, UserCodeFormat
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
    assert answer.status == 303
    assert answer.headers["Location"] == f"/login?user_code={SHOWN}&notice=ended"
    assert store.grants.looked_up == []
    await ada.follow()
    assert "You are no longer signed in." in ada.text
    assert "nothing was decided" in ada.text


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
    await ada.follow()
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


async def test_a_client_of_the_store_may_have_its_code_typed(ada: Browser, store: Store) -> None:
    """From the moment that this worker knows of it: the button below a link's code does nothing."""
    store.grants.add(CODE, client_id="bank")
    bank = Client(client_id="bank", name="Bank", verification_uri_complete=False)
    store.clients.adopt([bank])
    await ada.open(f"/device?user_code={SHOWN}")
    await ada.submit("/device", user_code=SHOWN)
    await ada.follow()
    assert "This device wants you to type the code." in ada.text
    store.clients.adopt([msgspec.structs.replace(bank, verification_uri_complete=True)])
    await ada.open(f"/device?user_code={SHOWN}")
    await ada.submit("/device", user_code=SHOWN)
    await ada.follow()
    assert "This device wants you to type the code." not in ada.text
    assert store.grants.by_code[CODE].claimed_by == "sub-ada"


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
    await ada.follow()
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
    assert "019-450-730" in browser.page
    await browser.sign_in()
    await browser.enter("019 450 730")
    assert "019-450-730" in browser.text


@pytest.mark.parametrize("text", ["519-691-993", "519691993"])
async def test_before_the_look_up_a_code_stands_as_the_device_shows_it(
    open_browser: OpenBrowser, store: Store, settings: Settings, text: str
) -> None:
    form = UserCodeFormat(alphabet=NUMERIC, length=9, group=3)
    radio = Client(client_id="radio", name="Radio", user_code=form)
    ada = await open_browser(msgspec.structs.replace(settings, clients=(*settings.clients, radio)))
    answer = await ada.open(f"/device?user_code={text}")
    assert answer.headers["Location"] == "/login?user_code=519-691-993"
    await ada.sign_in()
    await ada.open(f"/device?user_code={text}")
    assert ada.typed == "519-691-993"
    assert store.grants.looked_up == []


async def test_the_example_is_as_long_as_codes_are_now(ada: Browser, store: Store) -> None:
    for growth, example in ((0, "FNWG-PXHQ"), (2, "FNWGP-XHQZJ"), (4, "FNWG-PXHQ-ZJRB")):
        store.grants.growth = growth
        await ada.open("/device")
        assert f'placeholder="{example}"' in ada.page


async def test_without_the_store_the_example_is_as_long_as_configured(
    ada: Browser, store: Store
) -> None:
    store.grants.is_down = True
    answer = await ada.open("/device")
    assert answer.status == 200
    assert 'placeholder="FNWG-PXHQ"' in ada.page


# Codes that cannot be used


async def test_there_is_one_answer_for_every_code_that_cannot_be_used(
    ada: Browser, store: Store
) -> None:
    """No oracle: unknown, expired and mistyped codes cannot be told apart."""
    store.grants.add("BCDFGHJK", expires_at=store.grants.now)
    answers = set()
    typed = {"lmnpqrst": "LMNP-QRST", "BCDF-GHJK": "BCDF-GHJK"}
    for text in [*typed, "AAAA-AAAA", "\u00e4uro-9999", ""]:
        answer = await ada.enter(text)
        said = f'<p>You typed <strong class="typed" dir="ltr">{typed.get(text)}</strong>.</p>'
        assert (said in ada.page) == (text in typed)
        page = "".join(ada.page.replace(said, "").split())
        answers.add((answer.status, page))
    assert [status for status, _ in answers] == [400]
    assert "This code cannot be used." in ada.text
    assert "A code lives for 10 minutes" in ada.text
    assert "get a new one on the device" in ada.text


@pytest.mark.parametrize(
    "text", ["hunter2!", "correct horse battery staple", '"><script>alert(1)</script>', "Pa55word"]
)
@pytest.mark.parametrize("decision", [{}, {"decision": "approve"}])
async def test_a_password_in_the_wrong_field_is_not_repeated(
    ada: Browser, text: str, decision: dict[str, str]
) -> None:
    """Neither on the page nor in an address, which histories and logs keep (6749-10.14-a)."""
    await ada.open("/device")
    answer = await ada.submit("/device", user_code=text, **decision)
    while answer.status == 303:
        location = unquote_plus(answer.headers["Location"])
        assert not [word for word in (text, *text.split()) if word.lower() in location.lower()]
        answer = await ada.open(location)
    assert answer.status in {400, 410}
    assert text not in unescape(ada.page)
    assert "You typed" not in ada.text


async def test_a_wrong_code_leaves_a_field_that_is_ready_to_type(ada: Browser) -> None:
    answer = await ada.enter("bbbb-bbbb")
    assert answer.status == 400
    assert ada.title.startswith("Code not accepted")
    assert "You typed BBBB-BBBB ." in ada.text
    assert ada.typed == ""
    assert "autofocus" in ada.page
    assert "Signed in as Ada Lovelace" in ada.text


async def test_no_text_message_is_offered_for_the_code(ada: Browser) -> None:
    """`one-time-code` offers the code of the last text message, which somebody has sent."""
    await ada.open("/device")
    assert 'autocomplete="off"' in ada.page
    assert "one-time-code" not in ada.page


async def test_a_wrong_code_that_is_loaded_again_spends_no_guess(
    ada: Browser, store: Store
) -> None:
    """POST, 303, GET: reload, Back and Forward only read what the POST has found out."""
    await ada.enter("BBBB-BBBB")
    spent, looked_up = deepcopy(store.limits.tries), len(store.grants.looked_up)
    wrong = ada.answer.url.path_qs
    for _ in range(3):
        await ada.open("/device")
        answer = await ada.open(wrong)
        assert (answer.status, "You typed BBBB-BBBB" in ada.text) == (400, True)
    assert store.limits.tries == spent
    assert len(store.grants.looked_up) == looked_up


async def test_a_link_cannot_say_that_a_code_was_wrong(ada: Browser, bob: Browser) -> None:
    """Only the browser that sent the code is told, so no link puts words on this page."""
    await ada.enter("LMNP-QRST")
    await bob.open(ada.answer.url.path_qs)
    assert bob.answer.status == 200
    assert "LMNP" not in bob.text
    await ada.open(ada.answer.url.path_qs.replace("LMNP", "LMNN"))
    assert ada.answer.status == 200
    assert "LMNN" not in ada.text


async def test_the_store_out_of_reach(ada: Browser, store: Store) -> None:
    """Redis unreachable: a 503 page that says so, and nothing is lost."""
    await ada.open("/device")
    store.grants.is_down = True
    answer = await ada.submit("/device", user_code=SHOWN)
    assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
    assert "Nothing that was confirmed before is lost" in ada.text
    assert f'href="/device?user_code={SHOWN}"' in ada.page, "the code survives"
