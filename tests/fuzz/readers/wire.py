"""Readers of requests: heads, bodies and headers, as they come from the network."""

import asyncio
from functools import cache
from ipaddress import ip_network
from typing import Any
from unittest import mock

from aiohttp.base_protocol import BaseProtocol
from aiohttp.http_parser import HttpRequestParser

from deviceflow.core.address import (
    client_address,
    forwarded_for,
    is_in_networks,
    is_shared,
    is_trusted,
    network_key,
    rate_key,
    site_key,
)
from deviceflow.core.client import Client
from deviceflow.core.clients import Clients
from deviceflow.core.device_code import DeviceCodeKey, DeviceCodes
from deviceflow.core.device_description import DESCRIPTION_BYTES, DeviceDescription, describe
from deviceflow.core.errors import OAuthError
from deviceflow.core.form import FormError, parse_form
from deviceflow.core.holding import HoldRule
from deviceflow.core.messages import DEVICE_CODE_GRANT
from deviceflow.core.pace import PaceTable
from deviceflow.oauth.clients.methods import (
    ClientEvidence,
    UnreadableCredentials,
    read_credentials,
)
from deviceflow.oauth.gateway import requirements
from deviceflow.oauth.poll.connection import missing_after
from deviceflow.oauth.poll.held import HeldPolls, requested_wait
from deviceflow.oauth.poll.lane import Lane, LaneAnswer, WaitingPoll
from deviceflow.oauth.poll.later import IncompleteRequest
from deviceflow.oauth.poll.recognition import (
    HEAD_END,
    MAX_HEAD,
    needs_decoding,
    read_head,
    read_poll,
)
from deviceflow.oauth.poll.verdict import PollJudge
from deviceflow.store.families import RefreshToken
from deviceflow.store.mirror import Mirror
from tests.fuzz.target import Target

NOW = 1_700_000_000.0
CODES = DeviceCodes([DeviceCodeKey(7, b"k" * 32)])
CODE = CODES.seal(1 << 24 | 5, int(NOW) + 600, 5, "tv-app").encode()
EXPIRED = CODES.seal(2 << 24 | 5, int(NOW) - 1, 5, "tv-app").encode()
BODY = b"grant_type=%b&device_code=%b&client_id=tv-app" % (DEVICE_CODE_GRANT.encode(), CODE)
FORM = b"Content-Type: application/x-www-form-urlencoded"


def text(data: bytes) -> str:
    """A value of a header, as aiohttp decodes it."""
    return data.decode("utf-8", "surrogateescape")


def poll(body: bytes = BODY, *headers: bytes) -> bytes:
    lines = [b"POST /oauth2/token HTTP/1.1", b"Host: x", FORM, b"Content-Length: %d" % len(body)]
    return b"\r\n".join([*lines, *headers]) + HEAD_END + body


@cache
def _loop() -> asyncio.AbstractEventLoop:
    """A loop that never runs: the parser wants one."""
    loop: asyncio.AbstractEventLoop = mock.create_autospec(asyncio.AbstractEventLoop, instance=True)
    return loop


def _messages(data: bytes) -> list[tuple[Any, Any]]:
    """What aiohttp reads in `data`."""
    loop = _loop()
    parser = HttpRequestParser(
        BaseProtocol(loop), loop, 65_536, max_line_size=8190, max_field_size=8190
    )
    messages, _, _ = parser.feed_data(data)
    return list(messages)


def _lane() -> Lane:
    judge = PollJudge(
        CODES, Mirror(), PaceTable(memoryview(bytearray(8 * 64)), 60), lambda: NOW, lambda: 0.0
    )
    clients = Clients([Client(client_id="tv-app", name="TV")])
    held = HeldPolls(Mirror(), lambda: NOW, lambda _: 0, max_held=0, rule=HoldRule(30))
    return Lane(judge, clients, lambda: NOW, held)


_LANE = _lane()


def read_lane(data: bytes) -> None:
    """An answer of the lane needs a request that aiohttp reads as one, with the same form."""
    missing_after(data)
    taken = _LANE.take(data)
    assert taken is None or isinstance(taken, LaneAnswer | WaitingPoll | IncompleteRequest)
    if not isinstance(taken, LaneAnswer | WaitingPoll):
        return
    ((message, payload),) = _messages(data)
    assert (message.method, message.path) == ("POST", "/oauth2/token")
    assert not message.upgrade
    assert not message.chunked
    assert message.should_close == taken.close
    assert payload.is_eof()
    fields = parse_form(data[data.index(HEAD_END) + len(HEAD_END) :]).fields
    assert fields["client_id"] == "tv-app"
    opened = CODES.open(fields["device_code"].encode(), b"tv-app")
    if isinstance(taken, WaitingPoll):
        assert taken.code == opened
        requested = requested_wait(message.headers.getall("Prefer"))
        assert taken.hold == HoldRule(30).of(requested, None)
    else:
        assert (b'"invalid_grant"' in taken.data) == (opened is None)


def read_request_head(data: bytes) -> None:
    """A head that is read has the length and the close that aiohttp reads in it."""
    head = read_head(data)
    if head is None or not head.is_form or len(data) > MAX_HEAD:
        return
    ((message, _),) = _messages(data + HEAD_END)
    assert int(message.headers.get("Content-Length", "0")) == head.content_length
    assert message.should_close == head.close
    assert head.wait == requested_wait(message.headers.getall("Prefer", ()))
    assert head.has_origin == ("Origin" in message.headers)


