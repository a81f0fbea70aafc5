"""The header of an authenticating proxy: whom it is believed from, and what it may say."""

from types import SimpleNamespace
from typing import cast

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from deviceflow.callers import Callers
from deviceflow.pages.vouched import VouchedNames

HEADER = "X-Remote-User"
PROXY = "10.0.0.1"


def name_in(
    *lines: str, header: str | None = HEADER, peer: str = PROXY, trusted: str = "10.0.0.0/8"
) -> str:
    names = VouchedNames(header=header, callers=Callers([trusted]))
    return names.name(asked_by(peer, *lines))


def asked_by(peer: str, *lines: str) -> web.Request:
    """A request, as far as it is looked at; a header may have any bytes, read as aiohttp does."""
    headers = CIMultiDict([(HEADER, line) for line in lines])
    return cast("web.Request", SimpleNamespace(headers=headers, remote=peer))


def test_a_trusted_proxy_says_who_it_is() -> None:
    assert name_in("ada") == "ada"
    assert name_in("ADA@Example.com") == "ada@example.com"


def test_nobody_else_does() -> None:
    """9700-4.13-a."""
    assert name_in("ada", peer="192.0.2.1") == ""
    assert name_in("ada", peer="") == ""
    assert name_in("ada", header=None) == ""
    assert name_in("ada", header="X-Other") == ""


@pytest.mark.parametrize("lines", [(), ("",), ("ada", "bob"), ("ada", "ada"), ("ada", "")])
def test_there_is_one_or_none(lines: tuple[str, ...]) -> None:
    """Of two, one may be the client's own."""
    assert name_in(*lines) == ""


@pytest.mark.parametrize("line", ["\udcff", "\u202eada", "ada\u200b", "a" * 500, "\x00", " "])
def test_what_is_no_name(line: str) -> None:
    assert name_in(line) == ""


@given(line=st.text())
def test_any_text_is_read(line: str) -> None:
    name = name_in(line)
    assert name == "" or name_in(name) == name


def test_a_session_of_another_person_is_contradicted() -> None:
    names = VouchedNames(header=HEADER, callers=Callers(["10.0.0.0/8"]))
    request = asked_by(PROXY, "ADA")
    assert not names.contradicts(request, "ada")
    assert not names.contradicts(request, "Ada")
    assert names.contradicts(request, "bob")
    assert not names.contradicts(asked_by(PROXY), "bob")
