"""Two workers over one store: one with its lanes, one without. And starts as bytes."""

from collections.abc import AsyncIterator
from typing import NamedTuple

import msgspec
import pytest

from deviceflow.config import GrantLimits
from deviceflow.core.client import Client
from tests.stage.oauth import Stage
from tests.stage.served import Served, serve

CLIENTS = (
    Client(client_id="bound", name="PKCE", scopes=("profile",), pkce="required"),
    Client(client_id="proving", name="DPoP", scopes=("profile",), dpop="required"),
    Client(client_id="without", name="No device grant", device=False),
    Client(client_id="here", name="Home", scopes=("profile",), start_networks=("127.0.0.0/8",)),
    Client(client_id="away", name="Away", scopes=("profile",), start_networks=("192.0.2.0/24",)),
    Client(client_id="a+b", name="Odd", scopes=("profile",)),
)


class Pair(NamedTuple):
    """The two workers."""

    with_lane: Served
    without: Served


@pytest.fixture
def cors_origins() -> tuple[str, ...]:
    """The setting `server.cors_origins`."""
    return ("*",)


@pytest.fixture
def trusted_proxies() -> tuple[str, ...]:
    """The setting `server.trusted_proxies`."""
    return ()


@pytest.fixture
def limits() -> GrantLimits:
    """The setting `limits`."""
    return GrantLimits()


@pytest.fixture
async def pair(
    stage: Stage,
    cors_origins: tuple[str, ...],
    trusted_proxies: tuple[str, ...],
    limits: GrantLimits,
) -> AsyncIterator[Pair]:
    replace = msgspec.structs.replace
    stage.settings = replace(
        stage.settings,
        clients=(*stage.settings.clients, *CLIENTS),
        limits=limits,
        server=replace(
            stage.settings.server, cors_origins=cors_origins, trusted_proxies=trusted_proxies
        ),
    )
    async with serve(stage, lane=True) as with_lane, serve(stage, lane=False) as without:
        yield Pair(with_lane, without)
