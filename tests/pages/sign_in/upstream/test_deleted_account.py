"""A person whose provider has deleted or disabled the account (docs/sign-in.md says what follows).

Providers tell nobody. They answer the next sign-in with an error, or keep the person at their page.
"""

import msgspec
import pytest

from deviceflow.config import Phishing
from tests.pages.sign_in.upstream.conftest import Person, Site
from tests.stage.oauth import Answer
from tests.stage.provider import GONE, Lies

GONE_THERE = Lies(answer={"code": GONE, "error": "access_denied"})
"""What the provider answers from then on, whoever tries to sign in as that person."""


async def approve(site: Site, person: Person) -> Answer:
    """Connect a device, as a person who is signed in; return its tokens."""
    started = await site.worker.authorize(scope="openid profile offline_access")
    codes: dict[str, str] = started.body
    await person.enter(codes["user_code"])
    await person.press("approve")
    return await site.worker.poll(codes["device_code"])


@pytest.fixture
async def tokens(site: Site, person: Person) -> dict[str, str]:
    """The tokens of a device that the person has approved. Then the provider deletes the person."""
    await person.sign_in_upstream()
    connected: dict[str, str] = (await approve(site, person)).body
    site.provider.lies = GONE_THERE
    return connected


async def test_a_person_whose_provider_deleted_the_account_cannot_sign_in_again(
    site: Site, tokens: dict[str, str]
) -> None:
    again = site.person()
    await again.leave()
    assert (await again.come_back()).status == 403
    assert (await again.open("/device")).headers["Location"] == "/login"
    assert (await site.worker.refresh(tokens["refresh_token"])).status == 200


async def test_devices_of_an_account_that_its_provider_deleted_go_on_until_it_is_disabled(
    site: Site, tokens: dict[str, str]
) -> None:
    """At the next refresh nothing is known of it; `users disable` is what ends the device."""
    refreshed = await site.worker.refresh(tokens["refresh_token"])
    assert refreshed.status == 200
    account = await site.users.find("ada")
    assert account is not None
    await site.users.put(msgspec.structs.replace(account, disabled=True))
    ended = await site.worker.refresh(refreshed.body["refresh_token"])
    assert ended.outcome == (400, "invalid_grant")


@pytest.mark.usefixtures("tokens")
async def test_the_browser_session_of_a_deleted_account_ends_in_its_time(
    site: Site, person: Person
) -> None:
    assert (await person.open("/device")).status == 200
    (key,) = await site.stage.keys("df:s:*")
    assert 0 < await site.stage.redis.ttl(key) <= site.stage.settings.pages.session_lifetime_s


async def test_a_step_up_of_an_account_that_its_provider_deleted_is_refused(site: Site) -> None:
    """An application that wants a fresh sign-in gets no approval from such a person."""
    phishing = Phishing(max_sign_in_age_s=300)
    strict = msgspec.structs.replace(site.stage.settings, phishing=phishing)
    site = Site(site.stage, await site.stage.start_worker(strict), site.provider)
    person = site.person()
    await person.sign_in_upstream()
    tokens = (await approve(site, person)).body
    site.provider.lies = GONE_THERE
    site.stage.clock.now += 600

    codes = (await site.worker.authorize()).body
    await sign_in_afresh(person, codes["user_code"])
    assert person.answer.status == 403
    await person.enter(codes["user_code"])
    assert "wants a fresh sign-in" in person.text
    assert (await site.worker.poll(codes["device_code"])).error == "authorization_pending"
    assert (await site.worker.refresh(tokens["refresh_token"])).status == 200

    site.provider.lies = Lies()  # The account is back.
    await sign_in_afresh(person, codes["user_code"])
    await person.follow()
    await person.press("approve")
    assert "You can go back to your device" in person.text


async def sign_in_afresh(person: Person, user_code: str) -> None:
    """Follow the question's way to a sign-in, at the provider, and back."""
    await person.enter(user_code)
    assert "wants a fresh sign-in" in person.text
    await person.open(f"/login?user_code={user_code}&next=confirm&again=1")
    await person.submit("/login/upstream/acme")
    await person.come_back()


@pytest.mark.usefixtures("tokens")
async def test_a_new_person_of_the_same_name_has_nothing_of_the_deleted_one(site: Site) -> None:
    """The provider gives the name and the address to somebody else, under another `sub`."""
    site.provider.lies = Lies()
    site.provider.person |= {"sub": "another"}
    successor = site.person()
    await successor.sign_in_upstream()
    await successor.open("/account")
    assert "No device is connected to your account." in successor.text
