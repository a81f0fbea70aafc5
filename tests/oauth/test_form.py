"""Reading a form, at both endpoints that every device uses."""

import gzip

import pytest

from tests.stage.forms import FORM, GOOD, good, post
from tests.stage.oauth import AUTHORIZE, TOKEN, Worker

INVALID_REQUEST = (400, "invalid_request")


@pytest.fixture(params=[AUTHORIZE, TOKEN])
def path(request: pytest.FixtureRequest) -> str:
    return str(request.param)


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
        f"{FORM}; charset=ISO-8859-1",
        f"{FORM};charset=US-ASCII",
        f"{FORM}; charset=utf8",
        f'{FORM}; charset="windows-1252"',
        f"{FORM} ; foo=bar",
    ],
)
async def test_the_content_type_in_other_spellings(
    worker: Worker, path: str, content_type: str
) -> None:
    assert await post(worker, path, GOOD, Content_Type=content_type) == good(path)


@pytest.mark.parametrize("charset", ["utf-8", "iso-8859-1", "windows-1252"])
async def test_the_bytes_count_and_not_their_label(worker: Worker, path: str, charset: str) -> None:
    content_type = f"{FORM}; charset={charset}"
    for body in (GOOD + b"&foo=\xc3\xa9", GOOD + b"&foo=%C3%A9"):
        assert await post(worker, path, body, Content_Type=content_type) == good(path)
    for body in (GOOD + b"&foo=\xe9", GOOD + b"&foo=%E9"):
        assert await post(worker, path, body, Content_Type=content_type) == INVALID_REQUEST


async def test_no_content_type(worker: Worker, path: str) -> None:
    request = b"POST %b HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b"
    answer = await worker.raw(request % (path.encode(), len(GOOD), GOOD))
    assert answer.outcome == INVALID_REQUEST


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


@pytest.mark.parametrize("name", ["client_secret", "client_assertion"])
async def test_credentials_in_the_address(worker: Worker, path: str, name: str) -> None:
    """RFC 6749 2.3.1: an address is logged in many places, so even an empty one is refused."""
    for value in ("x", ""):
        assert await post(worker, f"{path}?{name}={value}", GOOD) == INVALID_REQUEST
