"""A person signs in at a provider in a real browser: at npm's oidc-provider, and one in Go.

`make interop-tools` installs them.
"""

import json
import re
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet
from playwright.async_api import Browser, Page, Route, expect

from tests.browser.conftest import session_loop
from tests.browser.looking import axe_findings_anywhere
from tests.browser.walking import CONNECTED, expect_heading, press, television
from tests.interop.peer import OIDC_PROVIDER
from tests.stage.checkout import DOCS
from tests.stage.oidc_provider import FederatedSite, running_federated_site, running_go_site
from tests.stage.ports import free_port
from tests.stage.program import Notes, Program
from tests.stage.waiting import PATIENCE_S
from tests.stage.wire import fetch, request_of


@pytest.fixture(scope="module", params=["query, secret", "form_post, key"])
def federated(request: pytest.FixtureRequest) -> Iterator[FederatedSite]:
    """The server and the provider: once by the simplest means, once by the safest."""
    mode, credential = request.param.split(", ")
    with running_federated_site(mode=mode, has_key=credential == "key") as federated:
        yield federated
        program = federated.program
        assert program.notes.found_in(str(program.log) + str(program.stray)) == set()


@pytest.fixture
def site(federated: FederatedSite) -> Program:
    return federated.program


@session_loop()
async def page(browser: Browser) -> AsyncIterator[Page]:
    """A page of a new browser."""
    context = await browser.new_context(reduced_motion="reduce")
    yield await context.new_page()
    await context.close()


async def sign_in_at_provider(page: Page, name: str) -> None:
    await expect_heading(page, "Sign in at the provider")
    await page.get_by_label("Name").fill(name)
    await press(page, "Go")


async def test_axe_finds_nothing(site: Program, page: Page) -> None:
    """On the page with the button, and on the page that leads to the provider."""
    await page.goto(f"{site.url}/login?user_code=BCDF-GHJK")
    assert await axe_findings_anywhere(page) == []
    await page.route("**/login/upstream/acme", stay)
    await press(page, "Sign in with Acme")
    await expect_heading(page, "On the way to Acme")
    assert await axe_findings_anywhere(page) == []


async def stay(route: Route) -> None:
    """Show the page that leads on by itself without the line that does it."""
    response = await route.fetch()
    page = re.sub(r'<meta http-equiv="refresh"[^>]*>', "", await response.text())
    await route.fulfill(response=response, body=page)


async def test_from_the_code_to_the_tokens(site: Program, page: Page) -> None:
    """Code, button, provider, back with the code, confirm, approve: tokens say acr and amr."""
    device = television(site)
    await page.goto(f"{site.url}/device?user_code={device.user_code}")
    await press(page, "Sign in with Acme")
    await sign_in_at_provider(page, "grace")
    await expect(page.get_by_label("Code")).to_have_value(device.user_code)
    await press(page, "Continue")
    await press(page, "Approve")
    await expect_heading(page, CONNECTED)
    assert device.wait() == "tokens"
    keys = KeySet.import_key_set(fetch(request_of(f"{site.url}/oauth2/jwks", None)).body)  # type: ignore[arg-type]
    claims = jwt.decode(device.tokens["id_token"], keys, algorithms=["ES256"]).claims
    assert claims["acr"] == "urn:example:mfa"
    assert claims["amr"] == ["pwd", "otp"]
    assert claims["preferred_username"] == "grace"


async def test_a_person_who_cancels_is_told(site: Program, page: Page) -> None:
    await page.goto(f"{site.url}/login?user_code=BCDF-GHJK")
    await press(page, "Sign in with Acme")
    await press(page, "Cancel")
    await expect_heading(page, "You are not signed in")
    await page.get_by_role("link", name="Try again").click()
    await expect(page.get_by_role("button", name="Sign in with Acme")).to_be_visible()
    assert "user_code=BCDF-GHJK" in page.url


async def test_a_fresh_sign_in_asks_there_once_more(site: Program, page: Page) -> None:
    """Although both have a session. The account page wants it, and gets the person back."""
    await page.goto(f"{site.url}/login")
    await press(page, "Sign in with Acme")
    await sign_in_at_provider(page, "mary")
    await expect(page.get_by_label("Code")).to_be_visible()
    await page.goto(f"{site.url}/login?next=security&again=1")
    await press(page, "Sign in with Acme")
    await sign_in_at_provider(page, "mary")
    await expect_heading(page, "Security of your account")
    await expect(page.get_by_text("You sign in without a password here.")).to_be_visible()


async def test_back_leads_to_the_page_with_the_button(site: Program, page: Page) -> None:
    """The page that leads on by itself is passed over: nobody is caught between two pages."""
    await page.goto(f"{site.url}/login")
    await press(page, "Sign in with Acme")
    await expect_heading(page, "Sign in at the provider")
    await page.go_back()
    await expect(page.get_by_role("button", name="Sign in with Acme")).to_be_visible()


