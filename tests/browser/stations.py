"""Every page of the people's pages in every state, and the way to it."""

import re
import time
from collections.abc import Awaitable, Callable

from playwright.async_api import Page, expect
from redis import Redis

from deviceflow.core.messages import DEVICE_CODE_GRANT
from deviceflow.store import keyspace
from tests.browser.conftest import LONG_NAME
from tests.browser.walking import CONNECTED, ask, expect_heading, open_code, press, sign_in
from tests.browser.walking import television as stranger
from tests.stage.program import Program

Visit = Callable[[Page, Program], Awaitable[None]]

CONSOLE = "Mozilla/5.0 (PlayStation; PlayStation 5/9.20) AppleWebKit/605.1.15"


async def neighbour(page: Page, site: Program, client_id: str = "tv") -> str:
    """The code of a device in the network of the page's browser."""
    scope = "" if client_id == "claimed" else "profile"
    answer = await page.request.post(
        f"{site.url}/oauth2/device_authorization",
        form={"client_id": client_id, "scope": scope},
        headers={"User-Agent": CONSOLE},
    )
    return str((await answer.json())["user_code"])


async def sign_in_page(page: Page, site: Program) -> None:
    await page.goto(f"{site.url}/device?user_code={stranger(site).user_code}")


def notice(word: str) -> Visit:
    """The form for a password, with something to say."""

    async def visit(page: Page, site: Program) -> None:
        await page.goto(f"{site.url}/login?notice={word}&user_code={stranger(site).user_code}")

    return visit


async def wrong_password(page: Page, site: Program) -> None:
    await page.goto(f"{site.url}/login")
    await sign_in(page, LONG_NAME, "wrong")
    await expect(page.get_by_role("alert")).to_be_visible()


async def paused_sign_in(page: Page, site: Program) -> None:
    for _ in range(40):
        await page.goto(f"{site.url}/login?user_code={stranger(site).user_code}")
        await sign_in(page, "nobody", "wrong")
        await page.wait_for_url("**/login?*=*")
        if "pause=" in page.url:
            break
    else:
        raise AssertionError("no pause")


async def code_form(page: Page, site: Program) -> None:
    await page.goto(f"{site.url}/login")
    await sign_in(page)
    await expect(page.get_by_label("Code")).to_be_visible()


async def filled_in(page: Page, site: Program) -> None:
    await open_code(page, site, stranger(site).user_code)


async def outdated_form(page: Page, site: Program) -> None:
    await code_form(page, site)
    await page.goto(f"{site.url}/device?notice=outdated")


async def must_type(page: Page, site: Program) -> None:
    await open_code(page, site, await neighbour(page, site, "typed"))
    await press(page, "Continue")
    await expect(page.get_by_text("wants you to type the code")).to_be_visible()


def wrong_code(code: str, username: str = LONG_NAME) -> Visit:
    """The form after a code that cannot be used."""

    async def visit(page: Page, site: Program) -> None:
        await page.goto(f"{site.url}/login")
        await sign_in(page, username)
        await page.get_by_label("Code").fill(code)
        await press(page, "Continue")
        await expect(page.get_by_role("alert")).to_be_visible()

    return visit


async def paused_codes(page: Page, site: Program) -> None:
    await page.goto(f"{site.url}/login")
    await sign_in(page, "eve")
    await expect(page.get_by_label("Code")).to_be_visible()
    for letter in "BCDFGHJKL":
        await page.goto(f"{site.url}/device")
        await page.get_by_label("Code").fill(f"LMNP-QRS{letter}")
        await press(page, "Continue")
        await page.wait_for_url("**/device?*=*")
    await expect(page.get_by_role("heading", level=1)).to_contain_text("Please wait")


