"""Bad forms get a clear page, never a 500 and never a guess."""

from collections.abc import AsyncIterator

import pytest

from tests.stage.pages import Browser

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.mark.parametrize("path", ["/device", "/login", "/logout"])
@pytest.mark.parametrize(
    "body",
    [
        b"user_code=%",
        b"user_code=%4",
        b"user_code=%zz",
        b"user_code=%ff",
        b"user_code=\xff\xfe",
        b"%c3=x",
        b"user_code=A&user_code=A",
        b"csrf_token=a&csrf%5Ftoken=b",
        b"&".join(b"f%d=x" % i for i in range(100)),
    ],
)
async def test_a_body_that_cannot_be_read(ada: Browser, path: str, body: bytes) -> None:
    """6749-10.14-a: damaged, doubled and foreign bytes are refused."""
    answer = await ada.post(path, data=body, headers=FORM)
    assert answer.status == 400
    assert "The form could not be read" in ada.text


@pytest.mark.parametrize(
    "kind",
    [
        "application/json",
        "text/plain",
        "multipart/form-data; boundary=x",
        "application/x-www-form-urlencoded; charset=utf-16",
        "",
    ],
)
async def test_what_is_not_a_form(ada: Browser, kind: str) -> None:
    answer = await ada.post("/device", data=b"{}", headers={"Content-Type": kind})
    assert answer.status == 415
    assert "That was not a form" in ada.text


async def test_a_charset_that_is_right_may_be_said(ada: Browser) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded; charset=UTF-8"}
    answer = await ada.post("/device", data=b"user_code=x", headers=headers)
    assert answer.status == 303, "it was read, and had no token"


async def test_a_body_over_the_limit(ada: Browser) -> None:
    answer = await ada.post("/login", data=b"password=" + b"x" * 2048, headers=FORM)
    assert answer.status == 413
    assert "That was too much" in ada.text


async def test_a_body_over_the_limit_that_does_not_tell_its_length(ada: Browser) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(4):
            yield b"x" * 1000

    answer = await ada.post("/login", data=chunks(), headers=FORM)
    assert answer.status == 413


async def test_an_empty_body(ada: Browser) -> None:
    answer = await ada.post("/device", data=b"", headers=FORM)
    assert (answer.status, answer.headers["Location"]) == (303, "/device?notice=outdated")
