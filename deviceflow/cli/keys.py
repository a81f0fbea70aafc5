"""`deviceflow keys`: the keys that sign tokens."""

import time
from datetime import UTC, datetime
from pathlib import Path

import click

from deviceflow.audit.events import SecurityEvent
from deviceflow.cli.auditing import record_command
from deviceflow.cli.help import Group
from deviceflow.cli.options import fail, store_options, store_settings
from deviceflow.cli.store_access import with_store
from deviceflow.config import Settings
from deviceflow.core.clients import Clients, algorithms_of
from deviceflow.core.signing_key import signing_key_of
from deviceflow.reload import open_signing_keys
from deviceflow.signing.keys import new_key
from deviceflow.store.clients import StoredClients
from deviceflow.store.connection import Connection
from deviceflow.store.envelope import REMEDY
from deviceflow.store.envelope_source import open_envelope
from deviceflow.store.installation import Installation
from deviceflow.store.opening import open_installation
from deviceflow.store.rotation import (
    OVERLAP_S,
    RotationUnderWayError,
    finish_rotation,
    rotate_keys,
)
from deviceflow.store.sealing import seal_all
from deviceflow.store.signing_keys import SigningKeys


@click.group(cls=Group)
@store_options
@click.pass_context
def keys(
    context: click.Context, config_file: Path | None, redis_url: str | None, data_dir: str | None
) -> None:
    """List, rotate and retire the keys that sign tokens; rotate and seal the other keys, too.

    A change reaches every worker within a second.
    """
    context.obj = store_settings(config_file, redis_url, data_dir)


@keys.command(name="list")
@click.pass_obj
def list_keys(settings: Settings) -> None:
    """List the published keys. The newest key of each algorithm in use signs.

    Algorithms are in use by tokens.algorithm and by clients. Keys of other algorithms are
    superseded at the next rotation.
    """

    async def print_keys(connection: Connection) -> None:
        installation = await Installation.find(connection, open_envelope(settings.keys))
        signing_keys = open_signing_keys(settings, connection, installation, time.time)
        published = await signing_keys.live_keys()
        clients = Clients(settings.clients)
        clients.adopt(await StoredClients(connection).all())
        algorithms = algorithms_of(clients, settings.tokens.algorithm)
        signing = [signing_key_of(published, algorithm) for algorithm in algorithms]
        for key in published:
            until = f"published until {_moment(key.expires_at)}" if key.expires_at else ""
            state = "signs" if key in signing else "verifies"
            start = _moment(key.created_at)
            line = f"{key.key_id}  {key.algorithm:<8} {state:<9} made {start}  {until}"
            click.echo(line.rstrip())
        if not published:
            click.echo("There are no keys yet: the first start of the server makes one.", err=True)

    with_store(settings, print_keys, changes=False)


@keys.command()
@click.option(
    "--installation",
    "of_installation",
    is_flag=True,
    help="Replace the keys of device codes, names in the store and CSRF tokens instead.",
)
@click.option(
    "--overlap",
    "overlap_s",
    type=click.IntRange(0, OVERLAP_S),
    help="For how long (s) the old keys of the installation serve what was made with them."
    f"  [default: {OVERLAP_S}]",
)
@click.pass_obj
def rotate(settings: Settings, overlap_s: int | None, *, of_installation: bool) -> None:
    """Sign with a new key from now on.

    With --installation, no login and no session ends. Device codes and open forms end with the
    overlap at the latest.

    Otherwise, the old key stays published until all tokens that it signed have expired. After a
    change of tokens.algorithm, this also holds for keys of other algorithms. For an algorithm that
    only clients have, the running server makes the new key, within a second.
    """
    if of_installation:
        _rotate_installation(settings, OVERLAP_S if overlap_s is None else overlap_s)
        return
    if overlap_s is not None:
        fail("--overlap is for --installation; a signing key is published while it is needed")
    key = new_key(settings.tokens.algorithm, int(time.time()))

    async def add_key(connection: Connection) -> None:
        await (await _opened(settings, connection)).rotate(key)
        click.echo(f"{key.key_id} signs from now on")
        await _record(settings, "rotated", key.key_id)

    with_store(settings, add_key, changes=True)


# Key ids are random base64url: some begin with a hyphen, or even with -h.
@keys.command(context_settings={"ignore_unknown_options": True, "help_option_names": ["--help"]})
@click.argument("key_id")
@click.pass_obj
def retire(settings: Settings, key_id: str) -> None:
    """Withdraw a key at once, after a leak. The server then refuses the tokens that it signed.

    The key that signs cannot be retired; run `keys rotate` first.
    """

    async def remove_key(connection: Connection) -> None:
        signing_keys = await _opened(settings, connection)
        signing_key = signing_key_of(await signing_keys.live_keys(), settings.tokens.algorithm)
        if signing_key is not None and key_id == signing_key.key_id:
            fail("this key signs; run `deviceflow keys rotate` first")
        if not await signing_keys.retire(key_id):
            fail(f"there is no key {key_id}; `keys list` shows all keys")
        click.echo(f"{key_id} is withdrawn")
        await _record(settings, "retired", key_id)

    with_store(settings, remove_key, changes=True)


@keys.command()
@click.pass_obj
def seal(settings: Settings) -> None:
    """Seal the keys in the store by the envelope key, for the first time or by a new one.

    All hosts must have that key in their source of envelope keys before. After a change, the old
    one can be taken out everywhere.
    """
    _store_again(settings, is_sealed=True)


@keys.command()
@click.pass_obj
def unseal(settings: Settings) -> None:
    """Store the keys without a seal again, for hosts that have no envelope key."""
    _store_again(settings, is_sealed=False)


def _store_again(settings: Settings, *, is_sealed: bool) -> None:
    if is_sealed and not settings.keys.has_envelope:
        fail(f"there is no envelope key; {REMEDY}")

    async def store_again(connection: Connection) -> None:
        installation = await open_installation(settings, connection)
        signing_keys = open_signing_keys(settings, connection, installation, time.time)
        count = await seal_all(connection, installation, signing_keys, is_sealed=is_sealed)
        done = f"sealed by the envelope key {installation.envelope.key_id}"
        click.echo(f"{count} keys are {done if is_sealed else 'not sealed any more'}")
        await _record(settings, "sealed" if is_sealed else "unsealed")

    with_store(settings, store_again, changes=True)


def _rotate_installation(settings: Settings, overlap_s: int) -> None:
    async def replace_keys(connection: Connection) -> None:
        installation = await open_installation(settings, connection)
        try:
            since = await rotate_keys(connection, installation, overlap_s, time.time)
        except RotationUnderWayError as error:
            fail(str(error))
        click.echo(
            f"new keys of the installation serve from {_second(since)},"
            f" the old ones until {_second(since + overlap_s)}"
        )
        await _record(settings, "rotated", "installation")
        count = await finish_rotation(connection, installation, time.time)
        click.echo(f"secrets of authenticator apps that were encrypted again: {count}")

    with_store(settings, replace_keys, changes=True)


async def _opened(settings: Settings, connection: Connection) -> SigningKeys:
    installation = await open_installation(settings, connection)
    return open_signing_keys(settings, connection, installation, time.time)


async def _record(settings: Settings, reason: str, key_id: str = "") -> None:
    await record_command(settings, SecurityEvent.KEYS_CHANGED, reason=reason, subject=key_id)


def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _moment(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")
