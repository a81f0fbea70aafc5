"""`deviceflow users`: the people in the store. There may be others in the configuration file."""

import os
import secrets
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import click
import msgspec

from deviceflow.cli.help import Group
from deviceflow.cli.options import (
    config_option,
    data_dir_option,
    fail,
    redis_url_option,
    refuse_undecodable,
    settings_from,
)
from deviceflow.cli.store_access import with_store
from deviceflow.cli.user_access import UserAccess
from deviceflow.config import Settings
from deviceflow.config.reading import expected, is_valid, shown
from deviceflow.config.values import Email
from deviceflow.core.client import DisplayName
from deviceflow.core.precis import prepare_username
from deviceflow.device.summary import lifetime
from deviceflow.store.connection import Connection
from deviceflow.store.users import Account, Users

MIN_PASSWORD = 8
_TOO_SHORT = f"the password needs at least {MIN_PASSWORD} characters"

_AGAIN = "The user of that name in the file is in force again, with the password in the file."

UsersCommand = Callable[[Users], Awaitable[None]]
ChangingCommand = Callable[[Users, UserAccess], Awaitable[None]]


def _decoded(_: click.Context, parameter: click.Parameter, text: str | None) -> str | None:
    """Refuse text from a terminal with another encoding than UTF-8."""
    refuse_undecodable(parameter.human_readable_name, text or "")
    return text


username_argument = click.argument("username", callback=_decoded)


@click.group(cls=Group)
@config_option
@redis_url_option
@data_dir_option
@click.pass_context
def users(
    context: click.Context, config_file: Path | None, redis_url: str | None, data_dir: str | None
) -> None:
    """Add, list, disable and remove people who may approve devices.

    These commands work while the server is running and while it is not. A user in the store takes
    precedence over a user of the same name in the configuration file.
    """
    overrides: dict[str, object] = {"redis.url": redis_url, "server.data_dir": data_dir}
    context.obj = settings_from(config_file, overrides)


@users.command(name="add")
@username_argument
@click.option("--name", help="Name for devices with the scope profile.", callback=_decoded)
@click.option("--email", help="Address for devices with the scope email.", callback=_decoded)
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@click.pass_obj
def add_user(
    settings: Settings, username: str, name: str | None, email: str | None, password_stdin: bool
) -> None:
    """Add a user. Ask for the password, or read it from a pipe (--password-stdin)."""
    username = _prepared(username)
    _check("--name", DisplayName | None, name)
    _check("--email", Email | None, email)

    async def add(store: Users) -> None:
        await _refuseexisting_user(store, username)
        password = _ask_password(stdin=password_stdin)
        # Typing takes time, in which somebody else may have added the name.
        await _refuseexisting_user(store, username)
        await store.put(
            Account(
                username=username,
                sub=f"user_{secrets.token_hex(12)}",
                password_hash=await store.hash(password),
                name=name,
                email=email,
            )
        )
        click.echo(f"added {username}")

    _with_users(settings, add, changes=True)


@users.command(name="list")
@click.option(
    "--json", "as_json", is_flag=True, help="Print a JSON array, without password hashes."
)
@click.pass_obj
def list_users(settings: Settings, as_json: bool) -> None:
    """List all users."""

    async def print_users(store: Users) -> None:
        accounts = await store.all()
        if as_json:
            records = [_without_hash(account) for account in accounts]
            click.echo(msgspec.json.encode(records).decode())
            return
        for account in accounts:
            state = "disabled" if account.disabled else "enabled"
            click.echo(f"{account.username:<24} {state:<9} {account.source:<6} {account.sub}")
        if not accounts:
            click.echo("There are no users yet: deviceflow users add NAME", err=True)

    _with_users(settings, print_users, changes=False)


@users.command()
@username_argument
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@click.pass_obj
def passwd(settings: Settings, username: str, password_stdin: bool) -> None:
    """Change a user's password, and sign the user out in all browsers.

    Devices stay connected. If somebody else may have had the password, look at them (`users
    devices`), or disconnect them (`users revoke --all`).
    """

    async def change(store: Users, access: UserAccess) -> None:
        account = await existing_user(store, username)
        password = _ask_password(stdin=password_stdin)
        hashed = await store.hash(password)
        await store.put(msgspec.structs.replace(account, password_hash=hashed))
        click.echo(f"changed the password of {account.username}")
        click.echo(await access.sign_out(account.sub), err=True)

    _with_access(settings, change)


