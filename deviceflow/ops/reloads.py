"""What a worker says when it takes up a change of clients or of signing keys.

One line for a change, with ids and nothing else; a worker's first reading is no change.
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Protocol

import structlog

MOST = 20
"""So many ids are named; a store that lost everything would fill a screen otherwise."""

log = structlog.get_logger()


class Switchable(Protocol):
    """What can be switched off: a client."""

    @property
    def enabled(self) -> bool:
        """Whether it is let in."""


def tell_clients(before: Mapping[str, Switchable], after: Mapping[str, Switchable]) -> None:
    """Name the clients that are not as they were; those switched on or off by those words."""
    changes = _differences(before, after)
    switched = {one for one in changes["changed"] if before[one].enabled is not after[one].enabled}
    changes["changed"] -= switched
    changes["enabled"] = {one for one in switched if after[one].enabled}
    changes["disabled"] = switched - changes["enabled"]
    if before != after:
        log.info("clients.reloaded", **_named(changes))


def tell_keys(before: Mapping[str, object], after: Mapping[str, object], signs: str) -> None:
    """Name the keys that are not as they were, and the one that `signs` from now on."""
    if before != after:
        log.info("signing_keys.reloaded", signs=signs, **_named(_differences(before, after)))


def _differences(
    before: Mapping[str, object], after: Mapping[str, object]
) -> dict[str, AbstractSet[str]]:
    both = before.keys() & after.keys()
    return {
        "added": after.keys() - before.keys(),
        "changed": {one for one in both if before[one] != after[one]},
        "removed": before.keys() - after.keys(),
    }


def _named(changes: Mapping[str, AbstractSet[str]]) -> dict[str, list[str]]:
    return {change: _some(ids) for change, ids in changes.items() if ids}


def _some(ids: AbstractSet[str]) -> list[str]:
    every = sorted(ids)
    left = len(every) - MOST
    return every if left <= 0 else [*every[:MOST], f"and {left} more"]
