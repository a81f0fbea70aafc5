"""redis-py's connections, with two things that they lack.

- **One TLS context for a store.** redis-py makes one for each connection. Each time, that reads the
  certificates of all the system's CAs, for 20 ms of CPU time, in which a worker answers no poll;
  and it trusts these CAs beside those of `ssl_ca_certs`.
- **A connection that is closed counts as broken.** uvloop raises RuntimeError for a write to it,
  where asyncio's own loop writes into the void. redis-py repeats commands for broken connections.
"""

import ssl
import time
from collections.abc import Callable
from typing import Any

from redis.asyncio import Connection, SSLConnection, UnixDomainSocketConnection
from redis.asyncio.connection import RedisSSLContext
from redis.asyncio.sentinel import SentinelManagedConnection
from redis.exceptions import ConnectionError as RedisConnectionError

from deviceflow.core.store_url import Tls

_CLOSED = "Connection closed by server."
"""redis-py's own words, which `store/causes.py` knows."""

CONTEXT_KEPT_S = 60.0
"""How long a context is used for new connections, in s. Then its files are read again."""


class SharedContext(RedisSSLContext):
    """The context of all connections with TLS to one store.

    New connections use renewed files after `CONTEXT_KEPT_S` at most. `get` may raise OSError for a
    file that cannot be read, and `ssl.SSLError` for one that is not PEM.
    """

    def __init__(self, tls: Tls, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(cert_reqs=ssl.CERT_REQUIRED, check_hostname=tls.check_hostname)
        self._tls = tls
        self._clock = clock
        self._old_at = clock()

    def get(self) -> ssl.SSLContext:
        """Return the context for a new connection."""
        now = self._clock()
        if self.context is None or now >= self._old_at:
            self.context = _context(self._tls)
            self._old_at = now + CONTEXT_KEPT_S
        return self.context


def _context(tls: Tls) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=tls.ca_certs)
    context.check_hostname = tls.check_hostname
    if tls.certfile:
        context.load_cert_chain(tls.certfile, tls.keyfile)
    return context


class _BreaksWhenClosed:
    """Mixin: a write to a closed connection raises redis-py's ConnectionError."""

    async def send_packed_command(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401, redis-py's
        try:
            await super().send_packed_command(*args, **kwargs)  # type: ignore[misc]
        except RuntimeError as error:
            if "handler is closed" not in str(error):
                raise
            raise RedisConnectionError(_CLOSED) from error


class PlainConnection(_BreaksWhenClosed, Connection):
    """A connection over TCP."""


class SocketConnection(_BreaksWhenClosed, UnixDomainSocketConnection):
    """A connection over a Unix socket."""


class TlsConnection(_BreaksWhenClosed, SSLConnection):
    """A connection over TCP with TLS, and with the context that it is given."""

    def __init__(self, *, shared_context: SharedContext, **options: Any) -> None:  # noqa: ANN401, redis-py's
        super().__init__(**options)
        self.ssl_context = shared_context


class PrimaryConnection(SentinelManagedConnection, PlainConnection):
    """A connection to the primary that the Sentinels name."""


class PrimaryTlsConnection(SentinelManagedConnection, TlsConnection):
    """The same with TLS."""


def connections_with(tls: Tls | None) -> tuple[type[Connection], dict[str, Any]]:
    """Return the class of connections over TCP, and its own options.

    All connections that are made with these options share their context.
    """
    if tls is None:
        return PlainConnection, {}
    return TlsConnection, {"shared_context": SharedContext(tls)}
