"""The benchmark `holding`: its devices, and its picture."""

import asyncio
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from benchmarks import plots
from benchmarks.holding_fleets import Row
from benchmarks.holding_sites import HOLDS_S
from benchmarks.ordinary import LOST, PENDING, TOKENS, Front, OrdinaryFleet

CODES = ("A" * 43, "B" * 43)
ANSWERS = (
    b'HTTP/1.1 400 Bad Request\r\n\r\n{"error":"authorization_pending"}',
    b"",  # the server hangs up
    b'HTTP/1.1 200 OK\r\n\r\n{"access_token":"x"}',
)


class Server:
    """Answers each device with the next of ANSWERS."""

    def __init__(self) -> None:
        self.connections = 0
        self._polls: dict[bytes, int] = {}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        while request := await reader.read(4096):
            code = request[-43:]
            number = self._polls[code] = self._polls.get(code, -1) + 1
            writer.write(ANSWERS[number])
            if not ANSWERS[number]:
                break
        writer.close()


@pytest.mark.parametrize(("keeps", "connections"), [(True, 4), (False, 6)])
async def test_devices_poll_until_they_have_tokens(*, keeps: bool, connections: int) -> None:
    served = Server()
    async with await asyncio.start_server(served.serve, "127.0.0.1", 0) as server:
        fleet = OrdinaryFleet(Front(server.sockets[0].getsockname()[1], None, keeps), pause_s=0)
        fleet.start(CODES, 0)
        await asyncio.gather(*fleet._tasks)
        await fleet.end()
    assert fleet.outcomes == {PENDING: 2, LOST: 2, TOKENS: 2}
    assert fleet.granted_at.keys() == {*CODES}
    assert served.connections == connections


def test_the_picture(tmp_path: Path) -> None:
    rows = [Row(hold_s, 12.0, 150.0, 0.0, 2_500.0, 4_800.0, 2_500.0) for hold_s in HOLDS_S]
    plots.holding(tmp_path / "holding.svg", [("kept", rows), ("reconnecting", rows)])
    root = ET.parse(tmp_path / "holding.svg").getroot()  # noqa: S314, our own picture
    assert root.tag.endswith("svg")
