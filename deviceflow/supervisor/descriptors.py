"""File descriptors: each connection is one, and a process may have only so many.

The soft limit is raised at the start. A worker takes only as many connections as
leave room for its files and its connections to the store (`Door`); the supervisor says at the start
if that is less than the settings allow.
"""

import resource

import structlog

from deviceflow.config import Device
from deviceflow.worker import RESERVED_DESCRIPTORS

OPEN_MAX = 10_240
"""The highest soft limit that macOS takes where the hard one is unlimited (setrlimit(2))."""

log = structlog.get_logger()


def raise_limit() -> int:
    """Raise the soft limit as far as the hard one and the system allow; return what it is now."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for limit in (hard, OPEN_MAX if 0 <= soft < OPEN_MAX else soft):
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
        except (OSError, ValueError):
            continue
        return limit
    return soft


def warn_if_few(limit: int, device: Device) -> None:
    """Log it if a worker cannot hold as many polls as the settings allow."""
    needed = device.max_held + RESERVED_DESCRIPTORS
    if 0 < limit < needed:
        log.warning(
            "descriptors.few",
            limit=limit,
            needed=needed,
            consequence=f"a worker takes {max(1, limit - RESERVED_DESCRIPTORS)} connections",
            remedy=f"LimitNOFILE={needed} (ulimit -n), or a smaller device.max_held",
        )
