"""What the lane takes, and what it leaves to aiohttp.

The requests are those of real clients and proxies, byte for byte as they were captured (but
for haproxy's and Envoy's, which follow their documentation). A client whose polls silently
left the lane would cost the server ten times as much, and nobody would notice.
"""

from urllib.parse import quote_plus

import msgspec
import pytest

from deviceflow.core.grant import PollAnswer, State
from deviceflow.oauth.poll.lane import REMEMBERED_SHAPES
from deviceflow.oauth.poll.later import IncompleteRequest
from deviceflow.oauth.poll.recognition import (
    MAX_BODY,
    MAX_HEAD,
    MAX_LANE_HEADERS,
)
from tests.stage.clock import Clock
from tests.stage.oauth import Stage
from tests.stage.served import METADATA, Mint, Peer, Served, poll, post, serve

LINE = b"POST /oauth2/token HTTP/1.1"
GRANT = b"grant_type=urn:ietf:params:oauth:grant-type:device_code"
ENCODED = GRANT.replace(b":", b"%3A")
IN_ORDER = b"%b&device_code=@&client_id=tv-app"
SORTED = b"client_id=tv-app&device_code=@&%b"

CURL = """\
Host: 127.0.0.1:8628
User-Agent: curl/8.14.1
Accept: */*
Content-Length: #
Content-Type: application/x-www-form-urlencoded"""

NODE_FETCH = """\
host: 127.0.0.1:8628
connection: keep-alive
content-type: application/x-www-form-urlencoded;charset=UTF-8
accept: */*
accept-language: *
sec-fetch-mode: cors
user-agent: node
accept-encoding: gzip, deflate
content-length: #"""

NODE_HTTP = """\
Content-Type: application/x-www-form-urlencoded
Content-Length: #
Host: 127.0.0.1:8628
Connection: keep-alive"""

GO = """\
Host: 127.0.0.1:8628
User-Agent: Go-http-client/1.1
Content-Length: #
Content-Type: application/x-www-form-urlencoded
Accept-Encoding: gzip"""

JAVA_11 = """\
Content-Length: #
Host: 127.0.0.1:8628
User-Agent: Java-http-client/17.0.15
Content-Type: application/x-www-form-urlencoded"""

JAVA_URL_CONNECTION = """\
User-Agent: Java/17.0.15
Host: 127.0.0.1:8628
Accept: text/html, image/gif, image/jpeg, */*; q=0.2
Connection: keep-alive
Content-type: application/x-www-form-urlencoded
Content-Length: #"""

OKHTTP = """\
Content-Type: application/x-www-form-urlencoded
Content-Length: #
Host: 127.0.0.1:8628
Connection: Keep-Alive
Accept-Encoding: gzip
User-Agent: okhttp/4.12.0"""

URLLIB = """\
Accept-Encoding: identity
Content-Type: application/x-www-form-urlencoded
Content-Length: #
Host: 127.0.0.1:8628
User-Agent: Python-urllib/3.11
Connection: close"""

HTTP_CLIENT = """\
Host: 127.0.0.1:8628
Accept-Encoding: identity
Content-Length: #
Content-Type: application/x-www-form-urlencoded"""

REQUESTS = """\
Host: 127.0.0.1:8628
User-Agent: python-requests/2.32.5
Accept-Encoding: gzip, deflate
Accept: */*
Connection: keep-alive
Content-Length: #
Content-Type: application/x-www-form-urlencoded"""

AIOHTTP = """\
Host: 127.0.0.1:8628
Accept: */*
Accept-Encoding: gzip, deflate
User-Agent: Python/3.11 aiohttp/3.14.5
Content-Length: #
Content-Type: application/x-www-form-urlencoded"""

NGINX = """\
Host: auth.example.com
X-Forwarded-For: 203.0.113.7
X-Forwarded-Proto: https
Content-Length: #
User-Agent: curl/8.14.1
Accept: */*
Content-Type: application/x-www-form-urlencoded"""

HAPROXY = """\
host: auth.example.com
user-agent: curl/8.14.1
accept: */*
content-length: #
content-type: application/x-www-form-urlencoded
x-forwarded-for: 203.0.113.7
via: 1.1 haproxy"""

ENVOY = """\
host: auth.example.com
user-agent: curl/8.14.1
accept: */*
content-length: #
content-type: application/x-www-form-urlencoded
x-forwarded-for: 203.0.113.7
x-forwarded-proto: https
x-envoy-external-address: 203.0.113.7
x-request-id: 0b8a4a0c-9d61-9d6d-8f1a-2f0f6f3a3c1e
x-envoy-expected-rq-timeout-ms: 15000
traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01
tracestate: congo=t61rcWkgMzE"""

PREFERRING = CURL + "\nPrefer: wait=0"

