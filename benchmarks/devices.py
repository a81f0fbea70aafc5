"""Devices that wait: raw sockets, each with one held poll (RFC 7240, `Prefer: wait=N`)."""

import asyncio
import resource
import time
from typing import NamedTuple

from benchmarks.grants import Person
from benchmarks.polls import poll_start
from benchmarks.processes import BenchmarkError

WAIT_S = 600
OPENED_AT_A_TIME = 200
ANSWER_TIMEOUT_S = 10.0
SPARE_FILES = 200


class Answer(NamedTuple):
    """When (time.monotonic) the answer's bytes came, and whether there were tokens in it."""

    at: float
    granted: bool


class Device(asyncio.Protocol):
    """One connection with one poll at a time."""

    user_code = ""

    def __init__(self) -> None:
        self._answer: asyncio.Future[Answer] | None = None
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        """Note the time first."""
        now = time.monotonic()
        self._received += data
        if self._received.endswith(b"}") and self._answer and not self._answer.done():
            granted = self._received.startswith(b"HTTP/1.1 200 ")
            self._answer.set_result(Answer(now, granted))

    def connection_lost(self, _: Exception | None) -> None:
        """The server has ended it, or we have."""
        if self._answer is not None and not self._answer.done():
            self._answer.cancel()

    def poll(self, request: bytes) -> None:
        """Ask to wait."""
        self._received = b""
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)

    @property
    def is_held(self) -> bool:
        """No answer yet."""
        return self._answer is not None and not self._answer.done()

    async def answer(self) -> Answer:
        """The answer to the poll. Raises BenchmarkError."""
        if self._answer is None:
            raise BenchmarkError("a device has not polled")
        try:
            return await asyncio.wait_for(self._answer, ANSWER_TIMEOUT_S)
        except (TimeoutError, asyncio.CancelledError) as error:
            raise BenchmarkError("a held poll got no answer") from error

    def close(self) -> None:
        """Go away."""
        self._transport.abort()


class Fleet:
    """Devices with held polls on one server."""

    def __init__(self, port: int, person: Person) -> None:
        self._port = port
        self._start = poll_start(port, wait=WAIT_S)
        self._person = person
        self.devices: list[Device] = []

    async def grow(self, count: int) -> None:
        """Have `count` polls held. Raises BenchmarkError."""
        allow_files(count)
        while missing := count - len(self.devices):
            batch = min(missing, OPENED_AT_A_TIME)
            self.devices += await asyncio.gather(*(self._open() for _ in range(batch)))
        if not all(device.is_held for device in self.devices):
            raise BenchmarkError("the server does not hold the polls")

    async def hold(self, device: Device) -> None:
        """Poll with a new grant's code."""
        issued = await self._person.issue()
        device.user_code = issued.user_code
        device.poll(self._start + issued.device_code.encode())

    async def approve(self, device: Device) -> float:
        """Seconds from the decision in the store to the tokens' bytes. Raises BenchmarkError."""
        grant = await self._person.claim(device.user_code)
        committed = await self._person.approve(grant)
        answer = await device.answer()
        if not answer.granted:
            raise BenchmarkError("a held poll of an approved grant got no tokens")
        return answer.at - committed

    def close(self) -> None:
        """Close all connections."""
        for device in self.devices:
            device.close()

    async def _open(self) -> Device:
        loop = asyncio.get_running_loop()
        _, device = await loop.create_connection(Device, "127.0.0.1", self._port)
        await self.hold(device)
        return device


def allow_files(count: int) -> None:
    """Raise this process's limit on open files, if it must be. Raises BenchmarkError."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = count + SPARE_FILES
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise BenchmarkError(f"{needed} open files are needed, {hard} allowed: raise `ulimit -Hn`")
    if soft < needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
