"""What the process that shares the pace does for each report to and from other hosts."""

import time
import tracemalloc

from deviceflow.core.device_code import NONCE_BITS
from deviceflow.core.pace import PaceTable
from deviceflow.core.pace_gossip import MAX_REPORTS, PaceGossip, PaceMessage

POLLED = 50_000
SLOTS = 1 << 17
CAP_S = 60
NOW_MS = 10_000_000


def gossip_costs(polled: int = POLLED) -> dict[str, float]:
    """Return the CPU time to send and to receive a report of a poll, in us, and its memory.

    By the names of `Workers` and `Memory` in costs.toml.
    """
    one, other = _host(), _host()
    table = PaceTable(one, CAP_S)
    for number in range(1, polled + 1):
        table.judge(number << NONCE_BITS | number, number, NOW_MS, 5)
    telling, hearing = PaceGossip(one), PaceGossip(other)
    began = time.process_time()
    reports = tuple(telling.reports(NOW_MS))
    messages = [
        PaceMessage(b"01234567", SLOTS, reports[i : i + MAX_REPORTS]).encode()
        for i in range(0, len(reports), MAX_REPORTS)
    ]
    told = time.process_time() - began
    began = time.process_time()
    for message in messages:
        _hear(hearing, message)
    heard = time.process_time() - began
    tracemalloc.start()
    again = PaceGossip(_host())
    for message in messages:
        _hear(again, message)
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return {
        "told_us": told / len(reports) * 1e6,
        "heard_us": heard / len(reports) * 1e6,
        "heard": size / len(reports),
        "report_bytes": sum(map(len, messages)) / len(reports),
    }


def _host() -> memoryview:
    return memoryview(bytearray(8 * SLOTS))


def _hear(gossip: PaceGossip, message: bytes) -> None:
    decoded = PaceMessage.decode(message)
    if decoded is not None:
        gossip.take(decoded.reports, NOW_MS)
