"""Commands that work on the store, whether its server runs or not."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from pathlib import Path

import structlog

from deviceflow.app import connect
from deviceflow.cli.options import fail
from deviceflow.config import Settings
from deviceflow.store.connection import Connection
from deviceflow.store.embedded import EmbeddedValkey
from deviceflow.store.errors import (
    RecordContended,
    RecordUnreadable,
    StoreSetupError,
    StoreUnavailable,
)

Work = Callable[[Connection], Awaitable[None]]


def with_store(settings: Settings, work: Work) -> None:
    """Do `work` on the store of the settings; end with one line where it cannot be reached."""
    # Standard output is the command's own; this one is looked up anew for each event.
    structlog.configure(logger_factory=lambda *_: structlog.PrintLogger(sys.stderr))
    with ExitStack() as stack:
        try:
            url = settings.redis.url or stack.enter_context(
                EmbeddedValkey(Path(settings.server.data_dir)).shared()
            )
            asyncio.run(_connected(settings, url, work))
        except (StoreSetupError, RecordUnreadable, RecordContended) as error:
            fail(str(error))
        except StoreUnavailable:
            fail("cannot reach the store; is it running, and is redis.url right?")


async def _connected(settings: Settings, url: str, work: Work) -> None:
    connection = connect(settings, url)
    try:
        await work(connection)
    finally:
        await connection.close()
