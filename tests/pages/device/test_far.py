"""A device that is too far away from the person, and the four answers of its client.

The device is at 203.0.113.7, and the person at a loopback address if a proxy says nothing else.
"""

from pathlib import Path

import pytest
from msgspec.structs import replace

from deviceflow.config import Pages, Phishing, Server, Settings
from deviceflow.core.client import Client
from deviceflow.core.grant import Event, State
from tests.stage.factors import give_app
from tests.stage.pages import Browser, OpenBrowser, Store, check_headers
from tests.stage.places import write_places

CODE, SHOWN = "WDJBMJHT", "WDJB-MJHT"
TV = Client(client_id="tv-app", name="Living-room TV", scopes=("openid", "profile"))
FAR, SAME, BESIDE = "198.51.100.1", "203.0.113.7", "203.0.113.9"


def settings_with(client: Client, phishing: Phishing | None = None) -> Settings:
    return Settings(
        issuer="http://localhost:8628",
        server=Server(trusted_proxies=("127.0.0.0/8",)),
        clients=(client,),
        phishing=phishing or Phishing(),
    )


def at(address: str) -> dict[str, str]:
    return {"X-Forwarded-For": address}


async def enter(browser: Browser, store: Store, address: str) -> None:
    """Ada, at this address, types the code of a new request."""
    if not store.grants.by_code:
        store.grants.add(CODE)
    await browser.sign_in("ada")
    await browser.open("/device", headers=at(address))
    fields = browser.hidden | {"user_code": SHOWN}
    await browser.post("/device", data=fields, headers=at(address))
    await browser.open(browser.answer.headers["Location"], headers=at(address))


async def test_a_far_device_is_denied_where_the_client_refuses_it(
    open_browser: OpenBrowser, store: Store
) -> None:
    """Before anything is shown: the device gets access_denied, and the person learns why."""
    ada = await open_browser(settings_with(replace(TV, if_far="refuse")))
    await enter(ada, store, FAR)
    assert ada.answer.status == 403
    assert "The device is too far away" in ada.text
    check_headers(ada.answer)
    [(event, subject)] = store.grants.decisions
    assert event is Event.DENY
    assert subject is not None
    assert subject.sub == "sub-ada"
    assert store.grants.by_code[CODE].state is State.DENIED
    assert (await ada.open(f"/device/done?user_code={SHOWN}")).status == 200
    assert "was not connected" in ada.text


async def test_a_near_device_is_asked_about(open_browser: OpenBrowser, store: Store) -> None:
    ada = await open_browser(settings_with(replace(TV, if_far="refuse")))
    await enter(ada, store, SAME)
    assert ada.answer.url.path == "/device/confirm"
    fields = ada.hidden | {"user_code": SHOWN, "decision": "approve"}
    # On the way to the button, the person has gone elsewhere.
    await ada.post("/device/confirm", data=fields, headers=at(FAR))
    assert "because=far" in ada.answer.headers["Location"]
    assert store.grants.by_code[CODE].state is State.DENIED


async def test_a_page_that_is_opened_again_from_afar_denies_nothing(
    open_browser: OpenBrowser, store: Store
) -> None:
    ada = await open_browser(settings_with(replace(TV, if_far="refuse")))
    await enter(ada, store, SAME)
    answer = await ada.open(f"/device/confirm?user_code={SHOWN}", headers=at(FAR))
    assert answer.status == 403
    assert 'value="approve"' not in ada.page
    assert store.grants.by_code[CODE].state is State.PENDING


