"""Passkeys, an authenticator app and recovery codes, as a person uses them in a real browser."""

import json
import re
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from playwright.async_api import Browser, Page, ViewportSize, expect

from deviceflow.core import base64url
from deviceflow.core.assurance import PHISHING_RESISTANT, SECOND_FACTOR
from tests.browser.conftest import session_loop
from tests.browser.factors import (
    NO_OFFER_IN_FIELD,
    add_authenticator,
    add_passkey,
    enter_code,
    set_up_app,
    sign_in_at,
    sign_out,
    site_with_a_name,
)
from tests.browser.walking import CONNECTED, expect_heading, press, sign_in, television
from tests.stage.factors import App
from tests.stage.program import Program
from tests.stage.wire import PASSWORD

PHONE: ViewportSize = {"width": 390, "height": 844}
DESKTOP: ViewportSize = {"width": 1280, "height": 800}


@pytest.fixture(scope="module")
def named_site() -> Iterator[Program]:
    with site_with_a_name() as site:
        yield site


@session_loop(params=[PHONE, DESKTOP], ids=["phone", "desktop"])
async def page(
    browser: Browser, network: str, request: pytest.FixtureRequest
) -> AsyncIterator[Page]:
    context = await browser.new_context(
        viewport=request.param, extra_http_headers={"X-Forwarded-For": network}
    )
    yield await context.new_page()
    await context.close()


@session_loop()
async def plain_page(browser: Browser, network: str) -> AsyncIterator[Page]:
    """A page without scripts."""
    context = await browser.new_context(
        java_script_enabled=False, extra_http_headers={"X-Forwarded-For": network}
    )
    yield await context.new_page()
    await context.close()


async def test_a_passkey_from_its_making_to_a_connected_device(
    named_site: Program, page: Page
) -> None:
    """No user name, no password: the button, and the device is connected."""
    person = "ada" if page.viewport_size == PHONE else "bob"
    await add_authenticator(page)
    await sign_in_at(page, named_site, person)
    await add_passkey(page, named_site)
    await expect_heading(page, "Your recovery codes")
    await expect(page.locator(".recovery-codes li")).to_have_count(10)
    await press_link(page, "I have saved them")
    await expect(page.get_by_text("1 passkey is set up.")).to_be_visible()
    await sign_out(page, named_site)
    await page.goto(f"{named_site.url}/login")
    await expect(page.get_by_label("Code")).to_be_visible()  # the browser offered it in the field
    await sign_out(page, named_site)
    await page.add_init_script(NO_OFFER_IN_FIELD)
    tv = television(named_site)
    await page.goto(f"{named_site.url}/device?user_code={tv.user_code}")
    await press(page, "Use a passkey")
    await expect(page.get_by_label("Code")).to_have_value(tv.user_code)
    await press(page, "Continue")
    await press(page, "Approve")
    await expect_heading(page, CONNECTED)
    assert tv.wait() == "tokens"


async def test_a_passkey_after_the_password(named_site: Program, page: Page) -> None:
    person = "eve" if page.viewport_size == PHONE else "joan"
    session, authenticator = await add_authenticator(page)
    await sign_in_at(page, named_site, person)
    await add_passkey(page, named_site)
    await expect_heading(page, "Your recovery codes")
    await sign_out(page, named_site)
    await page.add_init_script(NO_OFFER_IN_FIELD)
    await page.goto(f"{named_site.url}/login")
    await sign_in(page, person)
    await expect_heading(page, "Second step")
    verified = {"authenticatorId": authenticator, "isUserVerified": False}
    await session.send("WebAuthn.setUserVerified", verified)
    await press(page, "Use a passkey")
    await expect(page.get_by_text("No passkey was used.")).to_be_visible()
    await session.send("WebAuthn.setUserVerified", verified | {"isUserVerified": True})
    await press(page, "Use a passkey")
    await expect(page.get_by_label("Code", exact=True)).to_be_visible()


async def test_a_removed_passkey_signs_nobody_in(named_site: Program, page: Page) -> None:
    person = "kate" if page.viewport_size == PHONE else "lise"
    await add_authenticator(page)
    await page.add_init_script(NO_OFFER_IN_FIELD)
    await sign_in_at(page, named_site, person)
    await add_passkey(page, named_site)
    await expect_heading(page, "Your recovery codes")
    await page.goto(f"{named_site.url}/account/passkeys")
    await page.get_by_text("Rename or remove").click()
    await press(page, "Remove this passkey")
    await expect(page.get_by_text("The passkey is removed.")).to_be_visible()
    await sign_out(page, named_site)
    await page.goto(f"{named_site.url}/login")
    await press(page, "Use a passkey")
    await expect(page.get_by_role("alert")).to_contain_text("That passkey did not work.")


async def test_an_app_without_scripts(named_site: Program, plain_page: Page) -> None:
    """Set up, signed in by a recovery code with Back and reload, and no button for passkeys."""
    page = plain_page
    await sign_in_at(page, named_site, "mary")
    app = await set_up_app(page, named_site)
    await page.reload()
    await enter_code(page, app.code(time.time()), "Confirm")
    await expect_heading(page, "Your recovery codes")
    code = await page.locator(".recovery-codes li").first.inner_text()
    await page.reload()
    await expect(page.locator(".recovery-codes li")).to_have_count(0)
    await sign_out(page, named_site)
    tv = television(named_site)
    await page.goto(f"{named_site.url}/device?user_code={tv.user_code}")
    await expect(page.get_by_role("button", name="Use a passkey")).to_have_count(0)
    await sign_in(page, "mary")
    await expect_heading(page, "Second step")
    await enter_code(page, "000000", "Sign in")
    for _ in range(3):
        await expect(page.get_by_role("alert")).to_contain_text("That code did not work.")
        await page.reload()
    await page.get_by_text("Use a recovery code").first.click()
    await page.get_by_label("Recovery code").fill(code.lower())
    await press(page, "Use the recovery code")
    await expect(page.get_by_label("Code", exact=True)).to_have_value(tv.user_code)
    await page.go_back()
    await expect(page.get_by_label("Code", exact=True)).to_have_value(tv.user_code)
    await page.goto(f"{named_site.url}/account/security")
    await expect(page.get_by_text("9 codes are left.")).to_be_visible()
    await page.goto(f"{named_site.url}/account/passkeys")
    await expect(page.get_by_text("this page needs JavaScript")).to_be_visible()


