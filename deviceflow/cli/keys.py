"""`deviceflow keys`: the keys that sign tokens."""

import time
from datetime import UTC, datetime
from pathlib import Path

import click

from deviceflow.cli.options import (
    config_option,
    data_dir_option,
    fail,
    redis_url_option,
    settings_from,
)
from deviceflow.cli.store_access import with_store
from deviceflow.config import Settings
from deviceflow.core.signing_key import signing_key_of
from deviceflow.reload import open_signing_keys
from deviceflow.signing import new_key
from deviceflow.store.connection import Connection


@click.group()
@config_option
@redis_url_option
@data_dir_option
@click.pass_context
def keys(
    context: click.Context, config_file: Path | None, redis_url: str | None, data_dir: str | None
) -> None:
    """List, rotate and retire the keys that sign tokens.

    Every worker knows of a change within a second.
    """
    overrides: dict[str, object] = {"redis.url": redis_url, "server.data_dir": data_dir}
    context.obj = settings_from(config_file, overrides)


@keys.command(name="list")
@click.pass_obj
def list_keys(settings: Settings) -> None:
    """List the published keys; the newest of the algorithm in use signs.

    Keys of another algorithm end with the next rotation.
    """

    async def work(connection: Connection) -> None:
        stored = await open_signing_keys(settings, connection, time.time).live_keys()
        newest = signing_key_of(stored, settings.tokens.algorithm)
        for key in stored:
            until = f"published until {_moment(key.expires_at)}" if key.expires_at else ""
            state = "signs" if key == newest else "verifies"
            made = _moment(key.created_at)
            click.echo(f"{key.key_id}  {key.algorithm:<8} {state:<9} made {made}  {until}".rstrip())
        if not stored:
            click.echo("There are no keys yet: the first start of the server makes one.", err=True)

    with_store(settings, work, changes=False)


@keys.command()
@click.pass_obj
def rotate(settings: Settings) -> None:
    """Sign with a new key. The old one stays published until all that it signed has expired.

    So do keys of other algorithms, after a change of tokens.algorithm.
    """
    key = new_key(settings.tokens.algorithm, int(time.time()))

    async def work(connection: Connection) -> None:
        await open_signing_keys(settings, connection, time.time).rotate(key)
        click.echo(f"{key.key_id} signs from now on")

    with_store(settings, work, changes=True)


# One id in 64 begins with a hyphen, and one of those with -h.
@keys.command(context_settings={"ignore_unknown_options": True, "help_option_names": ["--help"]})
@click.argument("key_id")
@click.pass_obj
def retire(settings: Settings, key_id: str) -> None:
    """Withdraw a key at once, after a leak: tokens that it signed are refused.

    The key that signs cannot be retired; rotate first.
    """

    async def work(connection: Connection) -> None:
        stored = open_signing_keys(settings, connection, time.time)
        known = await stored.live_keys()
        newest = signing_key_of(known, settings.tokens.algorithm)
        if newest is not None and key_id == newest.key_id:
            fail("this key signs; run `deviceflow keys rotate` first")
        if not await stored.retire(key_id):
            fail(f"there is no key {key_id}; `keys list` shows those that there are")
        click.echo(f"{key_id} is withdrawn")

    with_store(settings, work, changes=True)


def _moment(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")
