"""The settings that cannot change while the server runs.

They decide what one worker hands to the next: the sockets, the memory, the store.
"""

from hashlib import sha256
from operator import attrgetter

from deviceflow.config import Settings

FIXED_SETTINGS = (
    "server.host",
    "server.port",
    "server.workers",
    "server.admin_host",
    "server.admin_port",
    "server.data_dir",
    "redis.url",
    "device.pace_slots",
)


def fingerprints(settings: Settings) -> dict[str, str]:
    """Return a digest of each fixed setting: redis.url may hold a password."""
    return {
        name: sha256(repr(attrgetter(name)(settings)).encode()).hexdigest()
        for name in FIXED_SETTINGS
    }


def fixed_changes(before: dict[str, str], settings: Settings) -> list[str]:
    """Return a line for each fixed setting that differs. `before`: its fingerprints."""
    return [
        f"{name} cannot change while the server runs; restart the server, or change it back"
        for name, digest in fingerprints(settings).items()
        if before.get(name) != digest
    ]
