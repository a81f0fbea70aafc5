"""`deviceflow clients`: the applications that may start the flow."""

from pathlib import Path

import click

from deviceflow.cli.options import config_option, settings_from


@click.group()
def clients() -> None:
    """Show the applications that may start the flow."""


@clients.command(name="list")
@config_option
def list_clients(config_file: Path | None) -> None:
    """List the clients of the configuration file."""
    settings = settings_from(config_file, {})
    for client in settings.clients:
        state = "enabled" if client.enabled else "disabled"
        scopes = " ".join(client.scopes) or "-"
        click.echo(
            f"{client.client_id:<24} {state:<9} {client.auth_method:<20} {scopes}  ({client.name})"
        )
    if not settings.clients:
        click.echo("There are no clients yet: add [[clients]] to the file.", err=True)
