"""A login that the client library keeps, at this server: lost answers and two processes.

Decision 0010 is the server's half, `deviceflow.device.login` the device's.
"""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from deviceflow.device import (
    DeviceClient,
    DeviceLogin,
    LoginRequired,
    Metadata,
    Tokens,
    UnreachableError,
)
from deviceflow.store.families import SAME_SUCCESSOR_S
from tests.stage.clock import Clock
from tests.stage.oauth import ISSUER, People, Worker


@pytest.fixture
async def client(worker: Worker) -> AsyncIterator[DeviceClient]:
    address = f"http://127.0.0.1:{worker.port}/oauth2"
    metadata = Metadata(
        issuer=ISSUER,
        token_endpoint=f"{address}/token",
        device_authorization_endpoint=f"{address}/device_authorization",
        revocation_endpoint=f"{address}/revoke",
        device_poll_max_wait=30,
    )
    async with DeviceClient(metadata, "tv-app") as made:
        yield made


def process(client: DeviceClient, folder: Path, clock: Clock) -> DeviceLogin:
    """The login as a process of its own sees it."""
    return DeviceLogin(client, "openid offline_access", folder=folder, wall_clock=clock)


@pytest.fixture
async def login(client: DeviceClient, people: People, tmp_path: Path, clock: Clock) -> DeviceLogin:
    """Ada has approved it."""
    made = process(client, tmp_path, clock)
    codes = await client.authorize("openid offline_access")
    # Before the first poll: `approve` returns when the worker has heard of the approval, which a
    # redemption would overwrite.
    await people.approve(codes.user_code)
    await made.keep(await client.poll_until_decided(codes))
    return made


async def test_lost_answers_strand_nobody(
    login: DeviceLogin,
    client: DeviceClient,
    clock: Clock,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The server has rotated the token each time; the device has only the first one."""
    first = await login.access_token()
    refresh = client.refresh

    async def loses(refresh_token: str) -> Tokens:
        await refresh(refresh_token)
        raise UnreachableError(ISSUER, "it closed the connection without an answer")

    for _ in range(3):
        clock.advance(1800 + SAME_SUCCESSOR_S)
        with monkeypatch.context() as patch:
            patch.setattr(client, "refresh", loses)
            with pytest.raises(UnreachableError):
                await process(client, tmp_path, clock).access_token()
    second = await login.access_token()
    assert second != first
    clock.advance(1800)
    assert await login.access_token() not in {first, second}


async def test_many_processes_share_it(
    login: DeviceLogin, client: DeviceClient, clock: Clock, tmp_path: Path
) -> None:
    for _ in range(2):
        clock.advance(1800)
        tokens = await asyncio.gather(
            *(process(client, tmp_path, clock).access_token() for _ in range(4))
        )
        assert len(set(tokens)) == 1
    assert await login.access_token() == tokens[0]


async def test_a_login_that_was_revoked_elsewhere(
    login: DeviceLogin, client: DeviceClient, clock: Clock
) -> None:
    kept = login.file.read()
    assert kept is not None
    await client.revoke(str(kept.tokens.refresh_token))
    clock.advance(1800)
    with pytest.raises(LoginRequired, match="has ended"):
        await login.access_token()
    assert await login.logout() is True
