"""Too few file descriptors: connections that have a place are served, others are counted."""

import resource
import signal
import socket

from deviceflow.worker import RESERVED_DESCRIPTORS
from tests.stage.process import NewDevice
from tests.stage.program import Program
from tests.stage.waiting import until_outside
from tests.stage.wire import Device

PLACES = 20


def test_more_connections_than_places(program: Program, device: NewDevice) -> None:
    """Two lines for a time of too many, however many are refused; then all is as before."""
    tv = device().authorize()
    limit = RESERVED_DESCRIPTORS + PLACES
    for pid in (program.pid, *program.workers):
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (limit, limit))
    program.signal(signal.SIGHUP)  # workers look at their limit when they start
    program.wait_for("server.changed")
    known = len(program.log)
    crowd = [socket.create_connection(("127.0.0.1", program.port)) for _ in range(6 * PLACES)]
    assert program.wait_for("connections.too_many", known)["limit"] == PLACES
    for connection in crowd:
        connection.close()
    until_outside(lambda: is_answered(tv))
    workers = len(program.workers)
    assert [each["event"] for each in program.log].count("connections.too_many") <= workers


def is_answered(tv: Device) -> bool:
    """Whether a poll has its answer. While the crowd leaves, it may be refused."""
    try:
        return tv.outcome() in {"authorization_pending", "slow_down"}
    except OSError:
        return False