ON_THE_LANE = {
    "curl -d": (CURL, IN_ORDER % GRANT),
    "curl --data-urlencode": (CURL, IN_ORDER % ENCODED),
    "node fetch": (NODE_FETCH, IN_ORDER % ENCODED),
    "node http": (NODE_HTTP, IN_ORDER % GRANT),
    "go": (GO, SORTED % ENCODED),
    "java HttpClient 1.1": (JAVA_11, IN_ORDER % ENCODED),
    "java HttpURLConnection": (JAVA_URL_CONNECTION, IN_ORDER % ENCODED),
    "okhttp": (OKHTTP, IN_ORDER % ENCODED),
    "urllib": (URLLIB, IN_ORDER % ENCODED),
    "http.client": (HTTP_CLIENT, IN_ORDER % ENCODED),
    "requests": (REQUESTS, IN_ORDER % ENCODED),
    "aiohttp": (AIOHTTP, IN_ORDER % ENCODED),
    "nginx": (NGINX, IN_ORDER % GRANT),
    "haproxy": (HAPROXY, IN_ORDER % GRANT),
    "envoy": (ENVOY, IN_ORDER % GRANT),
    "lower-case escapes": (CURL, IN_ORDER % ENCODED.lower()),
    "prefer": (PREFERRING, IN_ORDER % GRANT),
}


def request_of(fields: str, body: bytes, line: bytes = LINE) -> tuple[bytes, bytes]:
    """The head and the body of a request as a client sends it."""
    lines = fields.replace("#", str(len(body))).encode().split(b"\n")
    return b"\r\n".join([line, *lines, b"", b""]), body


@pytest.mark.parametrize(("fields", "body"), ON_THE_LANE.values(), ids=ON_THE_LANE)
async def test_on_the_lane(
    served: Served, mint: Mint, clock: Clock, fields: str, body: bytes
) -> None:
    """In one segment, and in two as Java and some versions of http.client send it."""
    code = mint.code()
    head, body = request_of(fields, body.replace(b"@", code))
    for pieces in ((head + body,), (head, body)):
        async with await served.connect() as peer:
            answer = await peer.ask(*pieces)
        assert (answer.status, answer.error) == (400, "authorization_pending")
        clock.advance(10)
    assert served.lane_answers == 2
    assert served.made == 0


H2C = (
    "Connection: Upgrade, HTTP2-Settings\n"
    "HTTP2-Settings: AAEAAEAAAAIAAAAAAAMAAAAAAAQBAAAAAAUAAEAAAAYABgAA\nUpgrade: h2c\n"
)
BODY = IN_ORDER % GRANT
OFF_THE_LANE = {
    "java HttpClient, which would like HTTP/2": (LINE, H2C + JAVA_11, BODY),
    "nginx as it comes": (
        b"POST /oauth2/token HTTP/1.0",
        NGINX + "\nConnection: close",
        BODY,
    ),
    "chunked": (
        LINE,
        CURL.replace("Content-Length: #", "Transfer-Encoding: chunked"),
        b"0\r\n\r\n",
    ),
    "authorization": (LINE, CURL + "\nAuthorization: Basic eDp5", BODY),
    "dpop": (LINE, CURL + "\nDPoP: x", BODY),
    "expect": (LINE, CURL + "\nExpect: 100-continue", BODY),
    "two lengths": (LINE, CURL + "\nContent-Length: 5", BODY),
    "two hosts": (LINE, CURL + "\nHost: two", BODY),
    "two user agents": (LINE, CURL + "\nUser-Agent: two", BODY),
    "two preferences": (LINE, PREFERRING + "\nPrefer: wait=1", BODY),
    "another preference": (LINE, CURL + "\nPrefer: respond-async", BODY),
    "another type": (LINE, CURL.replace("x-www-form-urlencoded", "json"), BODY),
    "no host": (LINE, CURL.replace("Host: 127.0.0.1:8628\n", ""), BODY),
    "a query": (b"POST /oauth2/token?x=y HTTP/1.1", CURL, BODY),
    "absolute": (b"POST http://127.0.0.1:8628/oauth2/token HTTP/1.1", CURL, BODY),
    "a fourth parameter": (LINE, CURL, BODY + b"&scope=profile"),
    "an empty parameter": (LINE, CURL, BODY + b"&"),
    "another grant type": (LINE, CURL, BODY.replace(b"device_code&", b"x&")),
    "an encoded code": (LINE, CURL, BODY.replace(b"@", b"%41@")),
    "an unknown client": (LINE, CURL, BODY + b"2"),
    "a confidential client": (LINE, CURL, BODY.replace(b"tv-app", b"console")),
    "a disabled client": (LINE, CURL, BODY.replace(b"tv-app", b"off")),
    "too many headers": (LINE, CURL + "\nX: y" * MAX_LANE_HEADERS, BODY),
    "too large a head": (LINE, CURL + "\nX: " + "y" * MAX_HEAD, BODY),
    "too large a body": (LINE, CURL, BODY.replace(b"@", b"A" * MAX_BODY)),
}


@pytest.mark.parametrize(("line", "fields", "body"), OFF_THE_LANE.values(), ids=OFF_THE_LANE)
async def test_off_the_lane(
    served: Served, peer: Peer, mint: Mint, line: bytes, fields: str, body: bytes
) -> None:
    await peer.send(b"".join(request_of(fields, body.replace(b"@", mint.code()), line)))
    await peer.settle()
    assert served.lane_answers == 0
    assert served.made == 1
    assert peer.at_server.said != b""


