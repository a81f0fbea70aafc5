"""The log lines of a worker that has reloaded its clients or signing keys.

Each change is a line, with ids only. The first load of a worker is not a change.
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Protocol

import structlog

MOST = 20
"""The most ids in a line: a store that lost its data would otherwise fill the screen."""

log = structlog.get_logger()


class Switchable(Protocol):
    """A client, as far as this module is concerned: it can be disabled."""

    @property
    def enabled(self) -> bool:
        """Whether it may use the server."""


def log_client_changes(before: Mapping[str, Switchable], after: Mapping[str, Switchable]) -> None:
    """Log the ids of the clients that were added, changed, enabled, disabled or removed."""
    changes = _differences(before, after)
    switched = {
        client_id
        for client_id in changes["changed"]
        if before[client_id].enabled is not after[client_id].enabled
    }
    changes["changed"] -= switched
    changes["enabled"] = {client_id for client_id in switched if after[client_id].enabled}
    changes["disabled"] = switched - changes["enabled"]
    if before != after:
        log.info("clients.reloaded", **_first_ids(changes))


def log_key_changes(before: Mapping[str, object], after: Mapping[str, object], signs: str) -> None:
    """Log the ids of the keys that were added, changed or removed. `signs`: the key that signs."""
    if before != after:
        log.info("signing_keys.reloaded", signs=signs, **_first_ids(_differences(before, after)))


def _differences(
    before: Mapping[str, object], after: Mapping[str, object]
) -> dict[str, AbstractSet[str]]:
    both = before.keys() & after.keys()
    return {
        "added": after.keys() - before.keys(),
        "changed": {name for name in both if before[name] != after[name]},
        "removed": before.keys() - after.keys(),
    }


def _first_ids(changes: Mapping[str, AbstractSet[str]]) -> dict[str, list[str]]:
    return {change: _first(ids) for change, ids in changes.items() if ids}


def _first(ids: AbstractSet[str]) -> list[str]:
    ordered = sorted(ids)
    more = len(ordered) - MOST
    return ordered if more <= 0 else [*ordered[:MOST], f"and {more} more"]