async def test_a_client_that_wants_a_passkey(named_site: Program, page: Page) -> None:
    """Signed in by a password, the person adds a passkey and comes back to the same request."""
    person = "olga" if page.viewport_size == PHONE else "pia"
    await add_authenticator(page)
    await page.add_init_script(NO_OFFER_IN_FIELD)
    tv = television(named_site, "vault")
    await page.goto(f"{named_site.url}/device?user_code={tv.user_code}")
    await sign_in(page, person)
    await press(page, "Continue")
    await expect_heading(page, "Vault wants a passkey")
    await press_link(page, "Set it up now")
    await press_link(page, "Add a passkey")
    await press(page, "Add a passkey")
    await press_link(page, "Saved, go on with the device")
    await press(page, "Approve")
    await expect_heading(page, CONNECTED)
    assert tv.wait() == "tokens"
    tv = television(named_site, "vault")
    await sign_out(page, named_site)
    await page.goto(f"{named_site.url}/device?user_code={tv.user_code}")
    await press(page, "Use a passkey")
    await press(page, "Continue")
    await press(page, "Approve")
    await expect_heading(page, CONNECTED)


async def test_a_client_that_wants_a_second_factor(named_site: Program, plain_page: Page) -> None:
    """Without scripts: an app is set up on the way."""
    page = plain_page
    tv = television(named_site, "bank")
    await page.goto(f"{named_site.url}/device?user_code={tv.user_code}")
    await sign_in(page, "rosa")
    await press(page, "Continue")
    await expect_heading(page, "Bank terminal wants a second factor")
    await press_link(page, "Set it up now")
    await press_link(page, "Set up an app")
    secret = re.sub(r"\s", "", await page.locator(".secret").inner_text())
    await enter_code(page, App(secret).code(time.time()), "Confirm")
    await press_link(page, "Saved, go on with the device")
    await press(page, "Approve")
    await expect_heading(page, CONNECTED)
    assert tv.wait() == "tokens"
    claims = claims_of(tv.tokens["access_token"])
    assert (claims["amr"], claims["acr"]) == (["pwd", "otp", "mfa"], SECOND_FACTOR)
    assert claims_of(tv.tokens["id_token"])["acr"] == SECOND_FACTOR
    answer = await page.request.get(f"{named_site.url}/.well-known/oauth-authorization-server")
    assert (await answer.json())["acr_values_supported"] == [SECOND_FACTOR, PHISHING_RESISTANT]


async def test_a_proxy_says_who_it_is(named_site: Program, plain_page: Page) -> None:
    page = plain_page
    await page.set_extra_http_headers({"X-Remote-User": "tina"})
    tv = television(named_site)
    await page.goto(f"{named_site.url}/device?user_code={tv.user_code}")
    await press(page, "Go on as tina")
    await expect(page.get_by_label("Code", exact=True)).to_have_value(tv.user_code)
    await press(page, "Continue")
    await press(page, "Approve")
    await expect_heading(page, CONNECTED)
    assert tv.wait() == "tokens"
    assert not {"amr", "acr"} & set(claims_of(tv.tokens["access_token"]))


async def test_a_new_password(named_site: Program, plain_page: Page) -> None:
    page, new = plain_page, "another horse battery"
    await sign_in_at(page, named_site, "tina")
    await page.goto(f"{named_site.url}/account/security")
    await press_link(page, "Change the password")
    await page.get_by_label("Your password now").fill(PASSWORD)
    await page.get_by_label("New password", exact=True).fill(new)
    await page.get_by_label("New password, once more").fill(new)
    await press(page, "Change the password")
    await expect(page.get_by_role("status")).to_contain_text("The password is changed.")
    await sign_out(page, named_site)
    await page.goto(f"{named_site.url}/login")
    await sign_in(page, "tina")
    await expect(page.get_by_role("alert")).to_contain_text("That did not work.")
    await sign_in(page, "tina", new)
    await expect(page.get_by_label("Code", exact=True)).to_be_visible()


async def test_no_secret_is_in_the_log(named_site: Program, plain_page: Page) -> None:
    page = plain_page
    await sign_in_at(page, named_site, "nora")
    app = await set_up_app(page, named_site)
    code = app.code(time.time())
    await enter_code(page, code, "Confirm")
    await expect_heading(page, "Your recovery codes")
    recovery = await page.locator(".recovery-codes li").all_inner_texts()
    written = str(named_site.log)
    assert "account.changed" in written
    for secret in (app.secret, *recovery, *(each.replace("-", "") for each in recovery)):
        assert secret not in written


def claims_of(token: str) -> dict[str, Any]:
    claims: dict[str, Any] = json.loads(base64url.decode(token.split(".")[1]))
    return claims


async def press_link(page: Page, name: str) -> None:
    await page.get_by_role("link", name=name).click()