async def test_a_sign_out_there_ends_the_session_here(federated: FederatedSite, page: Page) -> None:
    """By back-channel logout: the provider's server tells this one."""
    site = federated.program
    await page.goto(f"{site.url}/login")
    await press(page, "Sign in with Acme")
    await sign_in_at_provider(page, "lin")
    await expect(page.get_by_label("Code")).to_be_visible()
    known = len(site.log)
    await page.goto(f"{federated.issuer}/session/end")
    await page.get_by_role("button", name="Yes").click()
    assert site.wait_for("upstream.logged_out", known)["sessions"] == 1
    await page.goto(f"{site.url}/device")
    await expect(page.get_by_role("button", name="Sign in with Acme")).to_be_visible()


async def test_back_and_reload_sign_nobody_in_twice(site: Program, page: Page) -> None:
    await page.goto(f"{site.url}/login")
    await press(page, "Sign in with Acme")
    await sign_in_at_provider(page, "ada")
    await expect(page.get_by_label("Code")).to_be_visible()
    await page.reload()
    await expect(page.get_by_label("Code")).to_be_visible()


async def test_sign_out_there_and_no_silent_way_back(site: Program, page: Page) -> None:
    """Signing out ends the session at the provider too; the next person is asked who it is."""
    await page.goto(f"{site.url}/login")
    await press(page, "Sign in with Acme")
    await sign_in_at_provider(page, "ada")
    await expect(page.get_by_label("Code")).to_be_visible()
    await page.goto(f"{site.url}/logout")
    await press(page, "Sign out")
    await page.get_by_role("button", name="Yes").click()
    await expect_heading(page, "You are signed out")
    await page.get_by_role("link", name="Sign in").click()
    await press(page, "Sign in with Acme")
    await expect_heading(page, "Sign in at the provider")


@pytest.fixture
def go_site() -> Iterator[Program]:
    """The server and another provider: an issuer with a slash, RS256, a profile in userinfo."""
    with running_go_site() as federated:
        yield federated.program


async def test_another_provider(go_site: Program, page: Page) -> None:
    await page.goto(f"{go_site.url}/login?user_code=BCDF-GHJK")
    await press(page, "Sign in with Acme")
    await page.locator("#username").fill("test-user@localhost")
    await page.locator("#password").fill("verysecure")
    await page.get_by_role("button").click()
    await expect(page.get_by_label("Code")).to_have_value("BCDF-GHJK")
    await expect(page.get_by_text("Test User")).to_be_visible()


@pytest.fixture
def documented(tmp_path: Path) -> Iterator[Program]:
    """The server and the provider of docs/sign-in.md, word for word but for the ports."""
    OIDC_PROVIDER.check()
    text = (DOCS / "sign-in.md").read_text(encoding="utf-8")
    section = text.split("\n## On one machine, with a provider in Node.js\n")[1].split("\n## ")[0]
    ours, theirs = free_port(), free_port()
    section = section.replace("8628", str(ours)).replace("3000", str(theirs))
    (script,) = re.findall(r"```js\n(.*?)```", section, re.DOTALL)
    (settings,) = re.findall(r"```toml\n(.*?)```", section, re.DOTALL)
    (install, _) = re.findall(r"```sh\n(.*?)```", section, re.DOTALL)
    pinned = json.loads((OIDC_PROVIDER.made.parent / "package.json").read_text("utf-8"))
    assert install.strip().endswith(f"oidc-provider@{pinned['dependencies']['oidc-provider']}")
    script += 'console.log("started");\n'
    program = Program(tmp_path, (), Notes())
    program.url = f"http://127.0.0.1:{ours}"
    program.config.write_text(f'log = {{ format = "json" }}\n{settings}', encoding="utf-8")
    command = ["node", "--input-type=module", "--eval", script]
    folder = OIDC_PROVIDER.made.parent
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            assert any(line.strip() == "started" for line in process.stdout), "it has ended"
            program.start()
            yield program
        finally:
            program.end()
            process.terminate()
            process.wait(PATIENCE_S)


async def test_the_way_that_the_documentation_shows(documented: Program, page: Page) -> None:
    device = television(documented, "tv-app")
    await page.goto(str(device.grant["verification_uri_complete"]))
    await press(page, "Sign in with the company")
    await page.locator("input[name=login]").fill("grace")
    await page.locator("input[name=password]").fill("anything")
    await page.get_by_role("button", name="Sign-in").click()
    await page.get_by_role("button", name="Continue").click()
    await expect(page.get_by_label("Code")).to_have_value(device.user_code)
    await press(page, "Continue")
    await press(page, "Approve")
    await expect_heading(page, CONNECTED)
    assert device.wait() == "tokens"
