"""Where requests begin and end: bytes of one request are never read as another.

Each case speaks raw bytes to a worker with the lane, segment by segment. The body of a request
that looks like a poll is the thing to watch: it must be swallowed, never answered.
"""

import asyncio
import re
import socket
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from deviceflow.callers import has_hung_up
from deviceflow.core.grant import Event, State
from deviceflow.oauth.poll.connection import MAX_SENT_AHEAD, missing_after
from deviceflow.oauth.poll.door import REQUEST_TIMEOUT_S
from deviceflow.worker import PROBE_AFTER_S, PROBE_EVERY_S, PROBES, UNACKNOWLEDGED_MS
from tests.stage.before import (
    SLOW,
    Prepare,
    a_poll,
    an_ordinary_request,
    an_uncounted_request,
    errors,
    nothing,
    sweeps,
)
from tests.stage.oauth import Stage
from tests.stage.served import (
    FORM,
    METADATA,
    Mint,
    Peer,
    Served,
    issue,
    poll,
    poll_body,
    post,
    serve,
)
from tests.stage.slow import Slow
from tests.stage.waiting import PATIENCE_S, in_time, turns_until

AUTHORIZE = b"/oauth2/device_authorization"
FORM_BODY = b"client_id=tv-app&scope=profile"
# The lane of starts leaves it to aiohttp.
UNUSUAL_BODY = FORM_BODY + b"&more=x"


async def says_no_more(peer: Peer, answers: int) -> None:
    """Exactly so many answers were written on the whole connection."""
    await peer.settle()
    assert len(re.findall(rb"HTTP/1\.[01] [1-5]", peer.at_server.said)) == answers


PENDING = "authorization_pending"


# Split


async def test_a_head_split_anywhere(served: Served, mint: Mint) -> None:
    request = poll(mint.code())
    head = request.index(b"\r\n\r\n") + 4
    for place in range(1, head):
        request = poll(mint.code())
        async with await served.connect() as peer:
            assert (await peer.ask(request[:place], request[place:])).error == PENDING
            await says_no_more(peer, 1)


async def test_a_body_split_anywhere(served: Served, mint: Mint) -> None:
    request = poll(mint.code())
    head = request.index(b"\r\n\r\n") + 4
    for place in range(head, len(request)):
        request = poll(mint.code())
        async with await served.connect() as peer:
            assert (await peer.ask(request[:place], request[place:])).error == PENDING
            await says_no_more(peer, 1)
    assert served.made == 0


async def test_byte_by_byte(peer: Peer, mint: Mint) -> None:
    request = poll(mint.code())
    assert (await peer.ask(*(request[i : i + 1] for i in range(len(request))))).error == PENDING
    await says_no_more(peer, 1)


async def test_half_a_poll_and_then_more_than_the_rest(peer: Peer, mint: Mint) -> None:
    """What follows the rest in the same segment is the next request."""
    first, second = poll(mint.code()), poll(mint.code())
    await peer.send(first[:-20], first[-20:] + second)
    assert await errors(peer, 2) == [PENDING, PENDING]
    await says_no_more(peer, 2)


async def test_half_a_head_and_then_what_looks_like_a_poll(
    served: Served, peer: Peer, mint: Mint
) -> None:
    """The poll's line is the value of a header; its head goes on with the first one's."""
    await peer.send(
        b"POST /nowhere HTTP/1.1\r\nHost: x\r\nX-Swallow: ",
        # One Host and one Content-Length too many for aiohttp, if this is one request.
        poll(mint.code()),
    )
    assert (await peer.answer()).status == 400
    await says_no_more(peer, 1)
    assert served.lane_answers == 0


async def test_half_a_head_whose_rest_is_a_poll_to_the_byte(
    served: Served, peer: Peer, mint: Mint
) -> None:
    """The same with a first half that leaves nothing doubled: the request is for /nowhere."""
    request = poll(mint.code())
    await peer.send(b"POST /nowhere HTTP/1.1\r\nX-Swallow: ", request)
    assert (await peer.answer()).status == 404
    await says_no_more(peer, 1)
    assert served.lane_answers == 0