def read_poll_body(data: bytes) -> None:
    """What is a poll for the lane is the same poll for the ordinary parser."""
    form = read_poll(data)
    if form is None or needs_decoding(form.client_id) or not form.client_id.isascii():
        return
    fields = parse_form(data).fields
    assert fields["grant_type"] == DEVICE_CODE_GRANT
    assert fields["device_code"].encode() == form.device_code
    assert fields["client_id"].encode() == form.client_id


def read_form(data: bytes) -> None:
    form = parse_form(data, {"resource"})
    assert all(form.fields.values())
    assert "resource" not in form.fields
    for values in form.repeated.values():
        assert all(values)


def read_code(data: bytes) -> None:
    """Only the very bytes that were made are a code."""
    code, _, client_id = data.partition(b" ")
    opened = CODES.open(code, client_id)
    assert (opened is not None) == (code in {CODE, EXPIRED} and client_id == b"tv-app")
    token = RefreshToken.parse(text(data))
    assert token is None or token.text == text(data)


def read_prefer(data: bytes) -> None:
    requested = requested_wait(text(data).split("\n"))
    assert requested is None or 0 <= requested <= 99_999


def read_authorization(data: bytes) -> None:
    """Headers before an empty line, and then the form."""
    head, _, body = data.partition(b"\n\n")
    lines = [text(line) for line in head.split(b"\n") if line]
    credentials = read_credentials(ClientEvidence(lines, parse_form(body).fields))
    credentials.client_id.encode()


_PROXIES = tuple(map(ip_network, ("10.0.0.0/8", "fd00::/8", "127.0.0.1/32")))


def read_forwarded(data: bytes) -> None:
    """An address is one that can be read, or the peer of the connection."""
    peer, *lines = text(data).split("\n")
    for entries in (lines, forwarded_for(lines)):
        address = client_address(peer, entries, _PROXIES)
        rate_key(address), site_key(address), network_key(address), is_shared(address)
        assert isinstance(is_in_networks(address, ["192.0.2.0/24"]), bool)
        assert address in {peer, client_address(address, [], ())}
        if not is_trusted(peer, _PROXIES):
            assert address == client_address(peer, [], ())


def read_requirements(data: bytes) -> None:
    """Nothing is required of a token only if the proxy has sent nothing."""
    required = requirements(text(data))
    assert required.scopes or required.audience or not text(data).strip("&")


def read_user_agent(data: bytes) -> None:
    described = describe(text(data))
    assert len(described.stored.encode()) <= DESCRIPTION_BYTES
    assert DeviceDescription.of(described.stored) == described


_BASIC = b"Basic dHYtYXBwOnNlY3JldA=="
_VERIFIER = b"&code_verifier=" + b"v" * 43

TARGETS = (
    Target(
        "lane",
        read_lane,
        (
            poll(),
            poll(BODY, b"Prefer: wait=20", b"Connection: close", b"User-Agent: curl/8"),
            poll(BODY + _VERIFIER, b"Accept: */*"),
            poll(BODY.replace(b":", b"%3A").replace(CODE, EXPIRED)),
        ),
    ),
    Target(
        "request head",
        read_request_head,
        (
            poll().partition(HEAD_END)[0],
            poll(BODY, b"Prefer: wait=20", b"connection: Close").partition(HEAD_END)[0],
            poll(BODY, b"Origin: https://a.example", b"X: \t y ").partition(HEAD_END)[0],
            b"GET / HTTP/1.1\r\nHost: x",
        ),
    ),
    Target("body of a poll", read_poll_body, (BODY, BODY + _VERIFIER, BODY.replace(b":", b"%3a"))),
    Target(
        "form",
        read_form,
        (BODY, b"a=b&resource=x&resource=y&c=", b"user_code=WDJB-MJHT&x=%C3%A4+%2B", b""),
        (FormError,),
    ),
    Target(
        "device code",
        read_code,
        (CODE + b" tv-app", EXPIRED + b" tv-app", b"A" * 16 + b"." + b"A" * 43),
    ),
    Target(
        "Prefer",
        read_prefer,
        (b"wait=20", b'respond-async, wait="5"', b"wait=1;x=y\nwait=2", b"Wait ; foo"),
    ),
    Target(
        "Authorization",
        read_authorization,
        (
            _BASIC + b"\n\n" + BODY,
            b"\n\nclient_id=tv-app&client_secret=x",
            (
                b"\n\nclient_assertion=a.eyJzdWIiOiJ4In0.c&client_assertion_type="
                b"urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer"
            ),
            b"\n\nclient_id=tv-app",
        ),
        (FormError, OAuthError, UnreadableCredentials),
    ),
    Target(
        "forwarded addresses",
        read_forwarded,
        (
            b"10.0.0.1\n203.0.113.7, 10.0.0.2",
            b"127.0.0.1\nfor=192.0.2.60;proto=http;by=203.0.113.43, for=10.1.1.1",
            b'10.0.0.1\nfor="[2001:db8:cafe::17]:4711", for=unknown',
            b"fd00::1\n2001:db8::1, ::ffff:198.51.100.1:443",
            b"\nfor=_hidden",
        ),
    ),
    Target(
        "gateway",
        read_requirements,
        (b"scope=a+b&resource=https%3A%2F%2Fapi.example.com", b"scope=openid", b""),
        (OAuthError,),
    ),
    Target(
        "User-Agent",
        read_user_agent,
        (
            b"NebulaTV/4.2 (Linux; Android 12) okhttp/4.9",
            (
                b"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
                b"Slack/4.1 Chrome/120.0 Electron/28 Safari/537.36"
            ),
            b"Mozilla/5.0 (PlayStation; PlayStation 5/2.26) AppleWebKit/605.1.15",
            b"curl/8.14.1",
        ),
    ),
)