@pytest.mark.parametrize("address", [FAR, "192.168.1.4", "unknown"])
async def test_the_code_is_typed_once_more(
    open_browser: OpenBrowser, store: Store, address: str
) -> None:
    """Whatever is typed: only the code of this request approves, and the page does not show it."""
    ada = await open_browser(settings_with(replace(TV, if_far="retype")))
    await enter(ada, store, FAR)
    assert "Type the code that the device in front of you shows" in ada.text
    assert SHOWN not in ada.text
    kept = ada.hidden | {"user_code": SHOWN, "decision": "approve"}
    for typed in ({}, {"typed_code": ""}, {"typed_code": "BBBB-BBBB"}):
        await ada.post("/device/confirm", data=kept | typed, headers=at(address))
        assert ada.answer.headers["Location"].endswith("notice=retype")
        assert store.grants.by_code[CODE].state is State.PENDING
    await ada.open(ada.answer.headers["Location"], headers=at(FAR))
    assert "That was not the code of this request" in ada.text
    typed = {"typed_code": " wdjb mjht"}
    await ada.post("/device/confirm", data=kept | typed, headers=at(address))
    assert store.grants.by_code[CODE].state is State.APPROVED


async def test_nobody_types_twice_beside_the_device(
    open_browser: OpenBrowser, store: Store
) -> None:
    ada = await open_browser(settings_with(replace(TV, if_far="retype")))
    await enter(ada, store, SAME)
    assert "typed_code" not in ada.page
    fields = ada.hidden | {"user_code": SHOWN, "decision": "approve"}
    await ada.post("/device/confirm", data=fields, headers=at(SAME))
    assert store.grants.by_code[CODE].state is State.APPROVED


async def test_a_step_up_is_a_fresh_sign_in_with_a_second_factor(
    open_browser: OpenBrowser, store: Store
) -> None:
    ada = await open_browser(settings_with(replace(TV, if_far="step_up")))
    await enter(ada, store, FAR)
    await ada.open(ada.answer.headers["Location"], headers=at(FAR))
    assert "Living-room TV wants a second factor" in ada.text
    app = give_app(store)
    await ada.open(f"/login/second?user_code={SHOWN}&next=confirm")
    await ada.submit("/login/second", code=app.code(store.grants.now))
    await ada.open(f"/device/confirm?user_code={SHOWN}", headers=at(FAR))
    assert ada.answer.status == 200
    fields = ada.hidden | {"user_code": SHOWN, "decision": "approve"}
    store.grants.now += 301
    await ada.post("/device/confirm", data=fields, headers=at(FAR))
    assert ada.answer.headers["Location"] == f"/device/step-up?user_code={SHOWN}"
    await ada.open(ada.answer.headers["Location"], headers=at(FAR))
    assert "within 5 minutes" in ada.text
    # Beside the device, the same sign-in is enough.
    await ada.post("/device/confirm", data=fields, headers=at(SAME))
    assert store.grants.by_code[CODE].state is State.APPROVED


@pytest.mark.parametrize(
    ("near", "address", "is_near"),
    [
        ("address", BESIDE, False),
        ("network", BESIDE, True),
        ("network", FAR, False),
        ("country", "203.0.113.200", True),
        ("country", FAR, False),
        ("country", "8.8.8.8", False),
    ],
)
async def test_the_distance_is_the_operators(
    open_browser: OpenBrowser,
    store: Store,
    tmp_path: Path,
    near: str,
    address: str,
    *,
    is_near: bool,
) -> None:
    """By default, and for all clients. Where nothing is known of an address, it is far."""
    settings = settings_with(TV, Phishing(near=near, if_far="refuse"))  # type: ignore[arg-type]
    pages = Pages(geoip_file=write_places(tmp_path / "places.mmdb"))
    ada = await open_browser(replace(settings, pages=pages))
    await enter(ada, store, address)
    assert (store.grants.by_code[CODE].state is State.PENDING) is is_near


async def test_the_question_in_amber_goes_by_the_distance_too(
    open_browser: OpenBrowser, store: Store
) -> None:
    ada = await open_browser(settings_with(replace(TV, near="network")))
    await enter(ada, store, BESIDE)
    assert "Is the device in front of you?" not in ada.text
    await ada.open(f"/device/confirm?user_code={SHOWN}", headers=at(FAR))
    assert "Is the device in front of you?" in ada.text
