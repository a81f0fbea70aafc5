"""The lane of starts and the ordinary handler do the same.

Two workers over one store, one with the lane and one without, get each request. What they say on
the whole connection has to be the same, but for the date and what is random. So has what they log,
record, count and store.
"""

import logging
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import msgspec
import pytest
import structlog
from structlog.testing import capture_logs

from deviceflow.config import GrantLimits
from deviceflow.ops.metrics import table
from deviceflow.policy import admission
from deviceflow.store.errors import StoreUnavailable
from tests.oauth.poll.test_differential import (
    BROKEN,
    ENDS,
    HEADERS,
    HOSTS,
    LINES,
    TYPES,
    VARYING,
    length_lines,
)
from tests.oauth.start.conftest import Pair
from tests.stage.clock import Clock
from tests.stage.oauth import AUTHORIZE, Stage
from tests.stage.served import METADATA, Served, poll, post
from tests.stage.waiting import turns_until

TOKEN, PATH = b"/oauth2/token", AUTHORIZE.encode()
BODY = b"client_id=tv-app&scope=profile"
BODIES = (
    b"client_id=tv-app",
    b"scope=profile&client_id=tv-app",
    b"client_id=tv-app&scope=openid%20profile",
    b"client_id=tv-app&scope=profile+openid",
    b"client_id=tv-app&scope=openid profile",
    b"client_id=tv-app&scope=profile+profile",
    b"client_id=tv-app&scope=",
    b"client_id=tv-app&scope",
    b"client_id=tv-app&scope=admin",
    b"client_id=tv-app&scope=+profile+",
    b"client_id=tv-app&scope=pro%66ile",
    b"client_id=tv-app&scope=%zz",
    b"client_id=tv-app&scope=%ff",
    b"client_id=tv-app&scope=\xff",
    b"client_id=tv-app&scope=a=b",
    b"client_id=tv-app&scope=%00",
    b"client_id=tv-app&scope=" + b"profile+" * 100,
    b"client_id=tv-app&scope=profile&scope=profile",
    b"client_id=tv-app&client_id=tv-app",
    b"client%5fid=tv-app",
    b"client_id=tv%2Dapp",
    b"client_id=tv-app+",
    b"client_id=a%2Bb",
    b"client_id=a+b",
    b"client_id",
    b"client_id=",
    b"scope=profile",
    b"",
    *(b"client_id=" + name for name in (b"other-tv", b"off", b"console", b"box", b"either")),
    *(b"client_id=" + name for name in (b"bare", b"typed", b"brief", b"nobody", b"bound")),
    *(b"client_id=" + name for name in (b"proving", b"without", b"here", b"away")),
    BODY + b"&client_secret=",
    BODY + b"&client_secret=x",
    BODY + b"&code_challenge=" + b"A" * 43 + b"&code_challenge_method=S256",
    BODY + b"&code_challenge=x",
    BODY + b"&dpop_jkt=" + b"A" * 43,
    BODY + b"&resource=https%3A%2F%2Fapi.example.com",
    BODY + b"&audience=https%3A%2F%2Fapi.example.com",
    BODY + b"&unknown=x",
    BODY + b"&&",
    b"&" + BODY,
    BODY + b"&=",
    BODY + b"&" + b"&".join(b"x%d=y" % n for n in range(70)),
    BODY + b"&x=" + b"y" * 1500,
    BODY + b"&x=" + b"y" * 2500,
)
USER_AGENTS = (
    b"User-Agent: NebulaTV/4.2 (Linux; armv8)",
    b"user-agent:  Mozilla/5.0 (PlayStation 4) AppleWebKit/605  ",
    b"User-Agent:",
    b"User-Agent: \xc3\xa9",
)


