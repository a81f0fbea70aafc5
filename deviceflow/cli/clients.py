"""`deviceflow clients`: the applications that may start the flow."""

import secrets
from hashlib import sha256
from pathlib import Path

import click
import msgspec

from deviceflow.cli.options import (
    config_option,
    data_dir_option,
    fail,
    redis_url_option,
    settings_from,
)
from deviceflow.cli.store_access import with_store
from deviceflow.config import Settings
from deviceflow.core.client import Client
from deviceflow.store.clients import StoredClients
from deviceflow.store.connection import Connection

SECRETS_KEPT = 2
SECRET_METHODS = ("client_secret_basic", "client_secret_post")


@click.group()
@config_option
@redis_url_option
@data_dir_option
@click.pass_context
def clients(
    context: click.Context, config_file: Path | None, redis_url: str | None, data_dir: str | None
) -> None:
    """Add, show and disable the applications that may start the flow.

    Clients are kept in the store, beside those in the file. Every worker knows of a change
    within a second, with no restart.
    """
    overrides: dict[str, object] = {"redis.url": redis_url, "server.data_dir": data_dir}
    context.obj = settings_from(config_file, overrides)


@clients.command(name="list")
@click.pass_obj
def list_clients(settings: Settings) -> None:
    """List the clients of the file and of the store."""

    async def work(connection: Connection) -> None:
        stored = {client.client_id: client for client in await StoredClients(connection).all()}
        known = {client.client_id: client for client in settings.clients} | stored
        for client_id, client in sorted(known.items()):
            state = "enabled" if client.enabled else "disabled"
            source = "store" if client_id in stored else "file"
            scopes = " ".join(client.scopes) or "-"
            click.echo(
                f"{client_id:<24} {state:<9} {source:<6} {client.auth_method:<20} {scopes}"
                f"  ({client.name})"
            )
        if not known:
            click.echo("There are no clients yet: deviceflow clients add ID", err=True)

    with_store(settings, work)


@clients.command()
@click.argument("client_id")
@click.option("--name", required=True, help="What people read when they decide.")
@click.option("--scope", default="openid profile offline_access", show_default=True)
@click.option(
    "--auth-method",
    type=click.Choice(["none", *SECRET_METHODS]),
    default="none",
    show_default=True,
    help="none for what is installed on devices; a secret is made and shown for the others.",
)
@click.option("--introspect", is_flag=True, help="A resource server that may introspect tokens.")
@click.pass_obj
def add(
    settings: Settings, client_id: str, name: str, scope: str, auth_method: str, introspect: bool
) -> None:
    """Add a client; prints its secret, once, if it has one."""
    secret = secrets.token_urlsafe(32) if auth_method != "none" else None
    if introspect and secret is None:
        fail("a client that introspects has to authenticate: choose an --auth-method")
    try:
        client = msgspec.convert(
            {
                "client_id": client_id,
                "name": name,
                "scopes": scope.split(),
                "auth_method": auth_method,
                "secret_sha256": [_digest(secret)] if secret else [],
                "introspect": introspect,
            },
            type=Client,
        )
    except msgspec.ValidationError as error:
        fail(str(error))

    async def work(connection: Connection) -> None:
        stored = StoredClients(connection)
        if client_id in {known.client_id for known in settings.clients} or await stored.find(
            client_id
        ):
            fail(f"there is a client {client_id} already")
        await stored.put(client)
        click.echo(f"added {client_id}", err=True)
        _show_secret(secret)

    with_store(settings, work)


@clients.command()
@click.argument("client_id")
@click.pass_obj
def show(settings: Settings, client_id: str) -> None:
    """Show a client as JSON, without its secrets."""

    async def work(connection: Connection) -> None:
        fields = msgspec.to_builtins(
            await _existing(settings, StoredClients(connection), client_id)
        )
        fields["secret_sha256"] = f"{len(fields['secret_sha256'])} secrets"
        click.echo(msgspec.json.format(msgspec.json.encode(fields)).decode())

    with_store(settings, work)


@clients.command()
@click.argument("client_id")
@click.pass_obj
def disable(settings: Settings, client_id: str) -> None:
    """Refuse a client: no new grants, no polls, no refresh."""
    _change(settings, client_id, enabled=False)


@clients.command()
@click.argument("client_id")
@click.pass_obj
def enable(settings: Settings, client_id: str) -> None:
    """Let a disabled client in again."""
    _change(settings, client_id, enabled=True)


@clients.command(name="rotate-secret")
@click.argument("client_id")
@click.pass_obj
def rotate_secret(settings: Settings, client_id: str) -> None:
    """Make a new secret and print it, once. The one before it stays good until the next."""
    secret = secrets.token_urlsafe(32)

    async def work(connection: Connection) -> None:
        stored = StoredClients(connection)
        client = await _existing(settings, stored, client_id)
        if client.auth_method not in SECRET_METHODS:
            fail(f"{client_id} authenticates with {client.auth_method}, not with a secret")
        digests = (_digest(secret), *client.secret_sha256)[:SECRETS_KEPT]
        await stored.put(msgspec.structs.replace(client, secret_sha256=digests))
        _show_secret(secret)

    with_store(settings, work)


def _change(settings: Settings, client_id: str, *, enabled: bool) -> None:
    async def work(connection: Connection) -> None:
        stored = StoredClients(connection)
        client = await _existing(settings, stored, client_id)
        await stored.put(msgspec.structs.replace(client, enabled=enabled))
        click.echo(f"{'enabled' if enabled else 'disabled'} {client_id}")

    with_store(settings, work)


async def _existing(settings: Settings, stored: StoredClients, client_id: str) -> Client:
    from_file = {client.client_id: client for client in settings.clients}
    client = await stored.find(client_id) or from_file.get(client_id)
    if client is None:
        fail(f"there is no client {client_id}; `clients list` shows those that there are")
    return client


def _show_secret(secret: str | None) -> None:
    if secret:
        click.echo("The secret, shown only now:", err=True)
        click.echo(secret)


def _digest(secret: str) -> str:
    return sha256(secret.encode()).hexdigest()
