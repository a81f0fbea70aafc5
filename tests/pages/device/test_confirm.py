"""What is shown before the decision, to whom, and for which clients."""

import msgspec
import pytest

from deviceflow.config import Settings
from deviceflow.core.client import Client
from deviceflow.core.grant import State
from tests.stage.pages import TV, Browser, OpenBrowser, Store

CODE = "WDJBMJHT"
SHOWN = "WDJB-MJHT"


async def test_the_request_is_shown_truthfully(ada: Browser, store: Store) -> None:
    """8628-5.4-a, 6749-10.2-a: application, code, scopes in words, lifetime, device, time."""
    store.grants.add(CODE)
    answer = await ada.enter(SHOWN)
    assert answer.status == 200
    for words in (
        "Connect Living-room TV to your account?",
        SHOWN,
        "Your device must show this code now",
        "Is the device in front of you? It asked from another network than yours.",
        "If somebody sent you this code, choose Deny.",
        "Know who you are",
        "See your name & picture",
        "For up to 1 hour",
        "From 203.0.113.7",
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
    store.grants.add(CODE, scope="", address="127.0.0.1", device="")
    await ada.enter(SHOWN)
    assert "gets no other access" in ada.text
    assert "Is the device in front of you?" not in ada.text
    warning = "Nobody should have sent you this code. If you got it in a message or a call, choose"
    assert warning in ada.text
    assert "127.0.0.1" in ada.text
    assert "the network you are on now" not in ada.text
    assert "Calls itself" not in ada.text


async def test_what_a_device_says_of_itself_is_text(ada: Browser, store: Store) -> None:
    """CONFORMANCE 4, XSS: client and device names are escaped."""
    store.grants.add(CODE, device="<img/src=x>", scope="<b>")
    answer = await ada.enter(SHOWN)
    assert answer.status == 200
    assert "<img src=x" not in ada.page
    assert "&lt;b&gt;" in ada.page


async def test_consent_is_asked_for_every_time(ada: Browser, store: Store) -> None:
    """8628-5.6-a, 6749-10.2-a: an earlier approval decides nothing."""
    store.grants.add(CODE)
    await ada.enter(SHOWN)
    await ada.press("approve")
    store.grants.add("BCDFGHJK")
    await ada.enter("BCDF-GHJK")
    assert "Connect Living-room TV to your account?" in ada.text
    assert store.grants.by_code["BCDFGHJK"].state is State.PENDING


async def test_the_page_may_be_shown_again_to_the_same_account(ada: Browser, store: Store) -> None:
    store.grants.add(CODE)
    for _ in range(2):
        answer = await ada.enter(SHOWN)
        assert (answer.status, SHOWN in ada.text) == (200, True)


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


async def test_the_name_is_kept_apart_from_our_words(ada: Browser, store: Store) -> None:
    """A name that is written from right to left changes no word around it."""
    name = "\u05d8\u05dc\u05d5\u05d5\u05d9\u05d6\u05d9\u05d4"
    store.clients.adopt([msgspec.structs.replace(TV, name=name)])
    store.grants.add(CODE)
    await ada.enter(SHOWN)
    assert f'<bdi class="client">{name}</bdi>' in ada.page
    await ada.submit("/device", decision="approve")
    await ada.follow()
    assert f"<bdi>{name}</bdi>" in ada.page


@pytest.mark.parametrize("verified", [True, False])
async def test_a_name_that_nobody_has_verified(
    ada: Browser, store: Store, *, verified: bool
) -> None:
    store.clients.adopt([msgspec.structs.replace(TV, verified=verified)])
    store.grants.add(CODE)
    await ada.enter(SHOWN)
    assert ("Nobody has verified this name" in ada.text) is not verified


@pytest.mark.parametrize(
    ("code", "classes"),
    [
        ("WDJBMJHT", "to-9"),
        ("WDJBMJHTB", "to-11"),
        ("WDJBMJHTBC", "to-11"),
        ("W" * 11, "to-14"),
        ("W" * 12, "to-14"),
        ("W" * 14, "to-17"),
    ],
)
async def test_a_longer_code_is_set_smaller(
    ada: Browser, store: Store, code: str, classes: str
) -> None:
    store.grants.add(code)
    await ada.enter(code)
    assert f'class="code {classes}"' in ada.page
