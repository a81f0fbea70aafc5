"""The devices of an account are seen, named and disconnected by their person alone."""

from pathlib import Path

import msgspec
import pytest

from deviceflow.config import Pages, Settings
from deviceflow.pages.account.devices import ALL, DEVICE_NAME_CHARACTERS
from deviceflow.store.devices import DEVICES_ON_A_PAGE
from tests.stage.pages import POLICY, Browser, OpenBrowser, Store, check_headers
from tests.stage.places import write_places

SCRIPTED = f"{POLICY}; script-src 'self'"


async def follow(browser: Browser) -> str:
    """See where the form led."""
    assert browser.answer.status == 303
    await browser.follow()
    return browser.text


async def test_a_person_without_devices(ada: Browser, store: Store) -> None:
    store.devices.add("sub-bob")
    check_headers(await ada.open("/account"), policy=SCRIPTED)
    assert "No device is connected to your account." in ada.text
    assert "Disconnect all" not in ada.text


async def test_a_device_is_shown_with_what_is_known(ada: Browser, store: Store) -> None:
    device = store.devices.add()
    await ada.open("/account")
    assert "NebulaTV 4.2" in ada.text
    assert "Living-room TV" in ada.text
    assert "used 1 hour ago · connected 2 hours ago" in ada.text
    check_headers(await ada.open(f"/account/device?device={device.grant_id}"), policy=SCRIPTED)
    for fact in (
        "Application Living-room TV",
        "Connected 2 hours ago 5 Nov 2026, 12:03 UTC from 198.51.100.4",
        "Asked from 203.0.113.7",
        "Last used 1 hour ago",
        "Access until 6 Nov 2026",
        "See your name & picture",
    ):
        assert fact in ada.text


async def test_a_device_is_shown_with_about_where_it_was(
    open_browser: OpenBrowser, store: Store, settings: Settings, tmp_path: Path
) -> None:
    pages = Pages(geoip_file=write_places(tmp_path / "places.mmdb"))
    ada = await open_browser(msgspec.structs.replace(settings, pages=pages))
    await ada.sign_in()
    device = store.devices.add()
    await ada.open(f"/account/device?device={device.grant_id}")
    assert "from 198.51.100.4 · near Paris, France" in ada.text
    assert "Asked from near Berlin, Germany 203.0.113.7" in ada.text
    await ada.open(f"/account/disconnect?device={device.grant_id}")
    assert "near Berlin, Germany 203.0.113.7" in ada.text


async def test_a_device_that_has_no_tokens_yet(ada: Browser, store: Store) -> None:
    device = store.devices.add(is_waiting=True)
    await ada.open("/account")
    assert "has not fetched its access yet" in ada.text
    await ada.open(f"/account/disconnect?device={device.grant_id}")
    assert "Your approval is taken back" in ada.text


async def test_the_client_may_be_gone(ada: Browser, store: Store) -> None:
    store.devices.add(client_id="gone", device="", approved_at=0, address="")
    await ada.open("/account")
    assert "An application that is no longer known" in ada.text
    assert "connected" not in ada.text.partition("used")[2].partition("Disconnect")[0]


async def test_disconnecting_asks_first(ada: Browser, store: Store) -> None:
    device = store.devices.add()
    path = f"/account/disconnect?device={device.grant_id}"
    check_headers(await ada.open(path), policy=SCRIPTED)
    assert "Disconnect <bdi>NebulaTV 4.2</bdi>?" in ada.page
    assert store.devices.ended == []
    await ada.submit("/account/disconnect")
    assert "The device is disconnected." in await follow(ada)
    assert store.devices.ended == [device.grant_id]
    assert "No device is connected" in ada.text
    await ada.open("/account")
    assert "The device is disconnected." not in ada.text


async def test_disconnecting_twice(ada: Browser, store: Store) -> None:
    """Two tabs, or Back: the second form changes nothing, and says so."""
    device = store.devices.add()
    await ada.open(f"/account/disconnect?device={device.grant_id}")
    form = ada.hidden
    await ada.post("/account/disconnect", data=form)
    await ada.post("/account/disconnect", data=form)
    assert "This is no longer connected." in await follow(ada)
    await ada.open(f"/account/disconnect?device={device.grant_id}")
    assert "This is no longer connected." in await follow(ada)


async def test_all_are_disconnected(ada: Browser, store: Store) -> None:
    for _ in range(3):
        store.devices.add()
    other = store.devices.add("sub-bob")
    await ada.open(f"/account/disconnect?device={ALL}")
    assert "Disconnect all 3 devices?" in ada.text
    await ada.submit("/account/disconnect")
    assert "All devices are disconnected." in await follow(ada)
    assert list(store.devices.by_id) == [other.grant_id]
    await ada.open(f"/account/disconnect?device={ALL}")
    assert "This is no longer connected." in await follow(ada)


@pytest.mark.parametrize("device", ["device-0", "", "x", "../device", "é", "all' --"])
async def test_another_persons_device_looks_like_none(
    ada: Browser, store: Store, device: str
) -> None:
    store.devices.add("sub-bob")
    await ada.open("/account")
    for path in ("/account/device", "/account/disconnect"):
        await ada.open(f"{path}?device={device}")
        assert "This is no longer connected." in await follow(ada)
    token = {"csrf_token": csrf_token(ada)}
    await ada.post("/account/disconnect", data=token | {"device": device})
    assert "This is no longer connected." in await follow(ada)
    await ada.post("/account/device", data=token | {"device": device, "name": "mine"})
    assert "This is no longer connected." in await follow(ada)
    assert store.devices.ended == []
    assert store.devices.by_id["device-0"][1].entry.name == ""


