"""Requests that are malformed, at both form endpoints."""

import asyncio
from urllib.parse import urlencode

import pytest

from tests.stage.forms import FORM, GOOD, good, post
from tests.stage.oauth import AUTHORIZE, TOKEN, Worker

INVALID_REQUEST = (400, "invalid_request")


@pytest.fixture(params=[AUTHORIZE, TOKEN])
def path(request: pytest.FixtureRequest) -> str:
    return str(request.param)


# Bodies


async def test_a_body_that_is_too_long(worker: Worker, path: str) -> None:
    """413 by Content-Length, and also if the body turns out to be too long (2048 bytes here)."""
    fits = GOOD + b"&foo=" + b"x" * (2048 - len(GOOD) - 5)
    assert await post(worker, path, fits) == good(path)
    assert await post(worker, path, fits + b"x") == (413, "invalid_request")
    assert await post(worker, path, b"x" * 200_000) == (413, "invalid_request")
    chunks = b"7d0\r\n" + b"x" * 2000 + b"\r\n"
    answer = await worker.raw(chunked(path) + chunks * 2 + b"0\r\n\r\n")
    assert answer.outcome == (413, "invalid_request")


async def test_a_body_in_chunks(worker: Worker, path: str) -> None:
    """RFC 9112 7.1: a client may send a chunked body, which means the same."""
    parts = [GOOD[:7], GOOD[7:30], GOOD[30:]]
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts)
    answer = await worker.raw(chunked(path) + chunks + b"0\r\n\r\n")
    assert answer.outcome == good(path)


@pytest.mark.parametrize(
    "chunks", [b"zz\r\nabc\r\n0\r\n\r\n", b"3\r\nabcdef\r\n0\r\n\r\n", b"-1\r\na\r\n0\r\n\r\n"]
)
async def test_broken_chunks(worker: Worker, path: str, chunks: bytes) -> None:
    answer = await worker.raw(chunked(path) + chunks)
    assert answer.status == 400
    assert answer.error in {"", "invalid_request"}


async def test_broken_chunks_after_good_ones(worker: Worker, path: str) -> None:
    """The mistake is in the body, not in the header."""
    answer = await worker.raw(chunked(path) + b"3\r\nfoo\r\nzz\r\n")
    assert answer.status == 400


async def test_a_connection_that_ends_in_a_body(
    worker: Worker, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A device loses power: no answer, no effect, and no error in the log."""
    head = b"POST %b HTTP/1.1\r\nHost: x\r\nContent-Type: %b\r\nContent-Length: 100\r\n\r\n%b"
    reader, writer = await asyncio.open_connection("127.0.0.1", worker.port)
    writer.write(head % (path.encode(), FORM.encode(), GOOD))
    writer.write_eof()
    assert await reader.read() == b""
    writer.close()
    assert not caplog.records
    assert await post(worker, path, GOOD) == good(path)


# Methods and paths


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"])
async def test_another_method(worker: Worker, path: str, method: str) -> None:
    """6749-3.2-a: POST only, and Allow says so."""
    async with worker.client.request(method, path, data=GOOD) as response:
        assert response.status == 405
        assert response.headers["Allow"] == "POST"
        assert response.content_type == "application/json"
        assert response.headers["Cache-Control"] == "no-store"
        assert response.headers["Pragma"] == "no-cache"


async def test_the_method_to_use(worker: Worker, path: str) -> None:
    answer = await worker.send("GET", path)
    assert answer.body["error_description"].endswith(" Use POST.")
    answer = await worker.send("PUT", "/oauth2/userinfo")
    assert answer.body["error_description"].endswith(" Use GET or POST.")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_the_root_leads_to_the_page_for_a_code(worker: Worker, method: str) -> None:
    """People may type only the host from a television's screen."""
    async with worker.client.request(method, "/", allow_redirects=False) as response:
        assert (response.status, response.headers["Location"]) == (302, "/device")
        assert response.headers["X-Frame-Options"] == "DENY"
        assert response.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "path",
    [
        "/oauth2/token/",
        "/oauth2/tokens",
        "/oauth2/",
        "/oauth2/Token",
        "/oauth2/authorise",
        "/.well-known/nothing",
    ],
)
async def test_another_path(worker: Worker, path: str) -> None:
    assert (await worker.post(path, {"client_id": "tv-app"})).outcome == (404, "invalid_request")


async def test_no_operator_pages_in_public(worker: Worker) -> None:
    """They are on the admin port only."""
    for path in ("/healthz", "/readyz", "/metrics", "/demo"):
        async with worker.client.get(path) as response:
            assert response.status == 404


# The text of errors


@pytest.mark.parametrize(
    "sent", ['"<script>alert(1)</script>\\', "✓ unicode ✓", "\r\nSet-Cookie: a=b"]
)
async def test_errors_repeat_nothing(worker: Worker, path: str, sent: str) -> None:
    """6749-5.2-c: fixed text inside the character set, whatever the request was."""
    forms = [
        {"client_id": sent},
        {"client_id": "tv-app", "scope": sent, "grant_type": sent},
        {"client_id": "tv-app", "client_secret": sent},
        {sent: sent, "client_id": "tv-app", "scope": "x"},
    ]
    for form in forms:
        answer = await worker.post(path, urlencode(form), headers={"Content-Type": FORM})
        assert answer.status in {400, 401}
        assert set(answer.body) == {"error", "error_description"}
        for text in answer.body.values():
            assert all(
                c in "\x20\x21" or "\x23" <= c <= "\x5b" or "\x5d" <= c <= "\x7e" for c in text
            )
            assert "script" not in text
            assert "unicode" not in text
            assert "Cookie" not in text


def chunked(path: str) -> bytes:
    head = b"POST %b HTTP/1.1\r\nHost: x\r\nContent-Type: %b\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head % (path.encode(), FORM.encode())
