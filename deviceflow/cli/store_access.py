"""Access to the store for commands, whether the server is running or not."""

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType
from typing import Any, NoReturn

import click
import structlog

from deviceflow.cli.options import fail
from deviceflow.config import Settings
from deviceflow.core.store_url import StoreUrl
from deviceflow.store.causes import cause_of, unusable
from deviceflow.store.connection import Connection
from deviceflow.store.embedded import EmbeddedValkey
from deviceflow.store.errors import (
    RecordContended,
    RecordUnreadable,
    StoreSetupError,
    StoreUnavailable,
)
from deviceflow.store.opening import connect

StoreCommand = Callable[[Connection], Awaitable[None]]


def with_store(settings: Settings, command: StoreCommand, *, changes: bool) -> None:
    """Run `command` with a connection to the store. Print a line and exit if it fails.

    `changes`: whether the command writes. If so, print which store it changed, and make the
    store if it does not exist. A command that only reads gets an empty store instead.
    """
    # Standard output is for the command's results. Look up sys.stderr for each event, because
    # tests replace it.
    structlog.configure(logger_factory=lambda *_: structlog.PrintLogger(sys.stderr))
    url = settings.redis.url
    try:
        if url:
            asyncio.run(_connected(settings, url, command))
            place = f"Redis at {StoreUrl.parse(url).address}"
        else:
            store = EmbeddedValkey(Path(settings.server.data_dir))
            with _embedded(store, changes=changes) as path:
                asyncio.run(_connected(settings, path, command))
            place = str(store.data_dir)
    except (RecordUnreadable, RecordContended) as error:
        fail(str(error))
    except StoreSetupError as error:
        fail(unusable(url, error) if url else str(error))
    except StoreUnavailable as error:
        if url:
            fail(unusable(url, error))
        fail(f"cannot use the store in {settings.server.data_dir}: {cause_of(error)}")
    if changes:
        click.echo(f"store: {place}", err=True)


@contextmanager
def _embedded(store: EmbeddedValkey, *, changes: bool) -> Iterator[str]:
    """Give the URL of the embedded store. If there is none to read, run an empty store."""
    if store.exists():
        with _signals_exit(), store.shared() as url:
            yield url
    elif changes:
        click.echo(f"deviceflow: no store in {store.data_dir} yet: making a new one", err=True)
        with _signals_exit(), store.shared() as url:
            yield url
    else:
        click.echo(f"deviceflow: no store in {store.data_dir} yet", err=True)
        with (
            _signals_exit(),
            TemporaryDirectory(prefix="deviceflow-") as folder,
            EmbeddedValkey(Path(folder)) as empty,
        ):
            yield empty.url


@contextmanager
def _signals_exit() -> Iterator[None]:
    """Let SIGTERM and a lost terminal end the block as an exception does.

    By default they end the process at once, and the store that it has started would run on.
    """
    numbers = (signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(number, _exit) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def _exit(number: int, _: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)


async def _connected(settings: Settings, url: str, command: StoreCommand) -> None:
    asyncio.get_running_loop().set_exception_handler(_report)
    connection = connect(settings, url)
    try:
        await command(connection)
    finally:
        await connection.close()


def _report(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Report what no task takes care of, except the exit by a signal.

    The signal comes while any task runs. The exit ends the loop, and asyncio would print it as that
    task's exception, too.
    """
    if not isinstance(context.get("exception"), SystemExit):
        loop.default_exception_handler(context)
