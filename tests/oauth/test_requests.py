"""Requests that are malformed, at both form endpoints."""

import asyncio
import gzip
from urllib.parse import urlencode

import pytest

from tests.stage.oauth import Worker

AUTHORIZE = "/oauth2/device_authorization"
TOKEN = "/oauth2/token"
FORM = "application/x-www-form-urlencoded"
INVALID_REQUEST = (400, "invalid_request")
GOOD = b"client_id=tv-app&scope=profile&grant_type=password"


@pytest.fixture(params=[AUTHORIZE, TOKEN])
def path(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def good(path: str) -> tuple[int, str]:
    """Return the answer to GOOD: it is well-formed, and both endpoints read all of it."""
    return (200, "") if path == AUTHORIZE else (400, "unsupported_grant_type")


async def post(worker: Worker, path: str, body: bytes, **headers: str) -> tuple[int, str]:
    fields = {"Content-Type": FORM} | {name.replace("_", "-"): headers[name] for name in headers}
    return (await worker.post(path, body, headers=fields)).outcome


# Forms


@pytest.mark.parametrize(
    "body",
    [
        GOOD,
        GOOD + b"&foo=1&bar=&baz",
        b"&&" + GOOD + b"&",
        GOOD.replace(b"tv-app", b"tv%2dapp").replace(b"client_id", b"client%5Fid"),
        GOOD + b"&%66oo=%E2%9C%93",
        GOOD + b"&client_secret=",
    ],
)
async def test_what_is_accepted(worker: Worker, path: str, body: bytes) -> None:
    """8628-3.1-c: unknown parameters are ignored, and every correct encoding is read."""
    assert await post(worker, path, body) == good(path)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"scope=profile",
        b"client_id=&client_id=tv-app",
        GOOD + b"&client_id=tv-app",
        GOOD + b"&client%5fid=tv-app",
        GOOD + b"&scope=openid",
        GOOD + b"&foo=1&foo=1",
        GOOD + b"&foo=%",
        GOOD + b"&foo=%4",
        GOOD + b"&foo=%zz",
        GOOD + b"&foo=%ff",
        GOOD + b"&foo=\xff\xfe",
        GOOD + b"&\xc0\x80=1",
        GOOD + b"&foo=%ed%a0%80",
        b"&".join(b"p%d=1" % i for i in range(65)) + b"&" + GOOD,
        b'{"client_id": "tv-app"}',
        pytest.param(b"\x00" * 100, id="zeros"),
    ],
)
async def test_what_is_refused(worker: Worker, path: str, body: bytes) -> None:
    """8628-3.1-d, 6749-3.2-a: doubled (also in another encoding), broken, not UTF-8."""
    assert await post(worker, path, body) == INVALID_REQUEST


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "text/plain",
        "multipart/form-data; boundary=x",
        "application/x-www-form-urlencoded-not",
        f"{FORM}; charset=utf-16",
        f"{FORM}; charset=iso-8859-1",
        "",
        "/",
        ";;;",
    ],
)
async def test_another_content_type(worker: Worker, path: str, content_type: str) -> None:
    assert await post(worker, path, GOOD, Content_Type=content_type) == INVALID_REQUEST


@pytest.mark.parametrize(
    "content_type",
    [
        FORM.upper(),
        f"{FORM};charset=UTF-8",
        f'{FORM}; charset="utf-8"',
        f"{FORM}; charset=Utf-8",
        f"{FORM} ; foo=bar",
    ],
)
async def test_the_content_type_in_other_spellings(
    worker: Worker, path: str, content_type: str
) -> None:
    assert await post(worker, path, GOOD, Content_Type=content_type) == good(path)


async def test_no_content_type(worker: Worker, path: str) -> None:
    request = b"POST %b HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b"
    answer = await worker.raw(request % (path.encode(), len(GOOD), GOOD))
    assert answer.outcome == INVALID_REQUEST


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


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "identity", "x"])
async def test_a_compressed_body(worker: Worker, path: str, encoding: str) -> None:
    """A few bytes must not become gigabytes. Text that is not compressed is refused, too."""
    head = b"POST %b HTTP/1.1\r\nHost: x\r\nContent-Type: %b\r\nContent-Encoding: %b\r\n"
    head %= (path.encode(), FORM.encode(), encoding.encode())
    squeezed = gzip.compress(GOOD + b"&foo=" + b"x" * 1_000_000)
    for body in (squeezed, GOOD):
        answer = await worker.raw(head + b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        assert answer.status in {400, 413}
        assert "device_code" not in answer.body


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
        "/oauth2/authorize",
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


@pytest.mark.parametrize("grant_type", ["password", "client_credentials", "authorization_code"])
async def test_other_grant_types(worker: Worker, grant_type: str) -> None:
    """9700-2.4-a, 6749-5.2-b."""
    form = {"client_id": "tv-app", "grant_type": grant_type, "username": "a", "password": "b"}
    assert (await worker.post(TOKEN, form)).outcome == (400, "unsupported_grant_type")


async def test_the_grant_type_is_required(worker: Worker) -> None:
    """8628-3.4-a."""
    for form in ({"client_id": "tv-app"}, {"client_id": "tv-app", "grant_type": ""}):
        assert (await worker.post(TOKEN, form)).outcome == INVALID_REQUEST


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
