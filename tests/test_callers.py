"""Who sends a request, as far as proxies are believed, and what the operator reads."""

import pytest
import structlog
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from deviceflow.callers import WARN_EVERY_S, Callers, ForwardedHeader
from tests.stage.clock import Clock

PROXIES = ("10.0.0.0/8",)
HEADERS = {"X-Forwarded-For": "203.0.113.1", "Forwarded": 'for="203.0.113.2"'}


class Transport:
    """The transport of a connection from `peer`."""

    def __init__(self, peer: str) -> None:
        self._peer = peer

    def get_extra_info(self, name: str, default: object = None) -> object:
        return (self._peer, 1) if name == "peername" else default


def sent_by(peer: str, headers: dict[str, str]) -> web.Request:
    return make_mocked_request("GET", "/", headers=headers, transport=Transport(peer))


@pytest.mark.parametrize(
    ("header", "address"), [("x-forwarded-for", "203.0.113.1"), ("forwarded", "203.0.113.2")]
)
def test_only_the_header_of_the_settings_is_read(header: ForwardedHeader, address: str) -> None:
    """RFC 7239 8.1, 9700-4.13-a: a proxy that writes one passes the other on as it came."""
    callers = Callers(PROXIES, header)
    assert callers.address(sent_by("10.0.0.1", HEADERS)) == address
    other = {name: text for name, text in HEADERS.items() if name.lower() != header}
    assert callers.address(sent_by("10.0.0.1", other)) == "10.0.0.1"
    assert callers.address(sent_by("192.0.2.9", HEADERS)) == "192.0.2.9"


def test_the_operator_hears_of_a_proxy_that_is_not_listed(clock: Clock) -> None:
    """Once in ten minutes, for anybody can send the header."""
    callers = Callers(PROXIES, clock=clock)
    with structlog.testing.capture_logs() as logs:
        callers.address(sent_by("10.0.0.1", HEADERS))
        callers.address(sent_by("192.0.2.9", {"Forwarded": "for=1.2.3.4"}))
        assert logs == []
        for _ in range(3):
            callers.address(sent_by("192.0.2.9", HEADERS))
        assert [(log["event"], log["peer"]) for log in logs] == [
            ("forwarding_header.ignored", "192.0.2.9")
        ]
        assert "203.0.113.1" not in str(logs)
        clock.advance(WARN_EVERY_S)
        callers.address(sent_by("192.0.2.9", HEADERS))
        assert len(logs) == 2


def test_where_no_proxy_hides_an_address_there_is_nothing_to_mend() -> None:
    """The operator has said "none", and would be told to list a proxy."""
    callers = Callers((), warns=False)
    with structlog.testing.capture_logs() as logs:
        assert callers.address(sent_by("192.0.2.9", HEADERS)) == "192.0.2.9"
    assert logs == []


def test_a_peer_without_an_address_has_a_name(clock: Clock) -> None:
    with structlog.testing.capture_logs() as logs:
        assert Callers((), clock=clock).address(sent_by("", HEADERS)) == ""
    assert [log["peer"] for log in logs] == ["a Unix socket"]