async def proof_of_work(page: Page, site: Program) -> None:
    """While guessers are at work, after as many wrong codes as an account may try."""
    await page.goto(f"{site.url}/login")
    await sign_in(page, "bob")
    await expect(page.get_by_label("Code")).to_be_visible()
    with Redis(unix_socket_path=str(site.data_dir / "valkey.sock")) as store:
        store.hincrby(keyspace.WRONG_CODES, str(int(time.time()) // 60), 1000)
        for letter in "BCDFGHJ":
            await enter(page, site, f"LMNP-QRS{letter}")
            if "/proof" in page.url:
                break
        await enter(page, site, stranger(site).user_code)
        store.delete(keyspace.WRONG_CODES)
    await expect_heading(page, "Your browser has to do some work first")


async def enter(page: Page, site: Program, code: str) -> None:
    await page.goto(f"{site.url}/device")
    await page.get_by_label("Code").fill(code)
    await press(page, "Continue")
    await page.wait_for_url(re.compile(r"/device(/\w+)?\?\w+="))


async def question(page: Page, site: Program) -> None:
    """Of a device elsewhere: with three scopes."""
    await ask(page, site, stranger(site).user_code)
    await expect(page.get_by_text("Is the device in front of you?")).to_be_visible()


async def question_near(page: Page, site: Program) -> None:
    await ask(page, site, await neighbour(page, site))
    await expect(page.get_by_text("PlayStation")).to_be_visible()
    await expect(page.get_by_text("the network you are on now")).to_be_visible()


async def question_abroad(page: Page, site: Program) -> None:
    """Of a device in another country."""
    answer = await page.request.post(
        f"{site.url}/oauth2/device_authorization",
        form={"client_id": "tv", "scope": "openid profile offline_access"},
        headers={"User-Agent": CONSOLE, "X-Forwarded-For": "203.0.113.7"},
    )
    await ask(page, site, str((await answer.json())["user_code"]))
    await expect(page.get_by_text("It asked from Germany, and you seem to be in")).to_be_visible()
    await expect(page.get_by_text("near Berlin, Germany")).to_be_visible()


async def question_shown(page: Page, site: Program) -> None:
    """Of a client with a logo, a publisher and pages."""
    await ask(page, site, stranger(site, "shown").user_code)
    await expect(page.get_by_text("by Example Televisions & Sons Ltd")).to_be_visible()
    await expect(page.get_by_role("link", name="Privacy", exact=True)).to_be_visible()


async def question_long(page: Page, site: Program) -> None:
    await ask(page, site, stranger(site, "long").user_code, LONG_NAME)


async def question_claimed(page: Page, site: Program) -> None:
    """Of a client that nobody has verified, without scopes."""
    await ask(page, site, await neighbour(page, site, "claimed"))
    await expect(page.get_by_text("Nobody has verified this name")).to_be_visible()


async def question_choice(page: Page, site: Program) -> None:
    """With boxes for two of four scopes."""
    await ask(page, site, stranger(site, "choosy").user_code)
    await expect(page.get_by_role("checkbox")).to_have_count(2)


async def question_all_optional(page: Page, site: Program) -> None:
    """Approved without a box that is ticked."""
    scope = "email offline_access"
    await ask(page, site, stranger(site, "choosy", scope=scope).user_code)
    for box in await page.get_by_role("checkbox").all():
        await box.uncheck()
    await press(page, "Approve")
    await expect(page.get_by_role("alert")).to_be_visible()


async def approved_choice(page: Page, site: Program) -> None:
    await question_choice(page, site)
    await page.get_by_role("checkbox", name="See your e-mail address").uncheck()
    await press(page, "Approve")
    await expect_heading(page, CONNECTED)
    await expect(page.get_by_text("You have allowed")).to_be_visible()


async def question_outdated(page: Page, site: Program) -> None:
    await question(page, site)
    await page.goto(f"{page.url}&notice=outdated")
    await expect(page.get_by_role("alert")).to_be_visible()


async def question_retype(page: Page, site: Program) -> None:
    """The device is far away: the person has typed another code once more."""
    await ask(page, site, stranger(site, "far").user_code)
    await page.get_by_label("Type the code").fill("BBBB-BBBB")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("alert")).to_be_visible()


async def approved(page: Page, site: Program) -> None:
    await question(page, site)
    await press(page, "Approve")
    await expect_heading(page, CONNECTED)


async def denied_long(page: Page, site: Program) -> None:
    await question_long(page, site)
    await press(page, "Deny")
    await expect_heading(page, "Request denied")


async def approved_before(page: Page, site: Program) -> None:
    await approved(page, site)
    await page.goto(f"{page.url}&pressed=deny".replace("pressed=approve&", ""))
    await expect_heading(page, "This device is already connected")


async def reported(page: Page, site: Program) -> None:
    await question(page, site)
    await press(page, "Somebody sent me this code")
    await expect_heading(page, "Thank you for telling us")


async def sent(page: Page, site: Program) -> None:
    """What to do with a code that somebody has sent, from the form for a code."""
    await filled_in(page, site)
    await page.get_by_role("link", name="Somebody sent me one").click()
    await expect_heading(page, "Did somebody send you the code?")


async def expired(page: Page, site: Program) -> None:
    """A decision about a code that is none any more."""
    await code_form(page, site)
    await page.evaluate(
        """() => {
          const field = Object.assign(document.createElement("input"), {type: "hidden"});
          Object.assign(field, {name: "decision", value: "approve"});
          document.querySelector("main form").append(field);
        }"""
    )
    await page.get_by_label("Code").fill("BBBB-BBBB")
    await press(page, "Continue")
    await expect_heading(page, "This code is no longer valid")


async def nothing_known(page: Page, site: Program) -> None:
    await code_form(page, site)
    await page.goto(f"{site.url}/device/done?user_code=BBBB-BBBB")
    await expect_heading(page, "There is nothing more about this code")


async def sign_out_long(page: Page, site: Program) -> None:
    await page.goto(f"{site.url}/login")
    await sign_in(page, LONG_NAME)
    await expect(page.get_by_label("Code")).to_be_visible()
    await page.goto(f"{site.url}/logout?user_code=BBBB-BBBB")


async def signed_out(page: Page, site: Program) -> None:
    await page.goto(f"{site.url}/logout")
    await expect_heading(page, "You are signed out")


async def not_found(page: Page, site: Program) -> None:
    await page.goto(f"{site.url}/login")
    await sign_in(page, LONG_NAME)
    await expect(page.get_by_label("Code")).to_be_visible()
    await page.goto(f"{site.url}/nowhere")


async def foreign_form(page: Page, site: Program) -> None:
    elsewhere = site.url.replace("127.0.0.1", "localhost")
    await page.goto(f"{elsewhere}/login?at=issuer")
    await sign_in(page)
    await expect_heading(page, "This form came from somewhere else")


async def authorize(page: Page, site: Program) -> None:
    await page.goto(f"{site.url}/oauth2/authorize?client_id=tv&response_type=code")
    await expect_heading(page, "This is not how to sign in here")


async def no_devices(page: Page, site: Program) -> None:
    await page.goto(f"{site.url}/account")
    await sign_in(page, "eve")
    await expect(page.get_by_text("No device is connected")).to_be_visible()


async def devices(page: Page, site: Program) -> None:
    """Two of them, one with tokens."""
    television = stranger(site)
    await ask(page, site, television.user_code)
    await press(page, "Approve")
    await expect_heading(page, CONNECTED)
    answer = await page.request.post(
        f"{site.url}/oauth2/token",
        form={
            "grant_type": DEVICE_CODE_GRANT,
            "client_id": "tv",
            "device_code": str(television.grant["device_code"]),
        },
    )
    assert answer.ok
    await page.goto(f"{site.url}/device?user_code={await neighbour(page, site)}")
    await press(page, "Continue")
    await press(page, "Approve")
    await expect_heading(page, CONNECTED)
    await page.get_by_role("link", name="Your devices").click()
    await expect_heading(page, "Your devices")
    await expect(page.get_by_text("used just now")).to_be_visible()


async def devices_long(page: Page, site: Program) -> None:
    """Of a person and a client with long names."""
    await question_long(page, site)
    await press(page, "Approve")
    await page.get_by_role("link", name="Your devices").click()
    await expect_heading(page, "Your devices")


async def device_long(page: Page, site: Program) -> None:
    await devices_long(page, site)
    await page.locator(".things a.title").first.click()
    await expect(page.get_by_label("Your name for it")).to_be_visible()


async def device_bad_name(page: Page, site: Program) -> None:
    await device_long(page, site)
    await page.get_by_label("Your name for it").fill("a\u202eb")
    await press(page, "Save the name")
    await expect(page.get_by_role("alert")).to_be_visible()


async def disconnect(page: Page, site: Program) -> None:
    await devices_long(page, site)
    await page.locator(".things .act").first.click()
    await expect(page.get_by_role("button", name="Disconnect")).to_be_visible()


async def disconnected(page: Page, site: Program) -> None:
    await disconnect(page, site)
    await press(page, "Disconnect")
    await expect(page.get_by_role("status")).to_be_visible()


async def disconnect_all(page: Page, site: Program) -> None:
    await devices(page, site)
    await page.get_by_role("link", name="Disconnect all devices").click()
    await expect(page.get_by_role("button", name="Disconnect all devices")).to_be_visible()


async def browsers(page: Page, site: Program) -> None:
    """Of a person who has signed in more than once."""
    await code_form(page, site)
    await page.context.clear_cookies()
    await code_form(page, site)
    await page.goto(f"{site.url}/account/sessions")
    await expect(page.get_by_text("this one")).to_be_visible()
    await expect(page.get_by_role("button", name="Sign out all other browsers")).to_be_visible()


async def not_me_gone(page: Page, site: Program) -> None:
    """A link of a notice that was used, or is too old."""
    await page.goto(f"{site.url}/account/not-me?token={'A' * 43}")
    await expect_heading(page, "This link can no longer be used")


STATIONS: dict[str, Visit] = {
    "sign-in": sign_in_page,
    "sign-in-ended": notice("ended"),
    "sign-in-switched": notice("switched"),
    "sign-in-wrong": wrong_password,
    "sign-in-incomplete": notice("incomplete"),
    "sign-in-outdated": notice("outdated"),
    "sign-in-no-cookie": notice("no_cookie"),
    "sign-in-paused": notice("paused"),
    "pause-sign-in": paused_sign_in,
    "code": code_form,
    "code-filled-in": filled_in,
    "code-outdated": outdated_form,
    "code-must-type": must_type,
    "code-wrong": wrong_code("bbbb bbbb"),
    "code-short": wrong_code("BCD", "bob"),
    "code-long": wrong_code("B" * 64),
    "pause-codes": paused_codes,
    "proof-of-work": proof_of_work,
    "question": question,
    "question-near": question_near,
    "question-abroad": question_abroad,
    "question-shown": question_shown,
    "question-long": question_long,
    "question-claimed": question_claimed,
    "question-outdated": question_outdated,
    "question-choice": question_choice,
    "question-all-optional": question_all_optional,
    "question-retype": question_retype,
    "approved": approved,
    "approved-choice": approved_choice,
    "denied-long": denied_long,
    "approved-before": approved_before,
    "reported": reported,
    "sent": sent,
    "expired": expired,
    "nothing-known": nothing_known,
    "sign-out-long": sign_out_long,
    "signed-out": signed_out,
    "not-found": not_found,
    "foreign-form": foreign_form,
    "authorize": authorize,
    "devices-none": no_devices,
    "devices": devices,
    "devices-long": devices_long,
    "device-long": device_long,
    "device-bad-name": device_bad_name,
    "disconnect": disconnect,
    "disconnected": disconnected,
    "disconnect-all": disconnect_all,
    "browsers": browsers,
    "not-me-gone": not_me_gone,
}
