"""Every page about factors in every state, and the way to it: as `stations` has the others."""

import time

from playwright.async_api import Page, expect

from tests.browser.factors import (
    NO_OFFER_IN_FIELD,
    add_authenticator,
    add_passkey,
    enter_code,
    set_up_app,
    sign_in_at,
    sign_out,
)
from tests.browser.stations import Visit
from tests.browser.walking import expect_heading, press, sign_in, television
from tests.stage.program import Program


async def security_bare(page: Page, site: Program) -> None:
    """Nothing is set up; somebody comes from a device."""
    await sign_in_at(page, site, "ada")
    await page.goto(f"{site.url}/account/security?user_code=BBBB-BBBB")
    await expect_heading(page, "Security of your account")


async def app_set_up(page: Page, site: Program) -> None:
    await sign_in_at(page, site, "ada")
    await set_up_app(page, site)


async def app_wrong(page: Page, site: Program) -> None:
    await app_set_up(page, site)
    await enter_code(page, "000000", "Confirm")
    await expect(page.get_by_role("alert")).to_be_visible()


async def recovery_codes(page: Page, site: Program) -> None:
    await with_app(page, site, "bob")


async def recovery_codes_gone(page: Page, site: Program) -> None:
    await with_passkey(page, site, "mary")
    await page.goto(f"{site.url}/account/security/recovery-codes")
    await expect(page.get_by_text("They are not shown again.")).to_be_visible()


async def second_step(page: Page, site: Program) -> None:
    await with_app(page, site, "eve")
    await sign_out(page, site)
    await page.goto(f"{site.url}/login?user_code=BBBB-BBBB")
    await sign_in(page, "eve")
    await expect_heading(page, "Second step")


def second_step_after(problem: str) -> Visit:
    """The same after something went wrong."""

    async def visit(page: Page, site: Program) -> None:
        name = {"wrong": "joan", "wrong_recovery": "kate"}[problem]
        await with_app(page, site, name)
        await sign_out(page, site)
        await page.goto(f"{site.url}/login")
        await sign_in(page, name)
        await expect_heading(page, "Second step")
        await page.goto(f"{site.url}/login/second?notice={problem}")
        await expect(page.get_by_role("alert")).to_be_visible()

    return visit


async def with_app(page: Page, site: Program, name: str) -> None:
    """Sign in as a person who has an app."""
    await sign_in_at(page, site, name)
    app = await set_up_app(page, site)
    await enter_code(page, app.code(time.time()), "Confirm")
    await expect_heading(page, "Your recovery codes")


async def with_passkey(page: Page, site: Program, name: str) -> None:
    """Sign in as a person who has a passkey, and nothing else."""
    await add_authenticator(page)
    await page.add_init_script(NO_OFFER_IN_FIELD)
    await sign_in_at(page, site, name)
    await add_passkey(page, site, "The phone with the blue cover")
    await expect_heading(page, "Your recovery codes")


async def passkeys(page: Page, site: Program) -> None:
    await with_passkey(page, site, "nora")
    await page.goto(f"{site.url}/account/passkeys")
    await page.get_by_text("Rename or remove").click()
    await expect(page.get_by_role("button", name="Add a passkey")).to_be_visible()


async def passkeys_refused(page: Page, site: Program) -> None:
    await sign_in_at(page, site, "ada")
    await page.goto(f"{site.url}/account/passkeys?notice=refused")
    await expect(page.get_by_role("alert")).to_be_visible()


async def security_full(page: Page, site: Program) -> None:
    await with_passkey(page, site, "olga")
    app = await set_up_app(page, site)
    await enter_code(page, app.code(time.time()), "Confirm")
    await expect(page.get_by_text("The authenticator app is set up.")).to_be_visible()


async def second_step_by_passkey(page: Page, site: Program) -> None:
    await with_passkey(page, site, "pia")
    await sign_out(page, site)
    await page.goto(f"{site.url}/login")
    await sign_in(page, "pia")
    await expect_heading(page, "Second step")
    await expect(page.get_by_role("button", name="Use a passkey")).to_be_visible()


async def sign_in_with_passkey(page: Page, site: Program) -> None:
    await page.add_init_script(NO_OFFER_IN_FIELD)
    await page.goto(f"{site.url}/login?notice=passkey")
    await expect(page.get_by_role("button", name="Use a passkey")).to_be_visible()
    await expect(page.get_by_role("alert")).to_be_visible()


async def sign_in_again(page: Page, site: Program) -> None:
    await sign_in_at(page, site, "ada")
    await page.goto(f"{site.url}/login?next=security&again=1")
    await expect(page.get_by_text("Please sign in once more.")).to_be_visible()


async def vouched(page: Page, site: Program) -> None:
    """Behind a proxy that says who it is."""
    await page.add_init_script(NO_OFFER_IN_FIELD)
    await page.set_extra_http_headers({"X-Remote-User": "ada"})
    await page.goto(f"{site.url}/login?notice=vouched")
    await expect(page.get_by_role("button", name="Go on as ada")).to_be_visible()


async def password_form(page: Page, site: Program) -> None:
    await sign_in_at(page, site, "ada")
    await page.goto(f"{site.url}/account/security/password?notice=short")
    await expect(page.get_by_role("alert")).to_be_visible()


def step_up(client_id: str, wants: str, name: str) -> Visit:
    """A device whose client wants more of a sign-in."""

    async def visit(page: Page, site: Program) -> None:
        code = television(site, client_id).user_code
        await page.goto(f"{site.url}/device?user_code={code}")
        await sign_in(page, name)
        await press(page, "Continue")
        await expect_heading(page, wants)

    return visit


STATIONS: dict[str, Visit] = {
    "security-bare": security_bare,
    "security-full": security_full,
    "app": app_set_up,
    "app-wrong": app_wrong,
    "recovery-codes": recovery_codes,
    "recovery-codes-gone": recovery_codes_gone,
    "second-step": second_step,
    "second-step-wrong": second_step_after("wrong"),
    "second-step-wrong-recovery": second_step_after("wrong_recovery"),
    "second-step-passkey": second_step_by_passkey,
    "passkeys": passkeys,
    "passkeys-refused": passkeys_refused,
    "sign-in-passkey": sign_in_with_passkey,
    "password": password_form,
    "sign-in-vouched": vouched,
    "sign-in-again": sign_in_again,
    "step-up-second-factor": step_up("bank", "Bank terminal wants a second factor", "ada"),
    "step-up-passkey": step_up("vault", "Vault wants a passkey", "ada"),
}
