"""`deviceflow export` and `deviceflow import`: move an installation, or keep a copy of it."""

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import click

from deviceflow import __version__
from deviceflow.audit.events import SecurityEvent
from deviceflow.cli.auditing import record_command
from deviceflow.cli.options import OfStore, fail, store_options, store_settings
from deviceflow.cli.store_access import with_store
from deviceflow.config import Settings
from deviceflow.store import keyspace
from deviceflow.store.archive import VERSION, ArchiveReader, ArchiveWriter, Header
from deviceflow.store.connection import Connection
from deviceflow.store.envelope import Envelope, EnvelopeError
from deviceflow.store.envelope_source import open_envelope
from deviceflow.store.key_sets import are_sealed, keys_in_fields
from deviceflow.store.snapshot import SnapshotError, StoredKey, read_all, restore

MIN_PASSPHRASE = 12

_SHOW_EVERY = 10_000


def _options(command: OfStore) -> OfStore:
    passphrase_file = click.option(
        "--passphrase-file",
        type=click.Path(path_type=Path, dir_okay=False, exists=True),
        help="File with the passphrase in its first line.  [default: ask for it]",
    )
    return store_options(passphrase_file(command))


@click.command(name="export")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@_options
def export(
    file: Path,
    config_file: Path | None,
    redis_url: str | None,
    data_dir: str | None,
    passphrase_file: Path | None,
) -> None:
    """Copy everything in the store into FILE, sealed with a passphrase.

    The server may run meanwhile. FILE has the clients, the people, the keys, all logins and the
    codes that wait. `deviceflow import` puts it into the same store or another one.
    """
    settings = store_settings(config_file, redis_url, data_dir)
    if file.exists():
        fail(f"{file} exists already; choose another name")
    passphrase = _passphrase(passphrase_file, confirm=True)
    part = file.with_name(f"{file.name}.part")

    async def write(connection: Connection) -> None:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as output:
            header = Header(VERSION, int(time.time()), __version__)
            archive = ArchiveWriter(output, passphrase, header)
            count = 0
            async for record in read_all(connection, time.time):
                archive.add(record)
                count += 1
                _show(count)
            archive.close()
            output.flush()
            os.fsync(output.fileno())
            click.echo(f"{file}: {count} records, {output.tell()} bytes")
            await record_command(settings, SecurityEvent.STORE_EXPORTED, number=count)

    try:
        with_store(settings, write, changes=False)
        part.rename(file)
    except OSError as error:
        fail(f"cannot write {file}: {error.strerror}")
    finally:
        part.unlink(missing_ok=True)


@click.command(name="import")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option("--replace", is_flag=True, help="Remove what the store holds first.")
@_options
def import_(
    file: Path,
    replace: bool,
    config_file: Path | None,
    redis_url: str | None,
    data_dir: str | None,
    passphrase_file: Path | None,
) -> None:
    """Put what `deviceflow export` wrote into FILE into the store.

    Stop the servers that use the store first. Logins that have ended meanwhile are left out. A
    refresh token that was used after the export is known as the one before it: such a device has
    to connect again.
    """
    settings = store_settings(config_file, redis_url, data_dir)
    passphrase = _passphrase(passphrase_file, confirm=False)
    envelope = _envelope(settings)
    try:
        _read_to_the_end(file, passphrase, envelope)
    except SnapshotError as error:
        fail(f"{file}: {error}")
    except EnvelopeError as error:
        fail(f"{file}: the keys in it are {error}")

    async def put(connection: Connection) -> None:
        with file.open("rb") as stream:
            records = _shown(ArchiveReader(stream, passphrase).records())
            try:
                done = await restore(connection, records, time.time, replace=replace)
            except SnapshotError as error:
                fail(str(error))
        click.echo(f"{file}: {done.written} records restored, {done.ended} had ended")
        await record_command(settings, SecurityEvent.STORE_IMPORTED, number=done.written)

    with_store(settings, put, changes=True)


def _read_to_the_end(file: Path, passphrase: str, envelope: Envelope) -> None:
    """Read a file once before the store is touched: one that is no good must remove nothing.

    May raise SnapshotError, and EnvelopeError: no server could start here on what is in the file.
    """
    with file.open("rb") as stream:
        for record in ArchiveReader(stream, passphrase).records():
            if record.key == keyspace.INSTALLATION:
                fields = dict(zip(record.value[::2], record.value[1::2], strict=True))
                if are_sealed(fields):
                    keys_in_fields(fields, envelope)


def _envelope(settings: Settings) -> Envelope:
    try:
        return open_envelope(settings.keys)
    except EnvelopeError as error:
        fail(str(error))


def _passphrase(file: Path | None, *, confirm: bool) -> str:
    if file is not None:
        with file.open(encoding="utf-8") as stream:
            passphrase = stream.readline().rstrip("\n")
    elif sys.stdin.isatty():
        passphrase = click.prompt(
            "Passphrase", hide_input=True, confirmation_prompt=confirm, err=True
        )
    else:
        fail("there is no terminal to ask for the passphrase on; give --passphrase-file")
    if len(passphrase) < MIN_PASSPHRASE:
        fail(f"the passphrase is too short; take at least {MIN_PASSPHRASE} characters")
    return passphrase


def _shown(records: Iterator[StoredKey]) -> Iterator[StoredKey]:
    for count, record in enumerate(records, 1):
        _show(count)
        yield record


def _show(count: int) -> None:
    if count % _SHOW_EVERY == 0:
        click.echo(f"{count} records ...", err=True)
