"""The recipe of this server's own pages drives Chromium through them."""

from collections.abc import AsyncIterator

import pytest

from deviceflow.cli.recipes import RECIPES
from deviceflow.conformance.browser import InBrowser, read_recipe
from deviceflow.conformance.decisions import Choice, ToDecide, Undecided
from deviceflow.conformance.discovery import find_endpoints
from deviceflow.conformance.site import Parties, Politeness, Site
from deviceflow.device.client_auth import Credentials
from tests.browser.conftest import session_loop
from tests.stage.program import Program
from tests.stage.wire import PASSWORD


@session_loop()
async def person(chromium_path: str) -> AsyncIterator[InBrowser]:
    values = {"username": "ada", "password": PASSWORD}
    browser = InBrowser(read_recipe(RECIPES / "deviceflow.toml", values), chromium_path)
    yield browser
    await browser.close()


@pytest.mark.parametrize(("choice", "outcome"), [("approve", "tokens"), ("deny", "access_denied")])
async def test_decisions(site: Program, person: InBrowser, choice: Choice, outcome: str) -> None:
    endpoints = await find_endpoints(site.url)
    parties = Parties(client=Credentials(client_id="tv"), decisions=person)
    async with Site(endpoints, parties, Politeness(100)) as open_site:
        for typed in (None, "as shown"):
            grant = await open_site.start()
            await open_site.decide(grant, choice, typed and grant.user_code.lower())
            answer = await open_site.poll(grant)
            assert ("tokens" if answer.has_tokens else answer.error) == outcome


async def test_a_code_that_is_refused(site: Program, person: InBrowser) -> None:
    wrong = ToDecide(
        user_code="BBBB-BBBB",
        verification_uri=f"{site.url}/device",
        verification_uri_complete=None,
        choice="approve",
    )
    assert person.can_guess
    with pytest.raises(Undecided, match="refuses the code"):
        await person.decide(wrong)


async def test_a_page_that_is_not_in_the_recipe(
    site: Program, person: InBrowser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deviceflow.conformance.browser.PAGE_TIMEOUT_MS", 500)
    elsewhere = ToDecide(
        user_code="X",
        verification_uri=f"{site.url}/.well-known/oauth-authorization-server",
        verification_uri_complete=None,
        choice="approve",
    )
    with pytest.raises(Undecided, match="no page of the recipe fits"):
        await person.decide(elsewhere)
