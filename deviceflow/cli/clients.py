"""`deviceflow clients`: the applications that may start the flow."""

import secrets
from pathlib import Path
from typing import Any, NoReturn

import click
import msgspec

from deviceflow.audit.events import SecurityEvent
from deviceflow.cli.auditing import record_command
from deviceflow.cli.client_fields import (
    changed_fields,
    client_from,
    fields_of,
    print_warnings,
    refuse_useless_credentials,
)
from deviceflow.cli.client_options import ClientCommand, client_options, unset_option
from deviceflow.cli.help import Group
from deviceflow.cli.options import fail, store_options, store_settings
from deviceflow.cli.store_access import with_store
from deviceflow.config import Settings
from deviceflow.core.client import Client, secret_digest
from deviceflow.core.client_methods import CLIENT_METHODS
from deviceflow.store.client_cancellations import ClientCancellations
from deviceflow.store.client_revocations import ClientRevocations
from deviceflow.store.clients import StoredClients
from deviceflow.store.connection import Connection
from deviceflow.store.mirror import Mirror

SECRETS_KEPT = 2


@click.group(cls=Group)
@store_options
@click.pass_context
def clients(
    context: click.Context, config_file: Path | None, redis_url: str | None, data_dir: str | None
) -> None:
    """Add, show, change and disable the applications that may start the flow.

    Clients are stored in addition to those in the file. Every worker knows of a change within a
    second, with no restart.
    """
    context.obj = store_settings(config_file, redis_url, data_dir)


@clients.command(name="list")
@click.pass_obj
def list_clients(settings: Settings) -> None:
    """List the clients of the file and of the store."""

    async def work(connection: Connection) -> None:
        stored = {client.client_id: client for client in await StoredClients(connection).all()}
        all_clients = _of_file(settings) | stored
        for client_id, client in sorted(all_clients.items()):
            state = "enabled" if client.enabled else "disabled"
            source = "store" if client_id in stored else "file"
            scopes = " ".join(client.scopes) or "-"
            click.echo(
                f"{client_id:<24} {state:<9} {source:<6} {client.auth_method:<20} {scopes}"
                f"  ({client.name})"
            )
        if not all_clients:
            click.echo("There are no clients yet: deviceflow clients add ID", err=True)

    with_store(settings, work, changes=False)


@clients.command(name="add", cls=ClientCommand, params=client_options(new=True))
@click.argument("client_id")
@click.pass_obj
def add_client(settings: Settings, /, client_id: str, **options: object) -> None:
    """Add a client, and print its secret, if it has one. It is shown only this once.

    Each option is a field of a client in config/deviceflow.toml (see docs/configuration.md), and
    the same rules hold.
    """
    fields = fields_of(options)
    document = {"client_id": client_id, **fields}
    secret = _add_secret(document)
    client = client_from(document, settings)
    refuse_useless_credentials(client, fields)

    async def work(connection: Connection) -> None:
        def new(existing: Client | None) -> Client:
            if existing or client_id in _of_file(settings):
                fail(f"there is a client {client_id} already; `clients set` changes it")
            return client

        await StoredClients(connection).change(client_id, new)
        click.echo(f"added {client_id}", err=True)
        print_warnings(client, settings)
        _show_secret(secret)
        await record_command(settings, SecurityEvent.CLIENT_ADDED, client_id=client_id)

    with_store(settings, work, changes=True)


@clients.command(name="set", cls=ClientCommand, params=[*client_options(new=False), unset_option()])
@click.argument("client_id")
@click.pass_obj
def set_client(
    settings: Settings, /, client_id: str, unset: tuple[str, ...], **options: object
) -> None:
    """Change a client. Only the values that you give change.

    --scope and --resource replace all scopes and all resources. With another --auth-method the
    client loses the secrets or keys of the one before. If it needs a secret, a new one is made
    and shown.

    A refresh token with a scope that the client no longer has is refused: a person has to
    approve the device again.

    A client of the file is copied into the store, and its entry in the file has no effect from
    then on. `clients remove` takes the copy away again.
    """
    fields = fields_of(options)
    if not fields and not unset:
        fail("nothing to change: name an option; `clients set --help` shows them")

    async def work(connection: Connection) -> None:
        secret: str | None = None

        def edit(stored: Client | None) -> Client:
            nonlocal secret
            document = changed_fields(_existing(settings, stored, client_id), fields, unset)
            secret = _add_secret(document)
            client = client_from(document, settings)
            refuse_useless_credentials(client, fields)
            return client

        client = await StoredClients(connection).change(client_id, edit)
        overrides = "; it overrides the one in the file" if client_id in _of_file(settings) else ""
        click.echo(f"changed {client_id}{overrides}", err=True)
        print_warnings(client, settings)
        _show_secret(secret)
        await _record_change(settings, client_id, " ".join(sorted({*fields, *unset})))

    with_store(settings, work, changes=True)


