"""The longest lifetime of the codes that are handed out: the window for guesses at them."""

from deviceflow.core.client import Clients


class CodeLifetime:
    """Follows the clients. `default_s`: the lifetime for clients without one of their own.

    `longest_s`: in seconds. A code that was handed out before a setting was lowered may outlive it.
    """

    def __init__(self, default_s: int, clients: Clients) -> None:
        self._default_s = default_s
        self._clients = clients
        clients.on_change(self._read_clients)
        self._read_clients()

    def _read_clients(self) -> None:
        own = [client.lifetime_s or self._default_s for client in self._clients if client.enabled]
        self.longest_s = max(own, default=self._default_s)
