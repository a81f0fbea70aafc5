"""`deviceflow issuer`: whose store it is."""

from pathlib import Path

import click

from deviceflow.audit.events import SecurityEvent
from deviceflow.cli.auditing import record_command
from deviceflow.cli.options import fail, store_options, store_settings
from deviceflow.cli.store_access import with_store
from deviceflow.store.connection import Connection
from deviceflow.store.owner import move_to_issuer, noted_issuer

_MOVED = """\
Access tokens of the old issuer are refused from now on. Devices stay connected: their next refresh
gives tokens of the new one. APIs need the new issuer. Passkeys go on if the host is the same."""


@click.command()
@store_options
@click.option("--move", is_flag=True, help="Make it the store of the issuer of the settings.")
def issuer(
    config_file: Path | None, redis_url: str | None, data_dir: str | None, *, move: bool
) -> None:
    """Print which issuer the store belongs to.

    A server of another issuer does not start on it, because the two would share people, codes and
    devices. To give an installation another address, stop it on all hosts, change `issuer` in the
    settings, and move the store (--move).
    """
    settings = store_settings(config_file, redis_url, data_dir)
    own = settings.issuer_url

    async def show(connection: Connection) -> None:
        noted = await noted_issuer(connection)
        if not noted:
            fail("no server has started on this store yet")
        click.echo(noted)
        if noted != own:
            click.echo(f"the settings have another one: {own}", err=True)

    async def change(connection: Connection) -> None:
        noted = await noted_issuer(connection)
        if noted == own:
            click.echo(f"the store is that of {own} already")
        elif not noted:
            fail("no server has started on this store yet, so its first one may have any issuer")
        else:
            await move_to_issuer(connection, own)
            click.echo(f"moved from {noted} to {own}")
            click.echo(_MOVED, err=True)
            await record_command(settings, SecurityEvent.STORE_MOVED, subject=own)

    with_store(settings, change if move else show, changes=move)