@clients.command(name="remove")
@click.argument("client_id")
@click.pass_obj
def remove_client(settings: Settings, client_id: str) -> None:
    """Remove a client from the store. Its tokens and codes stop working.

    The server refuses its devices (invalid_client), whether they wait for a decision or have a
    refresh token. The server also refuses its access tokens (introspection, userinfo). An API
    that verifies JWTs by itself accepts them until they expire.

    Codes and tokens that have not expired work again if a client with that id comes back. To
    block a client for good, disable it instead.

    If the file has a client with that id, that client is in force again, as it is in the file.
    """

    async def work(connection: Connection) -> None:
        in_file = client_id in _of_file(settings)
        if await StoredClients(connection).remove(client_id):
            again = "; the one in the file is in force again" if in_file else ""
            click.echo(f"removed {client_id}{again}")
            await record_command(settings, SecurityEvent.CLIENT_REMOVED, client_id=client_id)
        elif in_file:
            fail(f"{client_id} is in the file only; remove it there, or `clients disable` it")
        else:
            _fail_unknown(client_id)

    with_store(settings, work, changes=True)


@clients.command(name="show")
@click.argument("client_id")
@click.pass_obj
def show_client(settings: Settings, client_id: str) -> None:
    """Show a client as JSON, without its secrets."""

    async def work(connection: Connection) -> None:
        stored = await StoredClients(connection).find(client_id)
        fields = msgspec.to_builtins(msgspec.structs.asdict(_existing(settings, stored, client_id)))
        fields["secrets"] = len(fields.pop("secret_sha256"))
        click.echo(msgspec.json.format(msgspec.json.encode(fields)).decode())

    with_store(settings, work, changes=False)


@clients.command(name="disable")
@click.argument("client_id")
@click.pass_obj
def disable_client(settings: Settings, client_id: str) -> None:
    """Refuse a client: no new grants, no polls, no refresh."""
    _switch(settings, client_id, enabled=False)


@clients.command(name="enable")
@click.argument("client_id")
@click.pass_obj
def enable_client(settings: Settings, client_id: str) -> None:
    """Let a disabled client in again."""
    _switch(settings, client_id, enabled=True)


@clients.command(name="rotate-secret")
@click.argument("client_id")
@click.pass_obj
def rotate_secret(settings: Settings, client_id: str) -> None:
    """Make a new secret and print it, once. The previous one stays good until the next time."""
    secret = secrets.token_urlsafe(32)

    def edit(stored: Client | None) -> Client:
        client = _existing(settings, stored, client_id)
        if not client.method.has_secret:
            fail(f"{client_id} authenticates with {client.auth_method}, not with a secret")
        # Only once, even if this runs again because an answer of the store was lost.
        digests = tuple(dict.fromkeys((secret_digest(secret), *client.secret_sha256)))
        return msgspec.structs.replace(client, secret_sha256=digests[:SECRETS_KEPT])

    async def work(connection: Connection) -> None:
        await StoredClients(connection).change(client_id, edit)
        _show_secret(secret)
        await _record_change(settings, client_id, "secret rotated")

    with_store(settings, work, changes=True)


@clients.command(name="revoke")
@click.argument("client_id")
@click.pass_obj
def revoke_client(settings: Settings, client_id: str) -> None:
    """Disconnect all devices of a client: every grant that was approved until now.

    Refresh tokens end within a second, access tokens wherever this server is asked. An API that
    verifies JWTs by itself accepts them until they expire. The client may start new grants; to
    prevent that, disable it.
    """

    async def work(connection: Connection) -> None:
        _existing(settings, await StoredClients(connection).find(client_id), client_id)
        await ClientRevocations(connection).revoke(client_id)
        click.echo(f"disconnected all devices of {client_id}")
        await record_command(settings, SecurityEvent.CLIENT_DISCONNECTED, client_id=client_id)

    with_store(settings, work, changes=True)


@clients.command(name="cancel")
@click.argument("client_id")
@click.pass_obj
def cancel_grants(settings: Settings, client_id: str) -> None:
    """Cancel all waiting grants of a client: those that have no tokens yet, approved or not.

    Their devices get access_denied within a second, and no code from before can be approved any
    more. The client may start new grants; to prevent that, disable it. Devices that have tokens
    keep them; to end those, use revoke.
    """

    async def work(connection: Connection) -> None:
        _existing(settings, await StoredClients(connection).find(client_id), client_id)
        await ClientCancellations(connection, Mirror()).cancel(client_id)
        click.echo(f"cancelled all waiting grants of {client_id}")
        await record_command(settings, SecurityEvent.CLIENT_GRANTS_CANCELLED, client_id=client_id)

    with_store(settings, work, changes=True)


def _switch(settings: Settings, client_id: str, *, enabled: bool) -> None:
    def edit(stored: Client | None) -> Client:
        return msgspec.structs.replace(_existing(settings, stored, client_id), enabled=enabled)

    async def work(connection: Connection) -> None:
        await StoredClients(connection).change(client_id, edit)
        done = "enabled" if enabled else "disabled"
        click.echo(f"{done} {client_id}")
        await _record_change(settings, client_id, done)

    with_store(settings, work, changes=True)


async def _record_change(settings: Settings, client_id: str, reason: str) -> None:
    await record_command(settings, SecurityEvent.CLIENT_CHANGED, client_id=client_id, reason=reason)


def _existing(settings: Settings, stored: Client | None, client_id: str) -> Client:
    """Return the stored client, or else that of the file; end the program if there is neither."""
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
    if not CLIENT_METHODS[fields["auth_method"]].has_secret or fields.get("secret_sha256"):
        return None
    secret = secrets.token_urlsafe(32)
    fields["secret_sha256"] = [secret_digest(secret)]
    return secret


def _show_secret(secret: str | None) -> None:
    if secret:
        click.echo("The secret, shown only now:", err=True)
        click.echo(secret)
