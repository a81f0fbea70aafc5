"""What devices do at a peer, beside the load: start many grants, and see how polls are answered."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import aiohttp

from benchmarks.load import Load, LoadResult, Shot
from benchmarks.peers.peer import FORM, Service, send
from benchmarks.processes import BenchmarkError

AT_A_TIME = 16
PROBES = 4
START_FOR_S = 45.0
REPORT_EVERY = 100


class Codes(NamedTuple):
    """The device codes of pending grants: a file for the load, and one to look at."""

    path: Path
    total: int
    sample: str


async def start_many(service: Service, count: int, done: Callable[[int], None]) -> list[str]:
    """Start `count` grants over a few kept connections, and return their device codes.

    After START_FOR_S there may be fewer. May raise BenchmarkError: if the server refuses one.
    """
    left, until = iter(range(count)), time.monotonic() + START_FOR_S
    codes: list[str] = []
    address = f"http://127.0.0.1:{service.server.port}{service.endpoints.authorization}"
    pairs = (line.split(": ", 1) for line in service.endpoints.headers)
    headers = {"Content-Type": FORM, "Accept": "application/json"} | dict(pairs)
    form = service.endpoints.start_form().encode()

    async def start(session: aiohttp.ClientSession) -> None:
        for _ in left:
            async with session.post(address, data=form, headers=headers) as response:
                text = await response.text()
                if response.status != 200:
                    raise BenchmarkError(f"a start was answered {response.status}: {text[:300]}")
            codes.append(json.loads(text)["device_code"])
            if len(codes) % REPORT_EVERY == 0:
                done(REPORT_EVERY)
            if time.monotonic() > until:
                return

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=AT_A_TIME)) as session:
        await asyncio.gather(*(start(session) for _ in range(AT_A_TIME)))
    return codes


def write_codes(codes: list[str], path: Path) -> Codes:
    """Write the codes to a file for the load. May raise BenchmarkError: if their lengths differ."""
    lengths = {len(code) for code in codes}
    if len(lengths) != 1:
        raise BenchmarkError(f"device codes of different lengths: {sorted(lengths)}")
    path.write_text("".join(codes), encoding="ascii")
    return Codes(path, len(codes), codes[0])


class Polls:
    """The polls of a server's pending grants, each time with the codes that are longest unused."""

    def __init__(self, service: Service, codes: Codes) -> None:
        self.service = service
        self._codes = codes
        self._length = len(codes.sample)
        self._at = 0
        self._stride = 1

    def sample(self, load: Load, seconds: float) -> LoadResult:
        """Poll and count the answers by kind. It also says how many codes a turn needs."""
        shot = self._shot(close=False)
        fired = load.fire(self.service.server.port, shot, seconds, sample=True)
        self._stride = round(fired.rate * 1.2)
        self._at += round(fired.rate * fired.seconds)
        return fired

    def shots(self, seconds: float, *, close: bool) -> Callable[[int], Shot]:
        """Return what take_turns asks in each round."""

        def shot(_: int) -> Shot:
            made = self._shot(close=close)
            self._at += round(self._stride * seconds)
            return made

        return shot

    def _shot(self, *, close: bool) -> Shot:
        before = self.service.endpoints.poll(self.service.server.port, self._length, close=close)
        return Shot(before, self._codes.path, self._at % self._codes.total, self._length)


def words(fired: LoadResult) -> str:
    """Describe a sample of answers, for people."""
    kinds = {
        "authorization_pending": fired.pending,
        "slow_down": fired.slow_down,
        "others": fired.other,
    }
    total = max(1, fired.requests)
    found = [f"{count / total:.0%} {kind}" for kind, count in kinds.items() if count]
    return ", ".join(found) or "no answer in time"


def probe(service: Service, code: str) -> list[str]:
    """Poll one grant some times at once, and return the answers in words."""
    return [answer(service, code) for _ in range(PROBES)]


def answer(service: Service, code: str) -> str:
    """Poll once, and return the status and the error code of the answer."""
    form = service.endpoints.poll_form() + code
    status, body = send(service, service.endpoints.token, form)
    try:
        error = json.loads(body)["error"]
    except (ValueError, KeyError, TypeError):
        error = body[:40].decode(errors="replace")
    return f"{status} {error}"


def in_short(answers: list[str]) -> str:
    """Join answers, each with how often it came: "400 slow_down (3 times)"."""
    counted = Counter(answers)
    return ", ".join(f"{text}{f' ({n} times)' if n > 1 else ''}" for text, n in counted.items())