# Bodies that nobody read


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"POST /nowhere HTTP/1.1", 404),
        (b"POST /oauth2/jwks HTTP/1.1", 405),
        (b"GET /oauth2/token HTTP/1.1", 405),
        (b"GET /oauth2/jwks HTTP/1.1", 200),
        (b"POST /oauth2/token?client_secret=x HTTP/1.1", 400),
    ],
)
async def test_a_body_that_comes_after_the_answer(
    served: Served, peer: Peer, mint: Mint, head: bytes, status: int
) -> None:
    body = poll(mint.code())
    lines = [head, b"Host: x", FORM, b"Content-Length: %d" % len(body), b"", b""]
    assert (await peer.ask(b"\r\n".join(lines))).status == status
    await peer.settle()
    await peer.send(body)
    await says_no_more(peer, 1)
    assert served.lane_answers == 0
    # After the body the connection is in step again.
    assert (await peer.ask(poll(mint.code()))).error == PENDING
    assert served.lane_answers == 1


async def test_a_body_that_comes_after_the_answer_and_belongs_to_two_requests(
    peer: Peer, mint: Mint
) -> None:
    body = poll(mint.code())
    await peer.ask(
        b"POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % (len(body) + 5)
    )
    await peer.send(body)
    await says_no_more(peer, 1)
    await peer.send(b"12345" + poll(mint.code()))
    assert (await peer.answer()).error == PENDING
    await says_no_more(peer, 2)


async def test_the_rest_of_a_body_that_was_too_large(
    served: Served, peer: Peer, mint: Mint
) -> None:
    rest = poll(mint.code())
    head = post(b"/oauth2/token", b"")[:-4].replace(
        b"Content-Length: 0", b"Content-Length: %d" % (4000 + len(rest))
    )
    assert (await peer.ask(head + b"\r\n\r\n" + b"x" * 4000)).status == 413
    await peer.send(rest)
    await says_no_more(peer, 1)
    assert served.lane_answers == 0


# Chunked


async def test_a_chunk_that_looks_like_a_poll(served: Served, peer: Peer, mint: Mint) -> None:
    inside = poll(mint.code())
    await peer.send(
        b"POST %b HTTP/1.1\r\nHost: x\r\n%b\r\nTransfer-Encoding: chunked\r\n\r\n"
        % (AUTHORIZE, FORM),
        b"%x\r\n" % len(inside),
        inside,
        b"\r\n0\r\n\r\n",
    )
    # It has a client_id in it, even.
    assert "user_code" in (await peer.answer()).json
    await says_no_more(peer, 1)
    assert served.lane_answers == 0
    assert (await peer.ask(poll(mint.code()))).error == PENDING


async def test_a_chunk_after_the_answer(served: Served, peer: Peer, mint: Mint) -> None:
    inside = poll(mint.code())
    head = b"POST /nowhere HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert (await peer.ask(head + b"%x\r\n" % len(inside))).status == 404
    await peer.send(inside)
    await says_no_more(peer, 1)
    assert served.lane_answers == 0
    assert (await peer.ask(b"\r\n0\r\n\r\n", poll(mint.code()))).error == PENDING


async def test_a_length_beside_chunks(served: Served, peer: Peer, mint: Mint) -> None:
    """RFC 9112 6.1: the two together are an attempt at smuggling."""
    body = b"0\r\n\r\n" + poll(mint.code())
    await peer.send(post(b"/oauth2/token", body, b"Transfer-Encoding: chunked"))
    assert (await peer.answer()).status == 400
    await says_no_more(peer, 1)
    assert peer.at_server.is_closing
    assert served.lane_answers == 0


# Pipelines


async def test_poll_and_poll(peer: Peer, mint: Mint) -> None:
    await peer.send(poll(mint.code()) + poll(b"A" * 43))
    assert await errors(peer, 2) == [PENDING, "invalid_grant"]
    await says_no_more(peer, 2)


async def test_ordinary_and_poll(peer: Peer, mint: Mint) -> None:
    await peer.send(METADATA + poll(mint.code()))
    assert await errors(peer, 2) == ["", PENDING]
    await says_no_more(peer, 2)


async def test_poll_and_ordinary(peer: Peer, mint: Mint) -> None:
    await peer.send(poll(mint.code()) + METADATA)
    assert await errors(peer, 2) == [PENDING, ""]
    await says_no_more(peer, 2)