def csrf_token(browser: Browser) -> str:
    """The token of the form in the footer, which is that of all forms."""
    return browser.page.partition('name="csrf_token" value="')[2].partition('"')[0]


async def test_a_device_gets_a_name(ada: Browser, store: Store) -> None:
    device = store.devices.add()
    await ada.open(f"/account/device?device={device.grant_id}")
    await ada.submit("/account/device", name="  Kitchen <b>TV</b> ")
    text = await follow(ada)
    assert "The name is saved." in text
    assert "Kitchen &lt;b&gt;TV&lt;/b&gt;" in ada.page
    assert store.devices.by_id[device.grant_id][1].entry.name == "Kitchen <b>TV</b>"
    await ada.open("/account")
    assert "Kitchen <b>TV</b>" in ada.text
    assert "Living-room TV · NebulaTV 4.2" in ada.text
    await ada.open(f"/account/device?device={device.grant_id}")
    await ada.submit("/account/device", name="")
    await follow(ada)
    assert store.devices.by_id[device.grant_id][1].entry.name == ""


@pytest.mark.parametrize("name", ["x" * (DEVICE_NAME_CHARACTERS + 1), "a\u202eb", "\u200b", "a\nb"])
async def test_a_name_that_cannot_be_shown_is_refused(
    ada: Browser, store: Store, name: str
) -> None:
    device = store.devices.add()
    await ada.open(f"/account/device?device={device.grant_id}")
    await ada.submit("/account/device", name=name)
    assert "This name cannot be used." in await follow(ada)
    assert 'aria-invalid="true"' in ada.page
    assert store.devices.by_id[device.grant_id][1].entry.name == ""


async def test_there_are_pages(ada: Browser, store: Store) -> None:
    for number in range(DEVICES_ON_A_PAGE + 1):
        store.devices.add(name=f"Device {number}")
    await ada.open("/account")
    assert ada.page.count('class="thing"') == DEVICES_ON_A_PAGE
    assert "/account?page=2" in ada.page
    await ada.open("/account?page=2")
    assert ada.page.count('class="thing"') == 1
    assert "Device 0" in ada.text
    assert "/account?page=1" in ada.page
    for odd in ("0", "-1", "x", "1" * 9, "\u0661"):
        await ada.open(f"/account?page={odd}")
        assert ada.answer.status == 200


@pytest.mark.parametrize("page", ["2", "10001", "99999"])
async def test_a_page_after_the_last_leads_to_the_first(
    ada: Browser, store: Store, page: str
) -> None:
    """Back, after many were disconnected: "no device is connected" would not be true."""
    store.devices.add()
    await ada.open(f"/account?page={page}")
    assert ada.answer.headers["Location"] == "/account"
    assert "NebulaTV 4.2" in await follow(ada)


@pytest.mark.parametrize("path", ["/account", "/account/device", "/account/disconnect"])
async def test_a_stranger_signs_in_and_comes_back(browser: Browser, path: str) -> None:
    await browser.open(path)
    assert browser.answer.headers["Location"] == "/login"
    await browser.follow()
    await browser.send_password(username="ada", password="ada")
    assert browser.answer.headers["Location"] == "/account"
    await browser.follow()
    assert "Your devices" in browser.text


async def test_a_form_without_a_session_changes_nothing(browser: Browser, store: Store) -> None:
    device = store.devices.add()
    await browser.post("/account/disconnect", data={"device": device.grant_id})
    assert browser.answer.headers["Location"] == "/login?notice=ended"
    assert store.devices.ended == []


async def test_a_form_of_before_changes_nothing(ada: Browser, store: Store) -> None:
    device = store.devices.add()
    for path, field in (("/account/disconnect", "device"), ("/account/device", "device")):
        await ada.post(path, data={field: device.grant_id, "csrf_token": "old"})
        assert "This page was out of date." in await follow(ada)
    assert store.devices.ended == []


async def test_a_form_of_another_site_is_refused(ada: Browser, store: Store) -> None:
    device = store.devices.add()
    await ada.open(f"/account/disconnect?device={device.grant_id}")
    origin = {"Origin": "https://evil.example"}
    await ada.post("/account/disconnect", data=ada.hidden, headers=origin)
    assert ada.answer.status == 403
    assert store.devices.ended == []


async def test_an_address_cannot_make_the_page_say_something(ada: Browser) -> None:
    await ada.open("/account?said=all_disconnected&seal=00")
    assert "disconnected" not in ada.text


async def test_the_last_page_leads_to_what_undoes_it(ada: Browser, store: Store) -> None:
    store.grants.add("WDJBMJHT")
    await ada.enter("WDJB-MJHT")
    await ada.press("approve")
    assert "Was that a mistake? Disconnect the device" in ada.text
    done = ada.answer.url.path_qs
    await ada.open("/account/disconnect?device=grant-1")
    await ada.submit("/account/disconnect")
    assert "The device is disconnected." in await follow(ada)
    await ada.open(done)
    assert ada.answer.status == 200
    assert "it has no access any more" in ada.text
    assert "mistake" not in ada.text


async def test_the_footer_leads_to_the_devices(ada: Browser) -> None:
    await ada.open("/device")
    assert 'href="/account"' in ada.page


async def test_the_last_page_of_an_approval_by_an_older_version(ada: Browser, store: Store) -> None:
    """It is on no list yet. The page says that it is connected, and offers nothing."""
    store.grants.add("WDJBMJHT")
    await ada.enter("WDJB-MJHT")

    async def none(*_: str) -> None:
        return None

    store.devices.get = none  # type: ignore[method-assign, assignment]
    await ada.press("approve")
    assert "You can go back to your device" in ada.text
    assert "mistake" not in ada.text
