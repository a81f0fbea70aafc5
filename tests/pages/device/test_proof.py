"""A proof of work in place of a pause, while guessers are at work."""

import re

import msgspec
import pytest

from deviceflow.config import Settings
from deviceflow.core import base64url
from deviceflow.core.client import Client
from deviceflow.core.proof_of_work import find_answer, is_answer
from deviceflow.pages.challenges import LIVES_S
from deviceflow.policy.rules import CODES_IN_A_WAVE
from tests.stage.pages import POLICY, TV, Browser, OpenBrowser, Store, check_headers

BITS = 6
WRONG, CODE, SHOWN = "LMNPQRST", "WDJBMJHT", "WDJB-MJHT"
TYPED = Client(client_id="typed", name="Bank terminal", verification_uri_complete=False)


@pytest.fixture
def settings(settings: Settings) -> Settings:
    device = msgspec.structs.replace(settings.device, wave_proof_bits=BITS)
    return msgspec.structs.replace(settings, device=device, clients=(TV, TYPED))


@pytest.fixture
async def ada(open_browser: OpenBrowser, settings: Settings, store: Store) -> Browser:
    """Ada, who has typed as many wrong codes as she may in a wave."""
    browser = await open_browser(settings)
    await browser.sign_in("ada")
    store.grants.add(CODE)
    store.grants.wrong = 1000
    for _ in range(CODES_IN_A_WAVE):
        await browser.enter(WRONG)
    return browser


async def meet_proof(browser: Browser, code: str = CODE) -> str:
    """Type a code, and be led to the page with the proof; return its challenge."""
    await browser.open("/device")
    await browser.submit("/device", user_code=code)
    assert browser.answer.headers["Location"].startswith("/device/proof?")
    await browser.follow()
    found = re.search(r'data-challenge="([\w-]+)"', browser.page)
    assert found
    return found[1]


async def test_a_proof_goes_past_the_pause(ada: Browser, store: Store) -> None:
    challenge = await meet_proof(ada)
    assert (ada.answer.status, ada.answer.headers["Retry-After"]) == (429, "600")
    assert CODE not in store.grants.looked_up
    answer = await ada.submit("/device", proof_answer=find_answer(challenge, BITS))
    assert answer.headers["Location"] == f"/device/confirm?user_code={SHOWN}"


async def test_the_page_says_what_to_do_without_a_script(ada: Browser) -> None:
    await meet_proof(ada)
    check_headers(ada.answer, policy=f"{POLICY}; script-src 'self'")
    assert "enter your code again in 10 minutes" in ada.text
    assert f'href="/device?user_code={SHOWN}"' in ada.page
    assert re.search(r"<form[^>]*data-challenge[^>]* hidden>", ada.page)


async def test_each_proof_is_good_for_one_code(ada: Browser, store: Store) -> None:
    challenge = await meet_proof(ada, WRONG)
    fields = ada.hidden | {"proof_answer": find_answer(challenge, BITS)}
    await ada.post("/device", data=fields)
    await ada.follow()
    assert "Code not accepted" in ada.page
    before = len(store.grants.looked_up)
    await ada.post("/device", data=fields | {"user_code": CODE})
    assert ada.answer.headers["Location"].startswith("/device/proof?")
    assert len(store.grants.looked_up) == before


async def test_proofs_leave_the_other_limits_as_they_are(ada: Browser) -> None:
    for _ in range(8 - CODES_IN_A_WAVE):
        challenge = await meet_proof(ada, WRONG)
        await ada.submit("/device", proof_answer=find_answer(challenge, BITS))
    await ada.open("/device")
    await ada.submit("/device", user_code=CODE)
    assert ada.answer.headers["Location"].startswith("/device?")
    await ada.follow()
    assert (ada.answer.status, "Please wait" in ada.text) == (429, True)


@pytest.mark.parametrize("fault", ["none", "wrong", "no number", "challenge", "late"])
async def test_another_answer_is_none(ada: Browser, store: Store, fault: str) -> None:
    challenge = await meet_proof(ada)
    answer, sent = find_answer(challenge, BITS), challenge
    match fault:
        case "none":
            answer = ""
        case "wrong":
            answer = next(str(n) for n in range(999) if not is_answer(challenge, str(n), BITS))
        case "no number":
            answer = f"{answer}x"
        case "challenge":
            sent = base64url.encode(bytes(56))
            answer = find_answer(sent, BITS)
        case "late":
            store.grants.now += LIVES_S
            store.limits.fill("code.wave", "sub-ada", CODES_IN_A_WAVE)
    await ada.submit("/device", proof_challenge=sent, proof_answer=answer)
    assert ada.answer.headers["Location"].startswith("/device/proof?")
    assert CODE not in store.grants.looked_up


@pytest.mark.parametrize("sent", ["=", "a", "\u00e9", "a" * 5000])
async def test_what_is_no_challenge_is_refused(ada: Browser, sent: str) -> None:
    await meet_proof(ada)
    answer = await ada.submit("/device", proof_challenge=sent[:900], proof_answer="1")
    assert answer.headers["Location"].startswith("/device/proof?")


async def test_a_proof_is_for_one_person(ada: Browser, store: Store) -> None:
    """The challenge of one session is no good in another one."""
    challenge = await meet_proof(ada)
    answer = find_answer(challenge, BITS)
    store.limits.fill("code.wave", "sub-bob", CODES_IN_A_WAVE)
    await ada.open("/logout")
    await ada.submit("/logout")
    await ada.sign_in("bob")
    await ada.open("/device")
    fields = {"user_code": CODE, "proof_challenge": challenge, "proof_answer": answer}
    await ada.submit("/device", **fields)
    assert ada.answer.headers["Location"].startswith("/device/proof?")


async def test_a_proof_makes_no_typed_code_of_a_link(ada: Browser, store: Store) -> None:
    """RFC 8628 5.4: the code of this client has to be typed."""
    store.grants.add("BCDFGHJK", client_id="typed")
    await ada.open("/device?user_code=BCDF-GHJK")
    await ada.submit("/device", user_code="BCDF-GHJK")
    await ada.follow()
    found = re.search(r'data-challenge="([\w-]+)"', ada.page)
    assert found
    await ada.submit("/device", proof_answer=find_answer(found[1], BITS))
    await ada.follow()
    assert "wants you to type the code" in ada.text


async def test_without_a_pause_the_page_leads_to_the_form(ada: Browser, store: Store) -> None:
    """A link of somebody else has no seal, and after the pause nothing is needed."""
    answer = await ada.open(f"/device/proof?user_code={SHOWN}&pause=9999999999999&seal=x")
    assert answer.headers["Location"] == f"/device?user_code={SHOWN}"
    await meet_proof(ada)
    store.grants.now += 600
    assert (await ada.open(ada.answer.url.relative())).status == 303


async def test_without_the_setting_people_wait(
    open_browser: OpenBrowser, settings: Settings, store: Store
) -> None:
    device = msgspec.structs.replace(settings.device, wave_proof_bits=0)
    browser = await open_browser(msgspec.structs.replace(settings, device=device))
    await browser.sign_in("ada")
    store.grants.wrong = 1000
    store.limits.fill("code.wave", "sub-ada", CODES_IN_A_WAVE)
    await browser.open("/device")
    await browser.submit("/device", user_code=CODE)
    assert browser.answer.headers["Location"].startswith("/device?")
