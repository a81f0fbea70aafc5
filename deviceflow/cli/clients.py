"""`deviceflow clients`: the applications that may start the flow."""

import secrets
from pathlib import Path
from typing import Any, NoReturn

import click
import msgspec

from deviceflow.cli.client_fields import changed, check_credentials, checked, named, warn
from deviceflow.cli.client_options import ClientCommand, client_options, unset_option
from deviceflow.cli.options import (
    config_option,
    data_dir_option,
    fail,
    redis_url_option,
    settings_from,
)
from deviceflow.cli.store_access import with_store
from deviceflow.config import Settings
from deviceflow.core.client import SECRET_METHODS, Client, secret_digest
from deviceflow.store.clients import StoredClients
from deviceflow.store.connection import Connection

SECRETS_KEPT = 2


@click.group()
@config_option
@redis_url_option
@data_dir_option
@click.pass_context
def clients(
    context: click.Context, config_file: Path | None, redis_url: str | None, data_dir: str | None
) -> None:
    """Add, show, change and disable the applications that may start the flow.

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
        known = _of_file(settings) | stored
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

    with_store(settings, work, changes=False)


@clients.command(cls=ClientCommand, params=client_options(new=True))
@click.argument("client_id")
@click.pass_obj
def add(settings: Settings, /, client_id: str, **given: object) -> None:
    """Add a client; prints its secret, once, if it has one.

    It is held to the rules of the file: see config/deviceflow.toml, where each option is a
    field, and docs/configuration.md.
    """
    fields = named(given)
    document = {"client_id": client_id, **fields}
    secret = _add_secret(document)
    client = checked(document, settings)
    check_credentials(client, fields)

    async def work(connection: Connection) -> None:
        def new(before: Client | None) -> Client:
            if before or client_id in _of_file(settings):
                fail(f"there is a client {client_id} already; `clients set` changes it")
            return client

        await StoredClients(connection).change(client_id, new)
        click.echo(f"added {client_id}", err=True)
        warn(client, settings)
        _show_secret(secret)

    with_store(settings, work, changes=True)


@clients.command(name="set", cls=ClientCommand, params=[*client_options(new=False), unset_option()])
@click.argument("client_id")
@click.pass_obj
def set_client(
    settings: Settings, /, client_id: str, unset: tuple[str, ...], **given: object
) -> None:
    """Change a client: what is named becomes as it says, all else stays.

    --scope and --resource name all that there shall be. With another --auth-method the secrets or
    keys of the one before are forgotten; a secret that is needed is made and shown.

    A refresh token with a scope that the client no longer has is refused: the person has to
    approve the device again.

    A client of the file is copied into the store, and the file's entry has no effect from then
    on; `clients remove` takes the copy away again.
    """
    fields = named(given)
    if not fields and not unset:
        fail("nothing to change: name an option; `clients set --help` shows them")

    async def work(connection: Connection) -> None:
        secret: str | None = None

        def edit(before: Client | None) -> Client:
            nonlocal secret
            document = changed(_existing(settings, before, client_id), fields, unset)
            secret = _add_secret(document)
            client = checked(document, settings)
            check_credentials(client, fields)
            return client

        client = await StoredClients(connection).change(client_id, edit)
        overrides = "; it overrides the one in the file" if client_id in _of_file(settings) else ""
        click.echo(f"changed {client_id}{overrides}", err=True)
        warn(client, settings)
        _show_secret(secret)

    with_store(settings, work, changes=True)


@clients.command()
@click.argument("client_id")
@click.pass_obj
def remove(settings: Settings, client_id: str) -> None:
    """Remove a client from the store; what it was given stops working.

    Its devices are refused (invalid_client), whether they wait for a decision or have a refresh
    token. Its access tokens are refused by this server (introspection, userinfo); an API that
    verifies JWTs by itself takes them until they expire.

    What has not expired works again if a client of that id comes back. One that shall never
    come back is better disabled.

    If the file has a client of that id, that one is in force again, as the file has it.
    """

    async def work(connection: Connection) -> None:
        in_file = client_id in _of_file(settings)
        if await StoredClients(connection).remove(client_id):
            again = "; the one in the file is in force again" if in_file else ""
            click.echo(f"removed {client_id}{again}")
        elif in_file:
            fail(f"{client_id} is in the file only; remove it there, or `clients disable` it")
        else:
            _fail_unknown(client_id)

    with_store(settings, work, changes=True)


@clients.command()
@click.argument("client_id")
@click.pass_obj
def show(settings: Settings, client_id: str) -> None:
    """Show a client as JSON, without its secrets."""

    async def work(connection: Connection) -> None:
        found = await StoredClients(connection).find(client_id)
        fields = msgspec.to_builtins(_existing(settings, found, client_id))
        fields["secrets"] = len(fields.pop("secret_sha256"))
        click.echo(msgspec.json.format(msgspec.json.encode(fields)).decode())

    with_store(settings, work, changes=False)


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

    def edit(before: Client | None) -> Client:
        client = _existing(settings, before, client_id)
        if client.auth_method not in SECRET_METHODS:
            fail(f"{client_id} authenticates with {client.auth_method}, not with a secret")
        # Once only, also where this is done again because an answer of the store was lost.
        digests = tuple(dict.fromkeys((secret_digest(secret), *client.secret_sha256)))
        return msgspec.structs.replace(client, secret_sha256=digests[:SECRETS_KEPT])

    async def work(connection: Connection) -> None:
        await StoredClients(connection).change(client_id, edit)
        _show_secret(secret)

    with_store(settings, work, changes=True)


def _change(settings: Settings, client_id: str, *, enabled: bool) -> None:
    def edit(before: Client | None) -> Client:
        return msgspec.structs.replace(_existing(settings, before, client_id), enabled=enabled)

    async def work(connection: Connection) -> None:
        await StoredClients(connection).change(client_id, edit)
        click.echo(f"{'enabled' if enabled else 'disabled'} {client_id}")

    with_store(settings, work, changes=True)


def _existing(settings: Settings, stored: Client | None, client_id: str) -> Client:
    """The stored client, or else that of the file; ends the program where there is neither."""
    client = stored or _of_file(settings).get(client_id)
    if client is None:
        _fail_unknown(client_id)
    return client


def _of_file(settings: Settings) -> dict[str, Client]:
    return {client.client_id: client for client in settings.clients}


def _fail_unknown(client_id: str) -> NoReturn:
    fail(f"there is no client {client_id}; `clients list` shows those that there are")


def _add_secret(fields: dict[str, Any]) -> str | None:
    """Give a client a secret if it needs one and has none."""
    if fields["auth_method"] not in SECRET_METHODS or fields.get("secret_sha256"):
        return None
    secret = secrets.token_urlsafe(32)
    fields["secret_sha256"] = [secret_digest(secret)]
    return secret


def _show_secret(secret: str | None) -> None:
    if secret:
        click.echo("The secret, shown only now:", err=True)
        click.echo(secret)
