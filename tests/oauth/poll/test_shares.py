"""Whose polls share the places for held polls, and how many places they get."""

import asyncio
from collections.abc import AsyncIterator
from itertools import count
from typing import Any

import pytest

from deviceflow.core.device_code import DeviceCode
from deviceflow.core.holding import Hold, HoldRule
from deviceflow.oauth.poll.held import HeldPolls
from deviceflow.oauth.poll.shares import NO_SHARE, PollShares
from deviceflow.store.mirror import Mirror
from tests.stage.oauth import Stage
from tests.stage.served import Mint, Served, poll, serve
from tests.stage.waiting import turns_until

PROXIES = ("10.0.0.0/8", "2001:db8:ffff::/48")
PROXY, DEVICE = ("10.0.0.1", 443), ("203.0.113.7", 50000)
ASKED = Hold(30, is_asked=True)


def request(*headers: bytes) -> bytes:
    return b"\r\n".join([b"POST /oauth2/token HTTP/1.1", b"Host: x", *headers, b"", b"a=b"])


@pytest.mark.parametrize(
    ("peername", "headers", "share"),
    [
        (DEVICE, (), "203.0.113.7 tv"),
        (("2001:db8:1:2::7", 5, 0, 0), (), "2001:db8:1:2::/64 tv"),
        (DEVICE, (b"X-Forwarded-For: 198.51.100.1",), "203.0.113.7 tv"),
        (PROXY, (b"X-Forwarded-For: 198.51.100.1",), "198.51.100.1 tv"),
        (PROXY, (b"x-forwarded-for:9.9.9.9, 198.51.100.1 ",), "198.51.100.1 tv"),
        (PROXY, (b"X-Forwarded-For: 9.9.9.9", b"X-FORWARDED-FOR: 2001:db8::9"), "2001:db8::/64 tv"),
        (PROXY, (b"X-Forwarded-For: 9.9.9.9, 10.0.0.2",), "9.9.9.9 tv"),
        (PROXY, (b"X-Forwarded-For: 9.9.9.9, nonsense",), NO_SHARE),
        (PROXY, (), NO_SHARE),
        (PROXY, (b"Forwarded: for=198.51.100.1",), NO_SHARE),
        (("127.0.0.1", 5), (), NO_SHARE),
        (("::1", 5, 0, 0), (), NO_SHARE),
        ("", (), NO_SHARE),
        (None, (), NO_SHARE),
    ],
)
def test_the_share(peername: object, headers: tuple[bytes, ...], share: str) -> None:
    """A header counts only if a trusted proxy sends it."""
    assert PollShares(PROXIES).of_request(peername, request(*headers), b"tv") == share


def test_the_other_header() -> None:
    shares = PollShares(PROXIES, "forwarded")
    told = b'Forwarded: for=9.9.9.9, for="198.51.100.1:80";proto=https'
    assert shares.of_request(PROXY, request(told), b"tv") == "198.51.100.1 tv"
    ignored = b"X-Forwarded-For: 198.51.100.1"
    assert shares.of_request(PROXY, request(ignored), b"tv") == NO_SHARE


def test_a_body_is_no_header() -> None:
    body = request() + b"\r\nX-Forwarded-For: 198.51.100.1\r\n"
    assert PollShares(PROXIES).of_request(PROXY, body, b"tv") == NO_SHARE


class Places:
    """Held polls of grants that nobody decides."""

    def __init__(self, most: int) -> None:
        self.polls = HeldPolls(Mirror(), lambda: 0.0, lambda _: 1, max_held=most, rule=HoldRule(30))
        self.refused: list[str] = []
        self.polls.on_refusal = self.refused.append
        self.numbers = count(1)
        self.transports: dict[str, list[object]] = {}

    def hold(self, share: str, number: int = 1) -> int:
        """Try to hold so many; return how many are held."""
        return sum(self._hold_one(share) for _ in range(number))

    def _hold_one(self, share: str) -> bool:
        transport = object()
        code = DeviceCode(next(self.numbers), 600, 5, 0)
        is_held = self.polls.hold(transport, code, ASKED, lambda _: None, share)
        if is_held:
            self.transports.setdefault(share, []).append(transport)
        return is_held

    def end(self, share: str) -> None:
        for transport in self.transports.pop(share):
            self.polls.drop(transport)


@pytest.fixture
async def places() -> AsyncIterator[Places]:
    made = Places(90)
    yield made
    made.polls.drop_all()


async def test_a_share_takes_as_many_places_as_are_left(places: Places) -> None:
    assert places.hold("a", 100) == 45
    assert places.hold("b", 100) == 23
    assert places.hold("c", 100) == 11
    assert places.hold("d") == 1
    assert set(places.refused) == {"held.address"}


async def test_places_that_get_free_are_shared_anew(places: Places) -> None:
    """Two that take what they can get have a third each, and a third is left."""
    places.hold("a", 100)
    places.hold("b", 100)
    for _ in range(60):
        places.polls.drop(places.transports["a"].pop())
        places.hold("b", 5)
        places.hold("a", 5)
    taken = {share: len(transports) for share, transports in places.transports.items()}
    assert all(28 <= number <= 32 for number in taken.values()), taken
    places.end("a")
    places.end("b")
    assert places.hold("a", 100) == 45
    assert not places.polls._by_share.keys() - {"a"}, "nothing is left of those that have gone"


async def test_polls_in_no_share_may_take_all_places(places: Places) -> None:
    assert places.hold(NO_SHARE, 100) == 90
    assert places.hold("a") == 0
    assert set(places.refused) == {"held.all"}


class Devices:
    """Devices behind a trusted proxy, each on a connection of its own."""

    def __init__(self, served: Served, mint: Mint) -> None:
        self.served = served
        self.mint = mint
        self.writers: list[asyncio.StreamWriter] = []

    async def poll(self, address: bytes) -> str:
        """Send a poll that asks to be held; return the answer, `held` if there is none yet."""
        held = self.served.apps.polls.held
        before = len(held)
        reader, writer = await asyncio.open_connection("127.0.0.1", self.served.port)
        self.writers.append(writer)
        told = b"X-Forwarded-For: " + address
        writer.write(poll(self.mint.code(), b"Prefer: wait=20", told))
        answering = asyncio.create_task(reader.readuntil(b"}"))
        await turns_until(lambda: answering.done() or len(held) > before)
        if answering.done():
            return "pending" if b"authorization_pending" in answering.result() else "other"
        answering.cancel()
        return "held"

    async def close(self) -> None:
        for writer in self.writers:
            writer.close()
            await writer.wait_closed()


@pytest.mark.parametrize("lane", [True, False])
async def test_one_address_leaves_places_to_others(stage: Stage, *, lane: bool) -> None:
    """Through the lane and without it: beyond its share, a poll is answered at once."""
    server: dict[str, Any] = {"trusted_proxies": ("127.0.0.0/8",)}
    async with serve(stage, lane=lane, device={"max_held": 4}, server=server) as served:
        devices = Devices(served, Mint(stage))
        flood = [await devices.poll(b"198.51.100.1") for _ in range(4)]
        assert flood == ["held", "held", "pending", "pending"]
        assert await devices.poll(b"198.51.100.2") == "held"
        assert len(served.apps.polls.held) == 3
        await devices.close()
