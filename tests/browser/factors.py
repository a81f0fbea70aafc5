"""People with factors, in front of a server whose issuer has a host name, as passkeys need it."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.async_api import CDPSession, Page, expect

from tests.browser.walking import expect_heading, press, sign_in
from tests.stage.factors import App
from tests.stage.ports import free_port
from tests.stage.program import Notes, Program
from tests.stage.users import CHEAP
from tests.stage.wire import PASSWORD

PEOPLE = (
    "ada",
    "bob",
    "eve",
    "joan",
    "kate",
    "lise",
    "mary",
    "nora",
    "olga",
    "pia",
    "rosa",
    "tina",
)
SITE = """
issuer = "http://localhost:{port}"

[log]
level = "debug"
format = "json"

[server]
trusted_proxies = ["127.0.0.0/8"]

[sign_in]
trusted_header = "X-Remote-User"

[[clients]]
client_id = "tv"
name = "Living-room TV"
scopes = ["openid", "profile"]
interval_s = 1

[[clients]]
client_id = "bank"
name = "Bank terminal"
scopes = ["openid"]
interval_s = 1
sign_in = "second_factor"

[[clients]]
client_id = "vault"
name = "Vault"
scopes = ["openid"]
interval_s = 1
sign_in = "phishing_resistant"

[[clients]]
client_id = "door"
name = "Front door"
scopes = ["openid"]
interval_s = 1
max_sign_in_age_s = 30
"""
AUTHENTICATOR = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


@contextmanager
def site_with_a_name(more: str = "") -> Iterator[Program]:
    """The server, until the block ends; `url` is its issuer. `more`: settings."""
    hashed = CHEAP.hash(PASSWORD)
    users = "".join(
        f'\n[[users]]\nusername = "{name}"\nname = "{name.title()}"\npassword_hash = "{hashed}"\n'
        for name in PEOPLE
    )
    port = free_port()
    with TemporaryDirectory(prefix="df-") as folder:
        text = SITE.format(port=port) + more + users
        (Path(folder) / "deviceflow.toml").write_text(text, encoding="utf-8")
        program = Program(Path(folder), (), Notes())
        program.url = f"http://127.0.0.1:{port}"
        try:
            program.start()
            program.url = f"http://localhost:{port}"
            yield program
        finally:
            program.end()


NO_OFFER_IN_FIELD = "PublicKeyCredential.isConditionalMediationAvailable = async () => false"
"""The virtual authenticator takes an offer in the field at once, before a button is pressed."""


async def add_authenticator(page: Page) -> tuple[CDPSession, str]:
    """Plug an authenticator in that says yes to everything; its session, and its id."""
    session = await page.context.new_cdp_session(page)
    await session.send("WebAuthn.enable", {"enableUI": False})
    made = await session.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})
    return session, made["authenticatorId"]


async def set_up_app(page: Page, site: Program) -> App:
    """Set an app up in the account of the person who is signed in."""
    await page.goto(f"{site.url}/account/security/app")
    await expect_heading(page, "Set up an authenticator app")
    secret = await page.locator(".secret").inner_text()
    return App(re.sub(r"\s", "", secret))


async def enter_code(page: Page, code: str, button: str) -> None:
    await page.get_by_label(re.compile("^Code")).fill(code)
    await press(page, button)


async def add_passkey(page: Page, site: Program, name: str = "My phone") -> None:
    """Add a passkey to the account of the person who is signed in."""
    await page.goto(f"{site.url}/account/passkeys")
    await page.get_by_label("Name of the new passkey").fill(name)
    await press(page, "Add a passkey")


async def sign_in_at(page: Page, site: Program, username: str) -> None:
    await page.goto(f"{site.url}/login")
    await sign_in(page, username)
    await expect(page.get_by_label("Username")).to_have_count(0)


async def sign_out(page: Page, site: Program) -> None:
    await page.goto(f"{site.url}/logout")
    await press(page, "Sign out")
    await expect_heading(page, "You are signed out")
