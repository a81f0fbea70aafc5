"""The longest lifetime of the codes that are handed out: the window for guesses at them."""

from deviceflow.core.client import Client
from deviceflow.core.clients import Clients


class CodeLifetime:
    """Follows the clients. `default_s`: the lifetime for clients without one of their own.

    `longest_s`: in seconds. A code that was handed out before a setting was lowered may outlive it.
    """

    def __init__(self, default_s: int, clients: Clients) -> None:
        self._default_s = default_s
        self._clients = clients
        clients.on_change(self._read_clients, self._read_client)
        self._read_clients()

    def _read_clients(self) -> None:
        own = map(self._lifetime_s, self._clients)
        self.longest_s = max(own, default=0) or self._default_s

    def _read_client(self, before: Client | None, after: Client | None) -> None:
        """Look at one client; at all of them only where the longest may have become shorter."""
        was_s, is_s = self._lifetime_s(before), self._lifetime_s(after)
        if is_s > self.longest_s:
            self.longest_s = is_s
        elif is_s < self.longest_s in {was_s, self._default_s}:
            self._read_clients()

    def _lifetime_s(self, client: Client | None) -> int:
        """Return how long a client's codes live, 0 if it gets none."""
        if client is None or not client.enabled:
            return 0
        return client.lifetime_s or self._default_s