async def test_poll_and_half_a_poll(peer: Peer, mint: Mint) -> None:
    second = poll(mint.code())
    await peer.send(poll(mint.code()) + second[:100], second[100:])
    assert await errors(peer, 2) == [PENDING, PENDING]
    await says_no_more(peer, 2)


async def test_a_poll_sent_while_an_ordinary_request_is_slow(
    served: Served, peer: Peer, mint: Mint, slow: Slow
) -> None:
    """RFC 9112 9.3.2: answers come in the order of their requests."""
    await peer.send(SLOW)
    await slow.started.wait()
    await peer.send(poll(mint.code()), poll(b"A" * 43), METADATA)
    for _ in range(20):
        await asyncio.sleep(0)
    assert peer.at_server.said == b""
    slow.release.set()
    assert await errors(peer, 4) == ["slow", PENDING, "invalid_grant", ""]
    await says_no_more(peer, 4)
    assert served.lane_answers == 0


async def test_a_late_body_that_looks_like_a_poll(served: Served, peer: Peer, mint: Mint) -> None:
    body = poll(mint.code())
    head = post(AUTHORIZE, body)[: -len(body)]
    await peer.send(head)
    await peer.settle()
    await peer.send(body)
    # It has a client_id in it, even.
    assert "user_code" in (await peer.answer()).json
    await says_no_more(peer, 1)
    assert served.lane_answers == 0
    assert (await peer.ask(poll(mint.code()))).error == PENDING


async def test_a_late_body_in_two_pieces_the_second_a_poll(
    served: Served, peer: Peer, mint: Mint, slow: Slow
) -> None:
    """As before, with a handler that does not read the body before it answers."""
    body = b"x=y" + poll(mint.code())
    await peer.send(post(b"/slow", body)[: -len(body)], b"x=y")
    await slow.started.wait()
    await peer.send(poll(mint.code()))
    slow.release.set()
    assert (await peer.answer()).error == "slow"
    await says_no_more(peer, 1)
    assert served.lane_answers == 0


# Lengths


async def test_a_length_that_is_too_large(served: Served, peer: Peer, mint: Mint) -> None:
    """The next poll's first bytes are this one's body."""
    body = poll_body(mint.code())
    request = post(b"/oauth2/token", body).replace(
        b"Content-Length: %d" % len(body), b"Content-Length: %d" % (len(body) + 10)
    )
    await peer.send(request, poll(mint.code()))
    assert (await peer.answer()).error == "invalid_client"
    # What is left of the second is no request.
    assert (await peer.answer()).status == 400
    await says_no_more(peer, 2)
    assert served.lane_answers == 0


async def test_a_length_that_is_too_small(served: Served, peer: Peer, mint: Mint) -> None:
    """The rest of the body is the start of the next request."""
    body = poll_body(mint.code())
    request = post(b"/oauth2/token", body + poll(mint.code())).replace(
        b"Content-Length: %d" % len(body + poll(mint.code())), b"Content-Length: %d" % len(body)
    )
    await peer.send(request)
    assert await errors(peer, 2) == [PENDING, PENDING]
    await says_no_more(peer, 2)
    assert served.lane_answers == 0


@pytest.mark.parametrize("length", [b"+5", b"05", b"5,5", b"0x5", b"", b"-1", b"5 5", b"\xb2"])
async def test_a_length_that_is_no_number(
    served: Served, peer: Peer, mint: Mint, length: bytes
) -> None:
    request = poll(mint.code())
    number = b"%d" % len(poll_body(mint.code()))
    await peer.send(request.replace(b"Length: " + number, b"Length: " + length))
    await peer.settle()
    assert served.lane_answers == 0


def test_missing_after_counts_one_request() -> None:
    request = post(AUTHORIZE, UNUSUAL_BODY)
    assert missing_after(request) == 0
    assert missing_after(request[:-7]) == 7
    assert missing_after(request + b"x") == -1
    assert missing_after(request[:30]) == -1
    assert missing_after(b"") == -1
    assert missing_after(b"\r\n\r\n" + request) == -1
    assert missing_after(request.replace(b"Host", b"Expect")) == -1
    assert missing_after(request.replace(b"POST", b"PUT")) == -1
    assert missing_after(request.replace(b"1.1", b"1.0")) == -1


