"""Two hosts that share a store, and what stands in for one of them. Each has its own address."""

from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import TracebackType
from typing import Self

from tests.stage.program import Notes, Program

PROXY = "127.0.0.1"
"""The address from which every proxy of the tests connects to the hosts."""


class Host(Program):
    """`deviceflow serve` on the ports `port` and `admin_port` of `address`, also after a restart.

    The settings are `tables`, beside the addresses.
    """

    def __init__(self, folder: Path, address: str, ports: tuple[int, int], redis_url: str) -> None:
        port, self._admin_port = ports
        super().__init__(folder, ("--redis-url", redis_url), Notes())
        self.address = address
        self.url = f"http://{address}:{port}"

    def configure(self, issuer: str, tables: str) -> None:
        self.config.write_text(
            f'issuer = "{issuer}"\n[log]\nformat = "json"\n[server]\nhost = "{self.address}"\n'
            f'admin_host = "{self.address}"\ntrusted_proxies = ["{PROXY}/32"]\n{tables}',
            encoding="utf-8",
        )

    def arguments(self, *options: str) -> list[str]:
        """The same, with the admin port of this host at the end, where it wins."""
        return super().arguments(*options, "--admin-port", str(self._admin_port))

    def grants(self, since: int = 0) -> int:
        """How many grants it has issued since the event number `since`."""
        return sum(event["event"] == "grant.issued" for event in self.log[since:])


class SilentHost:
    """A host that reads each POST and closes the connection without an answer. It looks healthy.

    `posts`: how many arrived, by path.
    """

    def __init__(self, address: str, ports: tuple[int, int]) -> None:
        self.posts = posts = Counter[str]()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                posts[self.path] += 1
                self.close_connection = True

            def log_message(self, *_: object) -> None:
                """Write nothing."""

        self._servers = [ThreadingHTTPServer((address, port), Handler) for port in ports]

    def __enter__(self) -> Self:
        for server in self._servers:
            Thread(target=server.serve_forever, args=(0.05,)).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for server in self._servers:
            server.shutdown()
            server.server_close()