def requests() -> Iterator[bytes]:
    """Starts that are usual but for one thing."""
    for body in BODIES:
        yield post(PATH, body)
    for end in ENDS:
        yield post(PATH, BODY) + end
        yield post(PATH, BODY + end)
    for line in LINES:
        yield assemble(*usual_fields(), line=line.replace(TOKEN, PATH))
    for i, odd in enumerate((HOSTS, TYPES, length_lines(len(BODY)))):
        for field in odd:
            fields = usual_fields()
            fields[i] = field
            yield assemble(*fields)
    # Those that are too large for aiohttp are not for the lane, and take seconds.
    small = [header for header in BROKEN if len(header) < 8000 and header.count(b":") < 100]
    for header in (*HEADERS, *small, *USER_AGENTS):
        yield assemble(*usual_fields(), header)
        yield assemble(header, *usual_fields())
    yield post(PATH, BODY) * 3
    yield post(PATH, BODY) + poll(b"A" * 43) + METADATA
    yield poll(b"A" * 43) + post(PATH, BODY)
    yield METADATA + post(PATH, BODY)


def usual_fields() -> list[bytes]:
    return [HOSTS[0], TYPES[0], length_lines(len(BODY))[0]]


def assemble(*fields: bytes, line: bytes = LINES[0].replace(TOKEN, PATH)) -> bytes:
    return b"\r\n".join([line, *(field for field in fields if field), b"", BODY])


class Told(NamedTuple):
    """What a worker said, whether it closed first, and all that it told of it elsewhere."""

    said: bytes
    closed: bool
    lines: list[dict[str, Any]]
    audited: list[dict[str, Any]]
    counted: list[float]
    stored: list[dict[str, Any]]


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Of broken requests nobody wants to read."""
    before = structlog.get_config()
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)
    yield
    structlog.configure(**before)
    logging.getLogger("aiohttp.server").setLevel(logging.NOTSET)


async def ask(side: Served, stage: Stage, *segments: bytes, masked: bool = True) -> Told:
    """Send a request, then an ordinary one, and hang up."""
    parts = side.apps.parts
    before, counted = newest(side), counts(side)
    with capture_logs() as lines:
        async with await side.connect() as peer:
            await peer.send(*segments)
            await peer.settle()
            closed = peer.at_server.is_closing
            await peer.send(METADATA)
            await peer.settle()
            connection = peer.at_server
        await turns_until(lambda: connection.lost)
    said = connection.said
    codes = [code.decode() for code in re.findall(rb'"user_code":"([^"]*)"', said)]
    grants = [await stage.people.grants.find(code.replace("-", "")) for code in codes]
    lines_of_audit = [msgspec.json.decode(line) for line in parts.audit.recent]
    audited = [line for line in lines_of_audit if line["sequence"] > before]
    ids = re.findall(rb"X-Request-ID: ([^\r]*)", said)
    assert {line["request_id"].encode() for line in audited} <= {*ids}
    return Told(
        VARYING.sub(b"*", said) if masked else said,
        closed,
        [without(line, "grant") for line in lines],
        [without(line, *CHAINED) for line in audited],
        [now - then for now, then in zip(counts(side), counted, strict=True)],
        [without(msgspec.structs.asdict(grant), "id") for grant in grants if grant],
    )


CHAINED = ("chain", "sequence", "previous", "hash", "grant", "request_id", "time")


def newest(side: Served) -> int:
    """The number of the newest line in a worker's audit."""
    recent = side.apps.parts.audit.recent
    return int(msgspec.json.decode(recent[-1])["sequence"]) if recent else 0


def without(line: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in line.items() if name not in names}


def counts(side: Served) -> list[float]:
    recorder = side.apps.parts.recorder
    responses = [
        recorder.read(table.RESPONSES, "machine", status) for status in ("2xx", "4xx", "5xx")
    ]
    return [recorder.read(table.GRANTS_ISSUED), *responses]


