"""What a person reads if no answer comes: what is wrong, and what to do. With real sockets."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from deviceflow.device.causes import Cause, cause_of
from deviceflow.device.errors import UnreachableError
from deviceflow.device.transport import fetch
from tests.stage.ports import free_port
from tests.stage.proxying import certificate_for, listening, proxying, with_tls

NOBODY = "https://login.invalid/"


async def message(url: str, timeout_s: float = 10) -> str:
    """The text of the error for an address."""
    async with aiohttp.ClientSession() as session:
        with pytest.raises(UnreachableError) as caught:
            await fetch(session, url, timeout_s=timeout_s)
    return str(caught.value)


@asynccontextmanager
async def server(answer: bytes | None) -> AsyncIterator[int]:
    """Give the port of a server that says `answer` and hangs up; with None, it says nothing."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1 << 16)
        if answer is None:
            await reader.read()
        else:
            writer.write(answer)
        writer.close()

    async with listening(serve) as port:
        yield port


async def test_nobody_listens() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    assert await message(url) == (
        f"Cannot reach {url}: connection refused. Is the server running there, and is the port "
        "right?"
    )


async def test_no_such_name() -> None:
    assert await message(NOBODY) == (
        "Cannot reach https://login.invalid: no such host. Check the spelling and the network of "
        "this machine."
    )


async def test_a_server_without_tls() -> None:
    """It is not "operation not permitted", as OpenSSL's number would say of the system."""
    async with server(b"HTTP/1.0 400 Bad Request\r\n\r\n") as port:
        text = await message(f"https://127.0.0.1:{port}")
    assert "it does not speak TLS on this port. Check the port." in text
    assert "write http://" in text


async def test_a_server_that_hangs_up_or_speaks_something_else() -> None:
    for answer, words in ((b"", "closed the connection"), (b"\x15\x03\x01", "is not HTTP")):
        async with server(answer) as port:
            text = await message(f"http://127.0.0.1:{port}")
        assert words in text
        assert text.endswith("If it expects TLS, write https://.")


async def test_a_server_that_says_nothing() -> None:
    async with server(None) as port:
        text = await message(f"http://127.0.0.1:{port}", timeout_s=0.1)
    assert "no answer within 0.1 s. Check the address and the network." in text


async def test_a_certificate_that_is_not_trusted(tmp_path: Path) -> None:
    async with with_tls(free_port(), certificate_for("localhost", tmp_path)) as port:
        text = await message(f"https://localhost:{port}")
    assert "its certificate is not trusted (" in text
    assert text.endswith("name the file with the authority's certificate in SSL_CERT_FILE.")


@pytest.mark.parametrize(
    ("code", "words"), [(9, "clock"), (10, "renew"), (62, "the name that"), (64, "not a number")]
)
def test_what_is_wrong_with_a_certificate(code: int, words: str) -> None:
    """OpenSSL reports one thing at a time: of a certificate that nobody trusts, just that."""

    class Failed(Exception):  # noqa: N818, stands for ssl.SSLCertVerificationError
        verify_code = code
        verify_message = "it is so."

    key = aiohttp.client_reqrep.ConnectionKey("x", 443, True, True, None, None, None)  # noqa: FBT003
    cause = cause_of(aiohttp.ClientConnectorCertificateError(key, Failed()), 1, None)
    assert cause.reason == "its certificate is not trusted (it is so)"
    assert words in cause.advice


@pytest.mark.parametrize(
    ("status", "words"), [(403, "Ask its operator"), (407, "http://USER:PASSWORD@HOST:PORT")]
)
async def test_a_proxy_that_refuses(
    monkeypatch: pytest.MonkeyPatch, status: int, words: str
) -> None:
    async with proxying(0, refuses=status) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://me:s3cret@127.0.0.1:{proxy.port}")
        text = await message(NOBODY)
        assert f"the proxy {proxy.url} answered HTTP {status}. " in text
    assert words in text
    assert "s3cret" not in text
    assert proxy.heard == ["CONNECT login.invalid:443 HTTP/1.1"]
    assert len(proxy.auth) == 1


async def test_a_proxy_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    proxy = f"http://127.0.0.1:{free_port()}"
    monkeypatch.setenv("ALL_PROXY", proxy)
    assert f"the proxy {proxy} cannot be reached. Check HTTPS_PROXY" in await message(NOBODY)


def test_anything_else() -> None:
    assert cause_of(ValueError("what\x1b is it"), 1, None).reason.startswith("what")
    assert cause_of(RuntimeError(), 1, None) == Cause("RuntimeError")
