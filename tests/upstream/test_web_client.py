"""Requests to providers end, whatever the other side does."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from deviceflow.upstream.errors import Cause, UpstreamError
from deviceflow.upstream.web_client import MAX_RESPONSE_BYTES, Response, WebClient
from tests.stage.ports import free_port
from tests.stage.provider import Lies, StageProvider
from tests.stage.waiting import PATIENCE_S


@pytest.fixture
async def client() -> AsyncIterator[WebClient]:
    client = WebClient(aiohttp.ClientTimeout(total=PATIENCE_S))
    yield client
    await client.close()


async def cause_of(client: WebClient, url: str) -> Cause:
    with pytest.raises(UpstreamError) as caught:
        await client.fetch(url)
    assert url.partition("?")[0] in caught.value.detail
    assert "secret" not in caught.value.detail
    return caught.value.cause


async def test_an_object_and_its_status(client: WebClient, provider: StageProvider) -> None:
    provider.lies = Lies(status={"/jwks": 418})
    response = await client.fetch(f"{provider.issuer}/jwks")
    assert response.status == 418
    assert set(response.body) == {"keys"}


@pytest.mark.parametrize("body", [b"", b"[]", b"7", b"{", b"\xff", b'{"a":' * 20_000])
async def test_what_is_no_object_is_empty(
    client: WebClient, provider: StageProvider, body: bytes
) -> None:
    provider.lies = Lies(bodies={"/jwks": body})
    assert await client.fetch(f"{provider.issuer}/jwks") == Response(200, {})


async def test_a_long_body_is_not_read_to_its_end(
    client: WebClient, provider: StageProvider
) -> None:
    provider.lies = Lies(bodies={"/jwks": b" " * (MAX_RESPONSE_BYTES + 1)})
    assert await cause_of(client, f"{provider.issuer}/jwks") is Cause.BAD_RESPONSE


@pytest.mark.parametrize(
    "lies",
    [
        Lies(status={"/jwks": 302}, headers={"Location": "http://127.0.0.1/"}),
        Lies(headers={"Content-Encoding": "gzip"}),
    ],
    ids=["a redirect", "compressed"],
)
async def test_what_is_not_taken(client: WebClient, provider: StageProvider, lies: Lies) -> None:
    provider.lies = lies
    assert await cause_of(client, f"{provider.issuer}/jwks") is Cause.BAD_RESPONSE


async def test_silence_ends(provider: StageProvider) -> None:
    provider.lies = Lies(hangs=frozenset({"/jwks"}))
    hasty = WebClient(aiohttp.ClientTimeout(total=0.05))
    assert await cause_of(hasty, f"{provider.issuer}/jwks") is Cause.UNREACHABLE
    await hasty.close()


async def test_nobody_is_there(client: WebClient) -> None:
    assert await cause_of(client, f"http://127.0.0.1:{free_port()}/jwks") is Cause.UNREACHABLE
    assert await cause_of(client, "https://nobody.invalid/jwks") is Cause.UNREACHABLE


async def test_a_proxy_of_the_environment(
    client: WebClient, provider: StageProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the proxy can reach that host, and loopback is reached without it."""
    monkeypatch.setenv("HTTP_PROXY", provider.issuer)
    assert "keys" in (await client.fetch("http://sso.invalid/jwks")).body
    provider.lies = Lies(status={"/jwks": 418})
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{free_port()}")
    assert (await client.fetch(f"{provider.issuer}/jwks")).status == 418
    monkeypatch.setenv("HTTP_PROXY", provider.issuer)
    monkeypatch.setenv("NO_PROXY", ".invalid")
    assert await cause_of(client, "http://sso.invalid/jwks") is Cause.UNREACHABLE
    monkeypatch.setenv("HTTP_PROXY", "socks5://user:secret@127.0.0.1:1")
    with pytest.raises(UpstreamError, match="HTTP_PROXY is socks5"):
        await client.fetch("http://sso.example.com/jwks")