# Expectations and upgrades


async def test_a_body_after_100_continue(served: Served, peer: Peer, mint: Mint) -> None:
    body = poll(mint.code())
    head = post(AUTHORIZE, body, b"Expect: 100-continue")[: -len(body)]
    await peer.send(head)
    await peer.settle()
    assert peer.at_server.said.startswith(b"HTTP/1.1 100 Continue\r\n\r\n")
    await peer.send(body)
    await says_no_more(peer, 2)
    assert served.lane_answers == 0


@pytest.mark.parametrize(
    ("request_line", "status", "kind"),
    [
        (b"POST /oauth2/token", 417, "application/json"),
        (b"GET /oauth2/jwks", 417, "application/json"),
        (b"PATCH /oauth2/token", 417, "application/json"),
        (b"GET /oauth2/nothing", 417, "application/json"),
        (b"GET /device", 400, "text/html"),
        (b"GET /nothing", 400, "text/html"),
        (b"GET /static/nothing", 400, "text/html"),
    ],
)
async def test_another_expectation(peer: Peer, request_line: bytes, status: int, kind: str) -> None:
    """6749-5.2-c: refused (RFC 9110 10.1.1) in our own words, which repeat nothing of it."""
    await is_refused(peer, request_line, b"mysecret", status, kind)


@pytest.mark.parametrize("expectation", [b"mysecret-\xe9", b"mysecret-\xc3\xa9"])
async def test_an_expectation_that_is_no_ascii(served: Served, expectation: bytes) -> None:
    """For a machine and for a person. One of them is not even UTF-8."""
    async with await served.connect() as peer:
        await is_refused(peer, b"GET /oauth2/jwks", expectation, 417, "application/json")
    async with await served.connect() as peer:
        await is_refused(peer, b"GET /device", expectation, 400, "text/html")


async def is_refused(
    peer: Peer, request_line: bytes, expectation: bytes, status: int, kind: str
) -> None:
    reply = await peer.ask(
        b"%b HTTP/1.1\r\nHost: x\r\nExpect: %b\r\nContent-Length: 0\r\n\r\n"
        % (request_line, expectation)
    )
    assert reply.status == status
    assert b"mysecret" not in reply.head + reply.body
    assert (reply.header("Content-Type") or "").startswith(kind)
    assert reply.header("Cache-Control") == "no-store"
    assert reply.header("Server") == "deviceflow"
    if status == 417:
        assert reply.error == "invalid_request"


@pytest.mark.parametrize("token", [b"websocket", b"h2c"])
async def test_a_poll_after_an_upgrade(
    served: Served, peer: Peer, mint: Mint, token: bytes
) -> None:
    """The upgrade is declined; what follows is answered, but not by the lane."""
    upgrade = METADATA[:-2] + b"Connection: Upgrade\r\nUpgrade: %b\r\n\r\n" % token
    await peer.send(upgrade)
    await peer.settle()
    await peer.send(poll(mint.code()))
    await peer.settle()
    assert served.lane_answers == 0


# On the lane, off it, and on it again


@pytest.mark.parametrize(
    "ordinary",
    [METADATA, post(AUTHORIZE, UNUSUAL_BODY), post(b"/nowhere", b"x=y")],
    ids=["get", "device_authorization", "not found"],
)
async def test_the_lane_again_after_an_ordinary_request(
    served: Served, peer: Peer, mint: Mint, ordinary: bytes
) -> None:
    assert (await peer.ask(poll(mint.code()))).error == PENDING
    for turn in range(1, 4):
        await peer.ask(ordinary)
        await peer.settle()
        assert (await peer.ask(poll(mint.code()))).error == PENDING
        request = poll(mint.code())
        assert (await peer.ask(request[:-120], request[-120:])).error == PENDING
        assert served.lane_answers == 1 + 2 * turn
    assert served.made == 1


async def test_the_lane_again_after_an_ordinary_request_in_two_segments(
    served: Served, peer: Peer, mint: Mint
) -> None:
    """As http.client sends it: first the head, then the body."""
    request = post(AUTHORIZE, UNUSUAL_BODY)
    assert (await peer.ask(request[: -len(UNUSUAL_BODY)], UNUSUAL_BODY)).status == 200
    await peer.settle()
    assert (await peer.ask(poll(mint.code()))).error == PENDING
    assert served.lane_answers == 1


