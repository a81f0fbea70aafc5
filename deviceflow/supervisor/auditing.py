"""What the supervisor records in the audit: changes of the server as a whole."""

import socket
import struct
import time
from collections.abc import Sequence

import structlog

from deviceflow.audit.events import SecurityEvent
from deviceflow.audit.journal import Audit
from deviceflow.audit.opening import open_sinks
from deviceflow.audit.system_user import system_user
from deviceflow.config import Settings
from deviceflow.ops.metrics.recorder import Recorder

_CREDENTIALS = struct.Struct("3i")
"""struct ucred: the process id, the user and the group of a peer (unix(7))."""

log = structlog.get_logger()


def record_change(
    settings: Settings, change: str, problems: Sequence[str], connection: socket.socket | None
) -> None:
    """Record that a reload or an upgrade took place, or why it was refused.

    `connection`: where the command came from, None after a signal. The event is a chain of its own,
    in the file and on standard output. The webhook does not get it: the supervisor has no event
    loop, and must begin no thread. The new workers begin their chains there.
    """
    audit = Audit(recorder=Recorder.alone(), process="supervisor")
    sinks = open_sinks(settings, time.time)
    audit.begin((), sinks.last_place())
    audit.record(
        SecurityEvent.SERVER_CHANGED,
        outcome="failure" if problems else "success",
        way=change,
        reason=problems[0] if problems else "",
        by=_sender(connection),
    )
    audit.end()
    try:
        sinks.append(b"".join(audit.recent))
    except OSError as error:
        consequence = "a reload is not in the audit"
        log.error(  # noqa: TRY400, its text says it all
            "audit.not_written", sink="file", reason=error.strerror, consequence=consequence
        )


def _sender(connection: socket.socket | None) -> str:
    """Name the user who gave the command; empty where the system does not say (macOS)."""
    option = getattr(socket, "SO_PEERCRED", None)
    if connection is None or option is None:
        return ""
    try:
        credentials = connection.getsockopt(socket.SOL_SOCKET, option, _CREDENTIALS.size)
    except OSError:
        return ""
    _, uid, _ = _CREDENTIALS.unpack(credentials)
    return system_user(uid)
