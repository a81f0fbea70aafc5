"""What the lane of starts takes of a request in bytes; the differential test has what it leaves."""

import pytest

from deviceflow.oauth.poll.later import IncompleteRequest
from deviceflow.oauth.start.recognition import PlainStart, read_start
from tests.stage.served import post

PATH = b"/oauth2/device_authorization"
LINE = b"POST %b HTTP/1.1" % PATH
NAMES = frozenset({"x-forwarded-for", "x-request-id"})


def read(body: bytes, *headers: bytes) -> PlainStart | IncompleteRequest | None:
    return read_start(post(PATH, body, *headers), LINE, NAMES)


def test_what_is_read() -> None:
    read_now = read(
        b"scope=openid%20profile&client_id=tv-app",
        b"X-Forwarded-For:\t192.0.2.1 ",
        b"USER-AGENT: TV/1",
        b"x-forwarded-for: 192.0.2.2",
        b"Connection: close",
        b"Origin: https://tv.example",
    )
    assert read_now == PlainStart(
        client_id="tv-app",
        scope="openid profile",
        user_agent="TV/1",
        lines={
            "x-forwarded-for": ("192.0.2.1", "192.0.2.2"),
            "x-request-id": (),
            "user-agent": ("TV/1",),
        },
        close=True,
        has_origin=True,
    )


def test_the_least() -> None:
    start = read(b"client_id=tv-app")
    assert isinstance(start, PlainStart)
    assert (start.scope, start.user_agent, start.close) == (None, "", False)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"scope=profile",
        b"client_id=tv-app&scope=",
        b"client_id=tv-app&client_secret=",
        b"client_id=tv-app&resource=https%3A%2F%2Fx",
        b"client_id=tv-app&scope=a&scope=b",
        b"client_id=tv-app&",
        b"client_id=tv-app&scope=%zz",
    ],
)
def test_other_parameters_are_left(body: bytes) -> None:
    assert read(body) is None


@pytest.mark.parametrize(
    "header", [b"Authorization: Basic eDp5", b"DPoP: x", b"Expect: 100-continue", b"no colon"]
)
def test_other_requests_are_left(header: bytes) -> None:
    assert read(b"client_id=tv-app", header) is None


def test_a_part_of_a_request() -> None:
    whole = post(PATH, b"client_id=tv-app")
    assert read_start(whole[:-3], LINE, NAMES) == IncompleteRequest(3)
    assert read_start(whole[:20], LINE, NAMES) is None
    assert read_start(whole + b"x", LINE, NAMES) is None
    assert read_start(whole.replace(b"HTTP/1.1", b"HTTP/1.12"), LINE, NAMES) is None