async def test_never_again_after_bytes_whose_end_nobody_counted(
    served: Served, peer: Peer, mint: Mint
) -> None:
    await peer.ask(METADATA[:20], METADATA[20:])
    await peer.settle()
    assert (await peer.ask(poll(mint.code()))).error == PENDING
    assert served.lane_answers == 0


async def test_the_poll_of_an_approved_grant_is_redeemed_behind_the_lane(
    stage: Stage, served: Served, peer: Peer
) -> None:
    issued = await issue(stage.people.grants, stage.clock())
    assert (await peer.ask(poll(issued.code))).error == PENDING
    await approve(stage, served, issued.grant_id, issued.grant)
    tokens = await peer.ask(poll(issued.code))
    assert tokens.json["token_type"] == "Bearer"
    await peer.settle()
    again = await peer.ask(poll(issued.code))
    assert again.json["token_type"] == "Bearer"
    assert served.lane_answers == 1
    served.apps.parts.mirror.learn(issued.grant_id, State.SPENT, issued.grant.expires_at)
    await peer.settle()
    assert (await peer.ask(poll(issued.code))).error == "invalid_grant"
    assert served.lane_answers == 2


async def approve(stage: Stage, served: Served, grant_id: int, grant: object) -> None:
    people = stage.people
    await people.grants.claim(grant, "sub-ada")  # type: ignore[arg-type]
    await people.grants.decide(grant, Event.APPROVE, await people.subject("ada"))  # type: ignore[arg-type]
    await served.knows(grant_id, State.APPROVED)


async def test_close_is_close(served: Served, peer: Peer, mint: Mint) -> None:
    answer = await peer.ask(poll(mint.code(), b"Connection: close"))
    assert answer.header("Connection") == "close"
    assert await peer.rest() == b""
    assert served.made == 0


async def test_a_client_that_sends_no_more_still_gets_its_answer(
    served: Served, mint: Mint
) -> None:
    async with await served.connect() as peer:
        peer.writer.write(poll(mint.code()))
        peer.writer.write_eof()
        assert (await peer.answer()).error == PENDING
        assert await peer.rest() == b""


@pytest.fixture(params=[True, False], ids=["lane on", "lane off"])
async def either(request: pytest.FixtureRequest, stage: Stage, slow: Slow) -> AsyncIterator[Served]:
    """A worker with the lane and one without."""
    async with serve(
        stage, lane=request.param, routes=[web.post("/slow", slow.__call__)]
    ) as served:
        yield served
        slow.release.set()


async def half_closed(served: Served, *pieces: bytes) -> Peer:
    """A client that has sent everything, and has ended its half of the connection."""
    peer = await served.connect()
    await peer.send(*pieces[:-1])
    peer.writer.write(pieces[-1])
    peer.writer.write_eof()
    return peer


PAGE = b"GET /device HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.mark.parametrize("cut", [0, 40, -10], ids=["whole", "in the head", "in the body"])
async def test_half_closed_after_a_poll(either: Served, stage: Stage, cut: int) -> None:
    """RFC 9112 9.6: the client may end its half, and still reads. In one segment or in two."""
    pending = Mint(stage).code()
    issued = await issue(stage.people.grants, stage.clock())
    await approve(stage, either, issued.grant_id, issued.grant)
    for code, status in ((pending, 400), (issued.code, 200)):
        request = poll(code)
        pieces = (request[:cut], request[cut:]) if cut else (request,)
        async with await half_closed(either, *pieces) as peer:
            assert (await peer.answer()).status == status
            assert await peer.rest() == b""
    await turns_until(lambda: not either.door.connections)


@pytest.mark.parametrize(
    "request_bytes",
    [
        post(AUTHORIZE, UNUSUAL_BODY),
        PAGE,
        METADATA,
        b"POST /oauth2/token HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /slow HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n\r\n",
    ],
    ids=["device authorization", "page", "metadata", "chunked", "expect"],
)
async def test_half_closed_after_another_request(
    either: Served, slow: Slow, request_bytes: bytes
) -> None:
    slow.release.set()
    async with await half_closed(either, request_bytes) as peer:
        assert re.match(rb"HTTP/1.1 [1-5]", await peer.rest())
    await turns_until(lambda: not either.door.connections)


