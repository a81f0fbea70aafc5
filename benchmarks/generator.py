"""The load generator if wrk is not installed: plain sockets, each with one open request.

Run as `python -m benchmarks.generator` with the arguments of load.py. It prints the same line as
poll.lua. It is slower than wrk, so the differences between the competitors are smaller.
"""

import asyncio
import json
import sys
import time
from collections import Counter
from itertools import cycle, islice
from pathlib import Path

import uvloop

from benchmarks.measure import percentile
from benchmarks.polls import CODE_LENGTH

ANSWERS = (b"authorization_pending", b"slow_down")


class Load:
    """The state that all connections share: the next requests and the counted answers."""

    def __init__(self, before: bytes, codes: bytes, first: int, length: int = CODE_LENGTH) -> None:
        self._before = before
        self._length = length
        count = len(codes) // length
        numbers = islice(cycle(range(count)), first % count, None) if count else None
        self._codes, self._numbers = codes, numbers
        self.closes = b"Connection: close" in before
        self.latencies: list[float] = []
        self.seen: Counter[str] = Counter()
        self.on = True

    def request(self) -> bytes:
        """Return the next request."""
        if self._numbers is None:
            return self._before
        at = next(self._numbers) * self._length
        return self._before + self._codes[at : at + self._length]

    def note(self, answer: bytes, seconds: float) -> None:
        """Count an answer."""
        self.latencies.append(seconds)
        self.seen["refused"] += not answer.startswith(b"HTTP/1.1 2")
        word = next((word for word in ANSWERS if word in answer), b"other")
        self.seen[word.decode()] += 1


class Device(asyncio.Protocol):
    """A connection. When it ends, it is opened again, as long as the load lasts."""

    def __init__(self, load: Load, port: int, tasks: set["asyncio.Task[object]"]) -> None:
        self._load, self._port, self._tasks = load, port, tasks
        self._received = b""
        self._sent_at = 0.0

    def connect(self) -> None:
        """Open a connection."""
        loop = asyncio.get_running_loop()
        task: asyncio.Task[object] = loop.create_task(
            loop.create_connection(lambda: self, "127.0.0.1", self._port)
        )
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the first request."""
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]
        self._send()

    def data_received(self, data: bytes) -> None:
        """Count a complete answer, and send the next request."""
        self._received += data
        end = _end(self._received)
        if end is None or len(self._received) < end:
            return
        self._load.note(self._received, time.perf_counter() - self._sent_at)
        self._received = b""
        if self._load.closes:
            self._transport.close()
        elif self._load.on:
            self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        """Open the connection again."""
        if self._load.on:
            self._load.seen["failed"] += exc is not None
            self.connect()

    def stop(self) -> None:
        """Close at once."""
        self._transport.abort()

    def _send(self) -> None:
        self._sent_at = time.perf_counter()
        self._transport.write(self._load.request())


def _end(received: bytes) -> int | None:
    """Return the length of the answer, or None before its headers are complete."""
    head = received.find(b"\r\n\r\n")
    if head < 0:
        return None
    for line in received[:head].split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return head + 4 + int(value)
    return None


async def run(port: int, connections: int, seconds: float, load: Load) -> dict[str, float]:
    """Send requests to `port` for `seconds`, and return the figures of poll.lua."""
    tasks: set[asyncio.Task[object]] = set()
    devices = [Device(load, port, tasks) for _ in range(connections)]
    started = time.perf_counter()
    for device in devices:
        device.connect()
    await asyncio.sleep(seconds)
    load.on = False
    took = time.perf_counter() - started
    await asyncio.gather(*tasks, return_exceptions=True)
    for device in devices:
        device.stop()
    latencies = load.latencies or [0.0]
    return {
        "requests": len(load.latencies),
        "seconds": took,
        "failed": load.seen["failed"],
        "refused": load.seen["refused"],
        "p50_us": percentile(latencies, 0.5) * 1e6,
        "p99_us": percentile(latencies, 0.99) * 1e6,
        "pending": load.seen["authorization_pending"],
        "slow_down": load.seen["slow_down"],
        "other": load.seen["other"],
    }


def main(arguments: list[str]) -> None:
    """Run with the arguments PORT CONNECTIONS SECONDS BEFORE-FILE CODES-FILE FIRST LENGTH."""
    port, connections, seconds, before, codes_file, first, length = arguments
    codes = Path(codes_file).read_bytes() if codes_file != "-" else b""
    load = Load(Path(before).read_bytes(), codes, int(first), int(length))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        figures = runner.run(run(int(port), int(connections), float(seconds), load))
    print(json.dumps(figures))


if __name__ == "__main__":
    main(sys.argv[1:])
