"""TLS inside the worker.

Run as `python -m benchmarks.paths.tls CERTIFICATE serve ...`: `deviceflow serve` whose workers
speak TLS. The program cannot do this, and docs/decisions/0055 says why.
"""

import asyncio
import ssl
import sys
from typing import Any


class _Asyncio:
    """The module asyncio, except that servers of its running loop speak TLS."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context

    def __getattr__(self, name: str) -> object:
        return getattr(asyncio, name)

    def get_running_loop(self) -> "_Loop":
        return _Loop(asyncio.get_running_loop(), self._context)


class _Loop:
    def __init__(self, loop: asyncio.AbstractEventLoop, context: ssl.SSLContext) -> None:
        self._loop, self._context = loop, context

    def __getattr__(self, name: str) -> object:
        return getattr(self._loop, name)

    async def create_server(self, *args: Any, **options: Any) -> asyncio.Server:  # noqa: ANN401
        return await self._loop.create_server(*args, ssl=self._context, **options)


def main(certificate: str) -> None:
    """Run the command line with workers that speak TLS."""
    from deviceflow import worker  # noqa: PLC0415, only in the process that serves
    from deviceflow.__main__ import main as deviceflow  # noqa: PLC0415

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)

    worker.asyncio = _Asyncio(context)  # type: ignore[assignment, attr-defined]
    deviceflow()


if __name__ == "__main__":
    sys.argv = ["deviceflow", *sys.argv[2:]] if (pem := sys.argv[1]) else sys.argv
    main(pem)