async def test_half_closed_after_several_requests(either: Served, mint: Mint) -> None:
    """Each of them is answered: in one segment, and in segments of their own."""
    requests = [poll(mint.code()), METADATA, poll(b"A" * 43), PAGE, METADATA]
    for pieces in ([b"".join(requests)], requests):
        async with await half_closed(either, *pieces) as peer:
            answers = [await peer.answer() for _ in requests]
            assert [answer.status for answer in answers] == [400, 200, 400, 303, 200]
            assert await peer.rest() == b""
        requests[0] = poll(mint.code())
    await turns_until(lambda: not either.door.connections)


async def test_half_closed_while_a_request_is_served(either: Served, slow: Slow) -> None:
    async with await half_closed(either, post(b"/slow", b"")) as peer:
        await slow.started.wait()
        await turns_until(lambda: peer.at_server.has_ended)
        slow.release.set()
        assert (await peer.answer()).status == 200
        assert await peer.rest() == b""
    await turns_until(lambda: not either.door.connections)


@pytest.mark.parametrize("split", [False, True], ids=["at once", "later"])
async def test_half_closed_after_a_poll_that_asks_to_wait(
    either: Served, mint: Mint, *, split: bool
) -> None:
    """It may as well have hung up. So it is answered at once: tokens are for one that listens."""
    request = poll(mint.code(), b"Prefer: wait=20")
    peer = await (either.connect() if split else half_closed(either, request))
    async with peer:
        if split:
            await peer.send(request)
            await turns_until(lambda: len(either.apps.polls.held) == 1)
            peer.writer.write_eof()
        assert (await in_time(peer.answer(), 1)).error == PENDING
        assert await peer.rest() == b""
    await turns_until(lambda: not either.door.connections)
    assert len(either.apps.polls.held) == 0


@pytest.mark.parametrize(
    "half",
    [
        b"",
        b"POST",
        poll(b"A" * 43)[:60],
        poll(b"A" * 43)[:-1],
        b"POST /slow HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
        METADATA[:-2],
    ],
    ids=["nothing", "a word", "half a head", "half a body", "half a chunk", "most of a head"],
)
@pytest.mark.parametrize("before", [b"", METADATA, poll(b"A" * 43)], ids=["new", "after", "polled"])
async def test_half_closed_in_the_middle_ends_the_connection(
    either: Served, before: bytes, half: bytes
) -> None:
    """What was whole is answered; what can never be whole is not waited for."""
    for pieces in ([before + half], [before, half]):
        async with await half_closed(either, *pieces) as peer:
            rest = await peer.rest()
            assert rest.count(b"HTTP/1.1 ") <= (1 if before else 0) + 1
        await turns_until(lambda: not either.door.connections)


