"""Devices with held polls: raw sockets, each with one poll (RFC 7240, `Prefer: wait=N`)."""

import asyncio
import time
from typing import NamedTuple

from benchmarks.grants import Person
from benchmarks.polls import poll_start
from benchmarks.processes import BenchmarkError
from deviceflow.fleet.limits import LimitError, Needs, check_files, raise_file_limit

WAIT_S = 600
OPENED_AT_A_TIME = 200
ANSWER_TIMEOUT_S = 10.0


class Answer(NamedTuple):
    """The time (time.monotonic) at which an answer came, and whether it had tokens."""

    at: float
    granted: bool


class Device(asyncio.Protocol):
    """A connection with one poll at a time."""

    user_code = ""

    def __init__(self) -> None:
        self._answer: asyncio.Future[Answer] | None = None
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        """Read the clock first, then the answer."""
        now = time.monotonic()
        self._received += data
        if self._received.endswith(b"}") and self._answer and not self._answer.done():
            granted = self._received.startswith(b"HTTP/1.1 200 ")
            self._answer.set_result(Answer(now, granted))

    def connection_lost(self, _: Exception | None) -> None:
        """Give up the answer."""
        if self._answer is not None and not self._answer.done():
            self._answer.cancel()

    def poll(self, request: bytes) -> None:
        """Send a poll."""
        self._received = b""
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)

    @property
    def is_held(self) -> bool:
        """Whether there is no answer yet."""
        return self._answer is not None and not self._answer.done()

    async def answer(self) -> Answer:
        """Wait for the answer to the poll. May raise BenchmarkError."""
        if self._answer is None:
            raise BenchmarkError("a device has not polled")
        try:
            return await asyncio.wait_for(self._answer, ANSWER_TIMEOUT_S)
        except (TimeoutError, asyncio.CancelledError) as error:
            raise BenchmarkError("a held poll got no answer") from error

    def close(self) -> None:
        """Close the connection."""
        self._transport.abort()


class Fleet:
    """Devices with held polls on one server."""

    def __init__(self, port: int, person: Person) -> None:
        self._port = port
        self._start = poll_start(port, wait=WAIT_S)
        self._person = person
        self.devices: list[Device] = []

    async def grow(self, count: int) -> None:
        """Open connections until `count` polls are held. May raise BenchmarkError."""
        allow_files(count)
        while missing := count - len(self.devices):
            batch = min(missing, OPENED_AT_A_TIME)
            self.devices += await asyncio.gather(*(self._open() for _ in range(batch)))
        if not all(device.is_held for device in self.devices):
            raise BenchmarkError("the server does not hold the polls")

    async def hold(self, device: Device) -> None:
        """Poll with the code of a new grant."""
        issued = await self._person.issue()
        device.user_code = issued.user_code
        device.poll(self._start + issued.device_code.encode())

    async def approve(self, device: Device) -> float:
        """Approve, and return the time from the decision in the store to the tokens, in s.

        May raise BenchmarkError.
        """
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
    """Increase the limit on open files, if it is too low. May raise BenchmarkError."""
    try:
        check_files(Needs(files=count, ports=0), 1, raise_file_limit())
    except LimitError as error:
        raise BenchmarkError(str(error)) from error
