"""Heads that are too large: 431 and 414, in a page for a person and in JSON for a machine."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from aiohttp.http_exceptions import BadHttpMessage, InvalidHeader, LineTooLong

from deviceflow.oauth.poll import aiohttp_protocol
from deviceflow.oauth.poll.oversize import (
    MAX_HEADERS,
    MAX_LINE,
    OversizeHead,
    is_oversize,
    oversize_head,
)
from tests.stage.oauth import Stage
from tests.stage.served import Mint, Served, poll, serve
from tests.stage.waiting import PATIENCE_S

BROWSER = b"Accept: text/html,application/xhtml+xml"
COOKIE = b"Cookie: a=" + b"x" * MAX_LINE
MANY = b"\r\n".join(b"X-%d: 1" % number for number in range(MAX_HEADERS + 1))


@pytest.fixture(params=[True, False], ids=["lane", "no lane"])
async def served(stage: Stage, request: pytest.FixtureRequest) -> AsyncIterator[Served]:
    async with serve(stage, lane=request.param) as made:
        yield made


def head(target: bytes, *lines: bytes, method: bytes = b"GET") -> bytes:
    first = (b"%b %b HTTP/1.1" % (method, target), b"Host: 127.0.0.1:8628", *lines)
    return b"\r\n".join((*first, b"", b""))


async def received(served: Served, *segments: bytes) -> tuple[str, dict[str, str], str]:
    """Send `segments`, each when the one before has been read; status line, fields and body."""
    peer = await served.connect()
    for segment in segments:
        peer.writer.write(segment)
        await peer.writer.drain()
        await asyncio.sleep(0)
    async with asyncio.timeout(PATIENCE_S):
        sent = await peer.reader.read()
    peer.writer.close()
    told, _, body = sent.decode().partition("\r\n\r\n")
    lines = told.split("\r\n")
    fields = {
        name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])
    }
    return lines[0], fields, body


async def answer(served: Served, *segments: bytes) -> tuple[int, str, str]:
    """The same, looked at: status, type and body."""
    line, fields, body = await received(served, *segments)
    assert fields["server"] == "deviceflow"
    assert fields["cache-control"] == "no-store"
    assert len(body.encode()) == int(fields["content-length"])
    assert "xxxx" not in f"{line}{fields}{body}"
    return int(line.split()[1]), fields["content-type"].partition(";")[0], body


@pytest.mark.parametrize("path", [b"/device", b"/device/confirm?user_code=X", b"/login", b"/"])
@pytest.mark.parametrize("large", [COOKIE, MANY], ids=["a long line", "many lines"])
async def test_a_person(served: Served, path: bytes, large: bytes) -> None:
    """6585-5: the page says what to do, also if Accept comes after the cookies or never."""
    for lines in ((BROWSER, large), (large, BROWSER), (large,)):
        status, kind, body = await answer(served, head(path, *lines))
        assert (status, kind) == (431, "text/html")
        assert "Delete the cookies of this site" in body
        assert 'href="/device"' in body


@pytest.mark.parametrize("large", [COOKIE, MANY], ids=["a long line", "many lines"])
@pytest.mark.parametrize(
    ("target", "accept"),
    [
        (b"/oauth2/token", b"Accept: text/html"),
        (b"/.well-known/openid-configuration", b"Accept: text/html"),
        (b"/device", b"Accept: application/json"),
        (b"/device", b"accept:*/*"),
    ],
)
async def test_a_machine(served: Served, target: bytes, accept: bytes, large: bytes) -> None:
    for method in (b"GET", b"POST"):
        status, kind, body = await answer(served, head(target, accept, large, method=method))
        assert (status, kind) == (431, "application/json")
        error = json.loads(body)
        assert error["error"] == "invalid_request"
        assert f"{MAX_LINE} bytes" in error["error_description"]


async def test_a_long_address(served: Served) -> None:
    """RFC 9110 15.5.15."""
    long = b"?user_code=" + b"x" * MAX_LINE
    status, kind, body = await answer(served, head(b"/device" + long, BROWSER))
    assert (status, kind) == (414, "text/html")
    assert "This address is too long" in body
    status, kind, body = await answer(served, head(b"/oauth2/userinfo" + long, BROWSER))
    assert (status, kind) == (414, "application/json")
    assert json.loads(body)["error"] == "invalid_request"


@pytest.mark.parametrize(
    ("target", "allowed"),
    [
        (b"/oauth2/userinfo", "*"),
        (b"/oauth2/token?a=b", "*"),
        (b"/oauth2/introspect", None),
        (b"/device", None),
    ],
)
async def test_pages_of_other_origins(served: Served, target: bytes, allowed: str | None) -> None:
    """They can read what is wrong, at the endpoints that they may use."""
    origin = b"Origin: https://tv.example"
    _, fields, _ = await received(served, head(target, b"Accept: */*", origin, COOKIE))
    assert fields.get("access-control-allow-origin") == allowed


async def test_just_within_the_limits(served: Served) -> None:
    fits = b"Cookie: " + b"a=" + b"x" * (MAX_LINE - 20)
    lines = [b"X-%d: 1" % number for number in range(MAX_HEADERS - 5)]
    peer = await served.connect()
    peer.writer.write(head(b"/login", BROWSER, fits, *lines, b"Connection: close"))
    async with asyncio.timeout(PATIENCE_S):
        assert (await peer.reader.read()).startswith(b"HTTP/1.1 200 ")
    peer.writer.close()


async def test_a_head_in_pieces(served: Served) -> None:
    """As a network delivers it."""
    whole = head(b"/device", BROWSER, COOKIE)
    pieces = [whole[at : at + 1460] for at in range(0, len(whole), 1460)]
    assert (await answer(served, *pieces))[:2] == (431, "text/html")


async def test_much_more_than_is_read(served: Served) -> None:
    """What is still on its way when the answer is sent does not cost the client the answer."""
    lines = [b"Cookie: b=" + b"x" * MAX_LINE] * 60
    assert (await answer(served, head(b"/device", BROWSER, *lines)))[:2] == (431, "text/html")


async def test_after_another_request(served: Served, stage: Stage) -> None:
    """On a kept connection, after aiohttp and after a poll; what comes afterwards is not read."""
    peer = await served.connect()
    for before in (head(b"/login"), poll(Mint(stage).code())):
        peer.writer.write(before)
        async with asyncio.timeout(PATIENCE_S):
            told = await peer.reader.readuntil(b"\r\n\r\n")
            length = int(told.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            await peer.reader.readexactly(length)
    peer.writer.write(head(b"/device", BROWSER, COOKIE) + head(b"/login"))
    async with asyncio.timeout(PATIENCE_S):
        sent = await peer.reader.read()
    peer.writer.close()
    assert sent.startswith(b"HTTP/1.0 431 ")
    assert sent.count(b"HTTP/1.") == 1
    assert b"Delete the cookies" in sent


async def test_a_client_that_goes_on_sending(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not listened to for ever."""
    monkeypatch.setattr(aiohttp_protocol, "LINGER_S", 0.05)
    peer = await served.connect()
    peer.writer.write(head(b"/device", COOKIE)[:-2])
    async with asyncio.timeout(PATIENCE_S):
        while served.door.connections:
            peer.writer.write(b"Cookie: c=d\r\n")
            await asyncio.sleep(0)
    peer.writer.close()


def test_what_is_too_large() -> None:
    assert is_oversize(LineTooLong(b"x", 1, "2"))
    assert is_oversize(BadHttpMessage("Too many headers received"))
    for other in (None, InvalidHeader("x"), BadHttpMessage("Bad status line"), ValueError()):
        assert not is_oversize(other)


def test_what_is_known_of_a_head() -> None:
    for received, expected in (
        (b"", OversizeHead(431, "", None)),
        (b"GET", OversizeHead(431, "", None)),
        (b"GET /x", OversizeHead(431, "/x", None)),
        (b"GET /x HTTP/1.1\r\nACCEPT:  a/b\r\n", OversizeHead(431, "/x", "a/b")),
        (b"GET /x HTTP/1.1\r\norigin: https://a\r\n", OversizeHead(431, "/x", None, "https://a")),
        (b"GET /x HTTP/1.1\r\nOrigin: https://a.exam", OversizeHead(431, "/x", None)),
        (b"GET /" + b"y" * MAX_LINE, OversizeHead(414, "/" + "y" * MAX_LINE, None)),
    ):
        assert oversize_head(received) == expected
