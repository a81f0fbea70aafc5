"""The clients that a server knows: those of its file, and those of the store as they are now."""

from collections.abc import Callable, Collection, Iterable, Iterator
from functools import cached_property

import msgspec

from deviceflow.core.client import Client
from deviceflow.core.display_text import comparison_key

OneChange = Callable[[Client | None, Client | None], None]
"""Called with a client before and after a change; None if there is none."""


class Clients:
    """The clients by their id. A client of the store replaces one of the file with the same id.

    `barred_scopes`: those that no client has here, whatever its record says.
    """

    def __init__(self, clients: Iterable[Client], barred_scopes: Collection[str] = ()) -> None:
        self._barred_scopes = frozenset(barred_scopes)
        self._from_file = {client.client_id: self.allowed(client) for client in clients}
        self._by_id = dict(self._from_file)
        self._listeners: list[tuple[Callable[[], None], OneChange]] = []

    @cached_property
    def _names_in_file(self) -> dict[str, set[str]]:
        """The ids of the file's clients, by their folded names."""
        names: dict[str, set[str]] = {}
        for client in self._from_file.values():
            names.setdefault(comparison_key(client.name), set()).add(client.client_id)
        return names

    def is_name_in_file(self, name: str, client_id: str) -> bool:
        """Return whether another client of the file has this name, or one that looks the same."""
        return bool(self._names_in_file.get(comparison_key(name), set()) - {client_id})

    def __iter__(self) -> Iterator[Client]:
        return iter(self._by_id.values())

    def adopt(self, stored: Iterable[Client]) -> None:
        """Replace all clients of the store by these."""
        self._by_id = self._from_file | {each.client_id: self.allowed(each) for each in stored}
        for listener, _ in self._listeners:
            listener()

    def adopt_one(self, client_id: str, stored: Client | None) -> None:
        """Replace one client of the store. `stored`: None if it is no longer there."""
        before = self._by_id.get(client_id)
        after = self.allowed(stored) if stored else self._from_file.get(client_id)
        if after is None:
            self._by_id.pop(client_id, None)
        else:
            self._by_id[client_id] = after
        for _, listener in self._listeners:
            listener(before, after)

    def on_change(self, listener: Callable[[], None], one: OneChange | None = None) -> None:
        """Call `listener` after each change.

        If a single client has changed, call `one` instead, with the client before and after. So
        the work of a change need not grow with the number of clients.
        """
        self._listeners.append((listener, one or (lambda _before, _after: listener())))

    def find(self, client_id: str) -> Client | None:
        """Find the client of this id, enabled or not."""
        return self._by_id.get(client_id)

    def allowed(self, client: Client) -> Client:
        """Return the client without the scopes that are barred."""
        barred = self._barred_scopes
        if barred.isdisjoint(client.scopes):
            return client
        return msgspec.structs.replace(
            client,
            scopes=tuple(scope for scope in client.scopes if scope not in barred),
            optional_scopes=tuple(each for each in client.optional_scopes if each not in barred),
        )


def algorithms_of(clients: Iterable[Client], default: str) -> list[str]:
    """Return the algorithms that sign tokens: the `default` first, then those of the clients."""
    own = [client.algorithm for client in clients if client.enabled and client.algorithm]
    return list(dict.fromkeys([default, *own]))