@users.command(name="remove")
@username_argument
@click.pass_obj
def remove_user(settings: Settings, username: str) -> None:
    """Remove a user from the store. All devices are disconnected, and all sign-ins end.

    An API that verifies JWTs by itself accepts them until they expire. A new user of the same name
    is another person to devices and APIs. To block somebody for a time, disable the user instead.

    If the file has a user of that name, that user is in force again, as it is in the file.
    """

    async def remove(store: Users, access: UserAccess) -> None:
        account = await existing_user(store, username)
        name = account.username
        in_file = any(user.username == name for user in settings.users)
        if await store.remove(account):
            click.echo(f"removed {name}")
            click.echo(await access.end(account.sub), err=True)
            click.echo(_AGAIN if in_file else _what_ended(settings), err=True)
        else:
            fail(f"{name} is in the file only; remove it there, or `users disable` it")

    _with_access(settings, remove)


@users.command(name="disable")
@username_argument
@click.pass_obj
def disable_user(settings: Settings, username: str) -> None:
    """Block a user: no sign-in, no tokens for approved devices, no refresh.

    The user is signed out in all browsers. Devices go on when the user is enabled again, unless
    they were disconnected meanwhile (`users revoke --all`).
    """
    _set_disabled(settings, username, disabled=True)


@users.command(name="enable")
@username_argument
@click.pass_obj
def enable_user(settings: Settings, username: str) -> None:
    """Unblock a disabled user."""
    _set_disabled(settings, username, disabled=False)


def _check(what: str, kind: object, text: str | None) -> None:
    """Apply the rule of the configuration file. Print a line and exit if it is broken."""
    if not is_valid(kind, text):
        fail(f"{what}: got {shown(text)}; expected {expected(kind)}")


def _prepared(username: str) -> str:
    """Return the name as it is stored (RFC 8265). Print a line and exit if it can be none."""
    _check("username", DisplayName, username)
    prepared = prepare_username(username)
    if prepared is None:
        expects = "letters, digits and punctuation, as in an e-mail address (RFC 8265)"
        fail(f"username: got {shown(username)}; expected {expects}")
    return prepared


def _set_disabled(settings: Settings, username: str, *, disabled: bool) -> None:
    async def change(store: Users, access: UserAccess) -> None:
        account = await existing_user(store, username)
        await store.put(msgspec.structs.replace(account, disabled=disabled))
        click.echo(f"{'disabled' if disabled else 'enabled'} {account.username}")
        if disabled:
            click.echo(await access.sign_out(account.sub), err=True)

    _with_access(settings, change)


def _what_ended(settings: Settings) -> str:
    longest = lifetime(settings.tokens.access_token_lifetime_s)
    return (
        "Ended: sign-in, sessions, approved codes, refresh tokens, and access tokens wherever the\n"
        "server is asked. An API that verifies JWTs by itself accepts them until\n"
        f"they expire: for at most {longest}."
    )


async def _refuseexisting_user(store: Users, username: str) -> None:
    """Print a line and exit if there is such a user."""
    if existing := await store.find_typed(username):
        found = existing.username
        fail(f"there is a user {found} already; `users passwd` changes the password")


async def existing_user(store: Users, username: str) -> Account:
    """Return a user. Print a line and exit if there is none of that name."""
    account = await store.find_typed(username)
    if account is None:
        fail(f"there is no user {username}; `users list` shows all users")
    return account


def _without_hash(account: Account) -> dict[str, object]:
    fields = msgspec.structs.asdict(account)
    del fields["password_hash"]
    return fields


def _ask_password(*, stdin: bool) -> str:
    """Return a new password. Print a line and exit if there is none; ask again if one is short."""
    if stdin:
        line = sys.stdin.buffer.readline()
        password = line.decode(errors="surrogateescape").rstrip("\r\n")
        refuse_undecodable("password", password)
        if len(password) < MIN_PASSWORD:
            fail(_TOO_SHORT)
        return password
    if not _has_terminal():
        fail("there is no terminal to ask for the password; pipe it in with --password-stdin")
    while True:
        prompt = f"Password, at least {MIN_PASSWORD} characters"
        password = str(click.prompt(prompt, hide_input=True, confirmation_prompt=True))
        refuse_undecodable("password", password)
        if len(password) >= MIN_PASSWORD:
            return password
        click.echo(f"{_TOO_SHORT}; try again, or stop with Ctrl-C", err=True)


def _has_terminal() -> bool:
    """Return whether a person can be asked. Look where `getpass` does, in its order."""
    with suppress(OSError):
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
        return True
    return sys.stdin.isatty()


def _with_access(settings: Settings, command: ChangingCommand) -> None:
    """Run a command that also ends what a person is connected with."""

    async def connected(connection: Connection) -> None:
        store = Users(connection, settings.users)
        try:
            await command(store, await UserAccess.open(settings, connection))
        finally:
            store.close()

    with_store(settings, connected, changes=True)


def _with_users(settings: Settings, command: UsersCommand, *, changes: bool) -> None:
    async def connected(connection: Connection) -> None:
        store = Users(connection, settings.users)
        try:
            await command(store)
        finally:
            store.close()

    with_store(settings, connected, changes=changes)
