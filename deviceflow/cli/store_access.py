"""Commands that work on the store, whether its server runs or not."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import click
import structlog

from deviceflow.cli.options import fail
from deviceflow.config import Settings
from deviceflow.start import connect
from deviceflow.store.connection import Connection, address_of
from deviceflow.store.embedded import EmbeddedValkey
from deviceflow.store.errors import (
    RecordContended,
    RecordUnreadable,
    StoreSetupError,
    StoreUnavailable,
)

Work = Callable[[Connection], Awaitable[None]]


def with_store(settings: Settings, work: Work, *, changes: bool) -> None:
    """Do `work` on the store of the settings; end with one line where it cannot be reached.

    `changes`: whether it changes anything. Then it is told which store that was, and one is made
    where there is none; who only reads sees an empty one, and nothing is made.
    """
    # Standard output is the command's own; this one is looked up anew for each event.
    structlog.configure(logger_factory=lambda *_: structlog.PrintLogger(sys.stderr))
    url = settings.redis.url
    try:
        if url:
            asyncio.run(_connected(settings, url, work))
            place = f"Redis at {address_of(url)}"
        else:
            store = EmbeddedValkey(Path(settings.server.data_dir))
            with _embedded(store, changes=changes) as path:
                asyncio.run(_connected(settings, path, work))
            place = str(store.data_dir)
    except (StoreSetupError, RecordUnreadable, RecordContended) as error:
        fail(str(error))
    except StoreUnavailable:
        where = address_of(url) if url else settings.server.data_dir
        fail(f"cannot reach the store at {where}; is it running, and is redis.url right?")
    if changes:
        click.echo(f"store: {place}", err=True)


@contextmanager
def _embedded(store: EmbeddedValkey, *, changes: bool) -> Iterator[str]:
    """The URL of the embedded store; of an empty one for a while where there is none to read."""
    if store.exists():
        with store.shared() as url:
            yield url
    elif changes:
        click.echo(f"deviceflow: no store in {store.data_dir} yet: making a new one", err=True)
        with store.shared() as url:
            yield url
    else:
        click.echo(f"deviceflow: no store in {store.data_dir} yet", err=True)
        with (
            TemporaryDirectory(prefix="deviceflow-") as folder,
            EmbeddedValkey(Path(folder)) as own,
        ):
            yield own.url


async def _connected(settings: Settings, url: str, work: Work) -> None:
    connection = connect(settings, url)
    try:
        await work(connection)
    finally:
        await connection.close()
