"""The client without asyncio. The server answers from another thread."""

import asyncio
import inspect
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from deviceflow.device import (
    AccessDenied,
    Decided,
    DeviceClient,
    DeviceLogin,
    SyncDeviceClient,
    SyncDeviceLogin,
    UnreachableError,
)
from tests.stage.scripted import CODES, TOKENS, FakeTime, Say, ScriptedServer, error, serve


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    async with serve(FakeTime()) as scripted:
        scripted.hold_and_revoke()
        yield scripted


async def test_the_whole_flow(server: ScriptedServer) -> None:
    server.polls = [Say(TOKENS), Say({**TOKENS, "access_token": "next"})]

    def flow() -> list[str]:
        with SyncDeviceClient(server.issuer, "tv-app") as client:
            codes = client.authorize("openid")
            tokens = client.poll_until_decided(codes)
            following = client.refresh("r1")
            client.revoke("r1")
            return [codes.user_code, tokens.access_token, following.access_token]

    expected = [CODES["user_code"], TOKENS["access_token"], "next"]
    assert await asyncio.to_thread(flow) == expected
    assert server.requests("/revoke")[0].form["token"] == "r1"


async def test_events_is_an_iterator(server: ScriptedServer) -> None:
    server.polls = [error("access_denied")]

    def flow() -> list[type]:
        with SyncDeviceClient(server.issuer, "tv-app") as client:
            kinds = [type(event) for event in client.events(client.authorize())]
            server.polls = [error("access_denied")]
            with pytest.raises(AccessDenied):
                client.poll_until_decided(client.authorize())
            return kinds

    assert await asyncio.to_thread(flow) == [Decided]


async def test_an_iterator_that_is_left_ends_with_the_client(server: ScriptedServer) -> None:
    server.polls = [error("slow_down")]

    def flow() -> None:
        client = SyncDeviceClient(server.issuer, "tv-app")
        events = client.events(client.authorize())
        next(events)
        client.close()
        client.close()
        events.close()

    await asyncio.to_thread(flow)
    assert len(server.polled) == 1


async def test_a_login_lasts(server: ScriptedServer, tmp_path: Path) -> None:
    server.polls = [Say(TOKENS)]

    def flow() -> tuple[str, bool, bool]:
        with SyncDeviceClient(server.issuer, "tv-app") as client:
            login = SyncDeviceLogin(client, folder=tmp_path / "logins")
            login.sign_in(lambda _: None)
        with SyncDeviceClient(server.issuer, "tv-app") as client:
            login = SyncDeviceLogin(client, folder=tmp_path / "logins")
            token = login.access_token()
            return token, login.logout(), login.file.path.exists()

    assert await asyncio.to_thread(flow) == (TOKENS["access_token"], True, False)


def test_errors_are_the_same() -> None:
    with SyncDeviceClient("http://127.0.0.1:1", "tv-app") as client:
        with pytest.raises(UnreachableError, match="connection refused"):
            client.authorize()
        with pytest.raises(UnreachableError):
            client.metadata()


async def test_not_inside_an_event_loop() -> None:
    """It would stand still, so it says so."""
    client = SyncDeviceClient("http://127.0.0.1:1", "tv-app")
    with pytest.raises(RuntimeError, match="running event loop"):
        client.authorize()


@pytest.mark.parametrize(
    ("one", "other"), [(DeviceClient, SyncDeviceClient), (DeviceLogin, SyncDeviceLogin)]
)
def test_it_has_the_methods_and_arguments_of_the_other(one: type, other: type) -> None:
    def public(kind: type) -> dict[str, list[str]]:
        return {
            name: list(inspect.signature(method).parameters)
            for name, method in inspect.getmembers(kind, inspect.isfunction)
            if not name.startswith("_")
        }

    own = {"run"}  # what brings a coroutine into its loop
    assert {k: v for k, v in public(other).items() if k not in own} == public(one)
