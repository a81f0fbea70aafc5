"""The clients in the console."""

import re
from unittest import mock

from deviceflow.admin.console import clients
from tests.stage.console import ConsoleBrowser
from tests.stage.oauth import CLIENTS


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