async def test_a_public_client_whose_name_is_escaped_is_not_known_by_its_escapes(
    stage: Stage, mint: Mint
) -> None:
    """`a+b` in a form is the client `a b`, whom nobody registered."""
    replace = msgspec.structs.replace
    clients = tuple(replace(stage.settings.clients[0], client_id=name) for name in ("a+b", "a%62"))
    stage.settings = replace(stage.settings, clients=clients)
    async with serve(stage) as served, await served.connect() as peer:
        for client in clients:
            name = client.client_id
            code = mint.code(client_id=name)
            answer = await peer.ask(poll(code, client_id=name.encode()))
            assert answer.error == "invalid_client"
            await peer.settle()
            answer = await peer.ask(poll(code, client_id=quote_plus(name).encode()))
            assert answer.error == "authorization_pending"
            await peer.settle()


# Taking


async def test_no_more_and_no_less_than_one(served: Served, mint: Mint) -> None:
    lane = served.apps.polls.lane
    request = poll(mint.code())
    assert lane.take(request[:-7]) == IncompleteRequest(7)
    assert lane.take(request + b"x") is None
    assert lane.take(request[:50]) is None
    assert lane.take(METADATA) is None
    assert lane.take(post(b"/oauth2/device_authorization", b"client_id=tv-app")) is None


async def test_what_is_remembered_is_limited(served: Served, mint: Mint) -> None:
    lane = served.apps.polls.lane
    code = mint.code()
    for i in range(REMEMBERED_SHAPES + 10):
        assert lane.take(poll(code, b"X-Request-Id: %d" % i)) is not None
        assert len(lane._shapes) <= REMEMBERED_SHAPES
    # What is no poll is not remembered at all.
    known = len(lane._shapes)
    lane.take(METADATA)
    lane.take(post(b"/nowhere", b""))
    lane.take(poll(code)[:-3])
    lane.take(poll(code) + b"x")
    assert len(lane._shapes) == known


async def test_no_device_code_is_in_what_is_remembered(served: Served, mint: Mint) -> None:
    """It would be kept in memory for as long as the worker lives."""
    code = mint.code()
    lane = served.apps.polls.lane
    lane.take(poll(code))
    lane.take(poll(code, b"X-Code: device_code=" + code))
    assert not any(code in shape for shape in lane._shapes)


async def test_the_code_is_read_where_the_body_has_it(
    served: Served, peer: Peer, mint: Mint, clock: Clock
) -> None:
    """A header that looks like the body's parameter is a header, also in a known shape."""
    pending, forged = mint.code(), b"A" * 43
    denied_id = mint.new_id()
    served.mirror.learn(denied_id, State.DENIED, int(clock()) + 600)
    denied = mint.code(denied_id)
    for in_header in (denied, forged, pending, denied, forged):
        for in_body, error in (
            (denied, "access_denied"),
            (pending, "authorization_pending"),
            (forged, "invalid_grant"),
        ):
            answer = await peer.ask(poll(in_body, b"X-Code: device_code=" + in_header))
            assert answer.error == error
        clock.advance(10)


async def test_a_known_shape_with_something_else_in_the_place_of_the_code(
    peer: Peer, mint: Mint
) -> None:
    """Of the same length, and never a code."""
    request = poll(mint.code())
    assert (await peer.ask(request)).error == "authorization_pending"
    body = request.partition(b"\r\n\r\n")[2]
    place = body.index(b"device_code=") + 12
    code = body[place : place + 43]
    for odd, error in (
        (b"&x=".ljust(43, b"y"), "invalid_request"),
        (code[:20] + b"&x=" + code[23:], "invalid_grant"),
        (code[:20] + b"%41" + code[23:], "invalid_grant"),
        (code[:42] + b"&", "invalid_grant"),
        (code[:42] + b"=", "invalid_grant"),
        (code[:42] + b"+", "invalid_grant"),
        (code[:21] + b"\n" + code[22:], "invalid_grant"),
        (b"x&client_id=tv-app".ljust(43, b"z"), "invalid_request"),
    ):
        answer = await peer.ask(request.replace(code, odd))
        assert (odd, answer.error) == (odd, error)
        await peer.settle()


async def test_the_date_follows_the_clock(served: Served, clock: Clock) -> None:
    """Also when it is set back."""
    lane = served.apps.polls.lane

    def date() -> bytes:
        reply = lane.answer(PollAnswer.AUTHORIZATION_PENDING, close=False)
        return reply.data.partition(b"Date: ")[2].partition(b"\r")[0]

    clock.now = 1_793_887_400.9
    assert date() == b"Thu, 05 Nov 2026 14:03:20 GMT"
    clock.advance(0.1)
    assert date() == b"Thu, 05 Nov 2026 14:03:21 GMT"
    clock.advance(-3600)
    assert date() == b"Thu, 05 Nov 2026 13:03:21 GMT"