async def test_dead_peers_are_noticed(peer: Peer) -> None:
    """By probes while nothing is sent, and by a limit on what is not acknowledged."""
    await peer.send()
    at_server = peer.at_server.transport.get_extra_info("socket")

    def option(level: int, name: int) -> int:
        value: int = at_server.getsockopt(level, name)
        return value

    assert option(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    if hasattr(socket, "TCP_KEEPIDLE"):
        assert option(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == PROBE_AFTER_S
        assert option(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL) == PROBE_EVERY_S
        assert option(socket.IPPROTO_TCP, socket.TCP_KEEPCNT) == PROBES
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        assert option(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == UNACKNOWLEDGED_MS


# Clients that do not read


async def small(served: Served) -> Peer:
    """A connection with hardly any room between the two ends."""
    sock = socket.socket()
    # Not smaller: a kernel that has to shrink a full window may lose acknowledgements with it,
    # and then no request gets through any more.
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
    sock.settimeout(0)
    await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", served.port))
    reader, writer = await asyncio.open_connection(sock=sock, limit=2048)
    peer = Peer(reader, writer, served.door.known)
    await peer.send()
    at_server = peer.at_server.transport.get_extra_info("socket")
    at_server.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    return peer


async def fill(peer: Peer, request: bytes) -> int:
    """Send one request after the other until the server reads no more; how many were sent."""
    for sent in range(1, 20_000):
        peer.sent += len(request)
        peer.writer.write(request)
        if not await is_read(peer):
            return sent
    pytest.fail("the server goes on reading")


async def is_read(peer: Peer) -> bool:
    """Whether the server reads all that was sent to it.

    It has stopped for good if answers lie unread, and nothing arrives in many turns of the loop,
    in which both ends are served.
    """
    quiet = 0
    while peer.at_server.received < peer.sent:
        quiet = quiet + 1 if peer.at_server._is_unread else 0
        if quiet > STOPPED_TURNS:
            return False
        await asyncio.sleep(0.001 if quiet else 0)
    return True


STOPPED_TURNS = 100
MOST_UNSENT = 65_536 + 16_384


@pytest.mark.parametrize("before", [nothing, a_poll, an_ordinary_request, an_uncounted_request])
async def test_a_client_that_reads_nothing_is_not_read_either(
    served: Served, mint: Mint, before: Prepare
) -> None:
    async with await small(served) as peer:
        await before(peer, mint)
        said = peer.at_server.said.count(b"HTTP/1.1 ")
        sent = await fill(peer, poll(mint.code()))
        assert peer.at_server.transport.get_write_buffer_size() < MOST_UNSENT
        assert peer.at_server.is_stuck()
        # Once it reads again, it gets them all.
        answers = await errors(peer, sent)
        assert answers[0] == PENDING
        assert set(answers[1:]) == {"slow_down"}
        await turns_until(lambda: peer.at_server.received >= peer.sent)
        assert not peer.at_server.is_stuck()
        await says_no_more(peer, said + sent)


async def test_a_flood_of_pipelined_requests_is_not_stored(served: Served) -> None:
    """Neither are the answers, nor the requests: also after the client has read a little."""
    count = 1000
    request = METADATA[:-2] + b"X-Large: %b\r\n\r\n" % (b"x" * 4000)
    async with await small(served) as peer:
        peer.writer.write(request * count)
        for _ in range(5):
            await still(peer)
            assert peer.at_server.transport.get_write_buffer_size() < MOST_UNSENT
            for _ in range(100):
                assert (await peer.answer()).status == 200
        assert peer.at_server.received < len(request) * 900
        for _ in range(count - 500):
            assert (await peer.answer()).status == 200
        await says_no_more(peer, count)


async def still(peer: Peer) -> None:
    """Wait until the server has read all that it wants to read."""
    async with asyncio.timeout(PATIENCE_S):
        before = -1
        while before != peer.at_server.received:
            before = peer.at_server.received
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("request_line", [poll(b"A" * 43), METADATA], ids=["lane", "aiohttp"])
async def test_a_client_that_never_reads_is_given_up(served: Served, request_line: bytes) -> None:
    async with await small(served) as peer:
        await fill(peer, request_line)
        await sweeps(served, 2 * REQUEST_TIMEOUT_S)
        await turns_until(lambda: peer.at_server.lost)


async def test_a_closed_connection_that_nobody_reads_is_given_up(served: Served) -> None:
    """Closing waits for what is not sent yet, but not for ever."""
    async with await small(served) as peer:
        await fill(peer, poll(b"A" * 43))
        peer.at_server.transport.close()
        assert not peer.at_server.lost
        await sweeps(served, 2 * REQUEST_TIMEOUT_S)
        await turns_until(lambda: peer.at_server.lost)


async def test_what_is_sent_ahead_of_a_held_poll_is_limited(
    served: Served, peer: Peer, mint: Mint
) -> None:
    await peer.send(poll(mint.code(), b"Prefer: wait=30"))
    await peer.send(b"x" * MAX_SENT_AHEAD)
    assert not peer.at_server.is_closing
    await peer.send(b"x")
    assert await peer.rest() == b""
    await turns_until(lambda: len(served.apps.polls.held) == 0)


@pytest.mark.parametrize("end", ["close", "write_eof"])
async def test_a_handler_knows_that_its_client_has_hung_up(
    served: Served, slow: Slow, end: str
) -> None:
    """Nobody may be left to answer, so it need not begin what is expensive."""
    async with await served.connect() as peer:
        await peer.send(b"POST /slow HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
        await slow.started.wait()
        assert not has_hung_up(slow.request)
        getattr(peer.writer, end)()
        await turns_until(lambda: has_hung_up(slow.request))
