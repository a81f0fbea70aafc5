"""The clients in the console."""

import re
from unittest import mock

from deviceflow.admin.console import clients
from tests.stage.console import ConsoleBrowser
from tests.stage.oauth import CLIENTS, Worker
from tests.stage.waiting import until


async def test_a_list_in_pages(console: ConsoleBrowser) -> None:
    seen, place = "", "/console/clients"
    with mock.patch.object(clients, "CLIENTS_ON_A_PAGE", 4):
        while place:
            await console.open(place)
            seen += console.text
            found = re.search(r'href="(/console/clients\?after=[^"]*)"', console.page)
            place = found[1] if found else ""
    assert [client.name for client in CLIENTS if client.name not in seen] == []


async def test_one_client(console: ConsoleBrowser) -> None:
    await console.open("/console/clients/off")
    assert "Switched off" in console.text
    assert "disabled" in console.text
    await console.open("/console/clients/console")
    assert "client_secret_basic" in console.text
    assert "secret_sha256" not in console.page
    assert (await console.open("/console/clients/nobody")).status == 404


async def test_all_waiting_grants_of_a_client_after_a_question(
    console: ConsoleBrowser, worker: Worker
) -> None:
    waiting = (await worker.authorize()).body["device_code"]
    await console.open("/console/clients/tv-app")
    assert "/console/clients/tv-app/cancel" in console.page
    await console.open("/console/clients/tv-app/cancel")
    assert "Cancel all waiting grants of Living-room TV?" in console.text
    assert (await worker.poll(waiting)).error == "authorization_pending"
    await console.submit("/console/clients/tv-app/cancel")
    await console.follow()
    assert "Living-room TV" in console.text
    await until(lambda: worker.mirror.cancelled_below)
    assert (await worker.poll(waiting)).error == "access_denied"
    assert (await console.open("/console/clients/nobody/cancel")).status == 404