@pytest.mark.parametrize(
    "cors_origins", [("*",), (), ("https://tv.example.com",)], ids=["all", "none", "one"]
)
async def test_one_oddity(pair: Pair, stage: Stage, clock: Clock) -> None:
    differing = []
    for request in requests():
        here = await ask(pair.with_lane, stage, request)
        there = await ask(pair.without, stage, request)
        if here != there:
            differing.append(request)
        # Grants end: with many of them, the user codes would grow in the middle.
        clock.advance(30)
    assert differing == []
    assert pair.with_lane.door.starts > len(HEADERS), "the lane took most of them"
    assert pair.without.door.starts == 0


async def test_in_segments(pair: Pair, stage: Stage) -> None:
    """The head first and then the body, as many libraries send it, is the lane's too."""
    request = assemble(*usual_fields())
    for at in (10, len(request) - len(BODY), len(request) - 5):
        cut = (request[:at], request[at:])
        assert await ask(pair.with_lane, stage, *cut) == await ask(pair.without, stage, *cut)
    assert pair.with_lane.door.starts == 2


FORWARDED = (
    (),
    (b"X-Forwarded-For: 203.0.113.7",),
    (b"X-Forwarded-For: 198.51.100.1, 203.0.113.7",),
    (b"X-Forwarded-For: 198.51.100.1", b"x-forwarded-for: 203.0.113.7"),
    (b"X-Forwarded-For: [2001:db8::1]:443",),
    (b"X-Forwarded-For: nonsense",),
    (b"X-Forwarded-For:",),
    (b"X-Request-ID: from-the-proxy",),
    (b"X-Request-ID: one", b"X-Request-ID: two"),
    (b"X-Request-ID: a b",),
    (b"traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",),
)


@pytest.mark.parametrize("trusted_proxies", [("127.0.0.1",), ("192.0.2.1",)], ids=str)
async def test_behind_a_proxy(pair: Pair, stage: Stage, trusted_proxies: tuple[str, ...]) -> None:
    """The same address in the grant, the log and the audit, and the same id of the request."""
    for headers in FORWARDED:
        for body in (BODY, b"client_id=here"):
            request = post(PATH, body, *headers)
            here = await ask(pair.with_lane, stage, request)
            there = await ask(pair.without, stage, request)
            assert here == there, request
    given = post(PATH, BODY, FORWARDED[1][0], b"X-Request-ID: from-the-proxy")
    told = await ask(pair.with_lane, stage, given, masked=False)
    is_trusted = trusted_proxies == ("127.0.0.1",)
    assert told.stored[0]["address"] == ("203.0.113.7" if is_trusted else "127.0.0.1")
    assert (b"X-Request-ID: from-the-proxy\r\n" in told.said) is is_trusted
    assert pair.with_lane.door.starts > len(FORWARDED)


@pytest.mark.parametrize("limits", [GrantLimits(starts_per_address=2)])
async def test_beyond_a_limit(
    pair: Pair, stage: Stage, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store refuses the third, and the worker's memory the fourth."""
    monkeypatch.setattr(admission, "HOLD_BACK_S", 0.0)
    told = []
    for side in pair:
        told.append([await ask(side, stage, post(PATH, BODY)) for _ in range(4)])
        clock.advance(3600)
    here, there = [[each._replace(stored=[]) for each in side] for side in told]
    assert here == there
    assert [each.said.partition(b"\r\n")[0][9:12] for each in here] == [
        b"200", b"200", b"429", b"429",
    ]  # fmt: skip
    assert pair.with_lane.door.starts == 4


@pytest.mark.parametrize("error", [StoreUnavailable("TimeoutError"), ValueError("a mistake")])
async def test_what_fails(
    pair: Pair, stage: Stage, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    """503 without the store; 500, and an error in the log, for what nobody thought of."""

    async def fail(*_: object) -> None:
        raise error

    for side in pair:
        monkeypatch.setattr(side.apps.parts.grants, "issue", fail)
    here, there = [await ask(side, stage, post(PATH, BODY)) for side in pair]
    assert here._replace(lines=[]) == there._replace(lines=[])
    assert [line["event"] for line in here.lines] == [line["event"] for line in there.lines]
    assert pair.with_lane.door.starts == 1
