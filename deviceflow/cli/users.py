"""`deviceflow users`: the people in the store. There may be others in the configuration file."""

import secrets
from pathlib import Path

import click
import msgspec

from deviceflow.audit.events import SecurityEvent
from deviceflow.cli.auditing import record_command
from deviceflow.cli.help import Group
from deviceflow.cli.options import fail, store_options, store_settings
from deviceflow.cli.password_prompt import ask_password
from deviceflow.cli.user_access import UserAccess
from deviceflow.cli.user_devices import list_devices, revoke, sign_out_user
from deviceflow.cli.user_records import (
    change_user,
    decoded,
    existing_user,
    username_argument,
    with_access,
    with_users,
)
from deviceflow.cli.user_sign_in import link_user, passwd, reset_factors
from deviceflow.config import Settings
from deviceflow.config.reading import expected, is_valid, shown
from deviceflow.config.values import Email
from deviceflow.core.client_values import DisplayName
from deviceflow.core.precis import prepare_username
from deviceflow.device.summary import lifetime
from deviceflow.store.account_marks import EVERYTHING
from deviceflow.store.accounts import Account
from deviceflow.store.connection import Connection
from deviceflow.store.users import Users

_AGAIN = "The user of that name in the file is in force again, with the password in the file."


@click.group(cls=Group)
@store_options
@click.pass_context
def users(
    context: click.Context, config_file: Path | None, redis_url: str | None, data_dir: str | None
) -> None:
    """Add, list, disable and remove people who may approve devices.

    These commands work while the server is running and while it is not. A user in the store takes
    precedence over a user of the same name in the configuration file.
    """
    context.obj = store_settings(config_file, redis_url, data_dir)


@users.command(name="add")
@username_argument
@click.option("--name", help="Name for devices with the scope profile.", callback=decoded)
@click.option("--email", help="Address for devices with the scope email.", callback=decoded)
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@click.option("--no-password", is_flag=True, help="For a user who only signs in elsewhere.")
@click.pass_obj
def add_user(
    settings: Settings,
    username: str,
    name: str | None,
    email: str | None,
    password_stdin: bool,
    no_password: bool,
) -> None:
    """Add a user. Ask for the password, or read it from a pipe (--password-stdin).

    With --no-password, the user signs in at a provider only: `deviceflow users link`.
    """
    if password_stdin and no_password:
        fail("--no-password and --password-stdin exclude each other")
    username = _prepared(username)
    _check("--name", DisplayName | None, name)
    _check("--email", Email | None, email)

    async def add(_: Connection, store: Users) -> None:
        await _refuse_existing(store, username)
        password = "" if no_password else ask_password(stdin=password_stdin)
        # Typing takes time. Another operator may have added the name meanwhile.
        await _refuse_existing(store, username)
        account = Account(
            username=username,
            sub=f"user_{secrets.token_hex(12)}",
            password_hash="" if no_password else await store.hash(password),
            name=name,
            email=email,
        )
        await store.put(account)
        click.echo(f"added {username}")
        await record_command(settings, SecurityEvent.ACCOUNT_ADDED, sub=account.sub)

    with_users(settings, add, changes=True)


@users.command(name="list")
@click.option(
    "--json", "as_json", is_flag=True, help="Print a JSON array, without password hashes."
)
@click.pass_obj
def list_users(settings: Settings, as_json: bool) -> None:
    """List all users.

    Users whose records cannot be read are named on standard error, and the exit status is 1.
    """

    async def print_users(_: Connection, store: Users) -> None:
        accounts, unreadable = await store.all()
        if as_json:
            records = [_without_hash(account) for account in accounts]
            click.echo(msgspec.json.encode(records).decode())
        else:
            _print_table(accounts)
            if not (accounts or unreadable):
                click.echo("There are no users yet: deviceflow users add NAME", err=True)
        if unreadable:
            for name, reason in sorted(unreadable.items()):
                click.echo(f"deviceflow: {shown(name)}: {reason}", err=True)
            fail("the other users are listed; `users remove NAME` removes such a record")

    with_users(settings, print_users, changes=False)


@users.command(name="remove")
@username_argument
@click.pass_obj
def remove_user(settings: Settings, username: str) -> None:
    """Remove a user from the store. All devices are disconnected, and all sign-ins end.

    An API that verifies JWTs by itself accepts them until they expire. A new user of the same name
    is another person to devices and APIs. To block a person for a time, disable the user instead.

    If the file has a user of that name, that user is in force again, as it is in the file.
    """

    async def remove(store: Users, access: UserAccess) -> None:
        name, sub = await store.find_unreadable(username), None
        if name is not None:
            is_removed = await store.remove_unreadable(name)
        else:
            account = await existing_user(store, username)
            name, sub = account.username, account.sub
            if account.source == "store":
                # A user of the file of that name is in force again, with the same subject.
                await store.end_until_now(account, *EVERYTHING)
            is_removed = await store.remove(account)
        in_file = any(user.username == name for user in settings.users)
        if is_removed:
            click.echo(f"removed {name}")
            if sub is not None:
                click.echo(await access.end_listed(sub), err=True)
            click.echo(_AGAIN if in_file else _what_ended(settings), err=True)
            # A record that cannot be read has no subject.
            await access.record(SecurityEvent.ACCOUNT_REMOVED, sub=sub or "")
        else:
            fail(f"{name} is in the file only; remove it there, or `users disable` it")

    with_access(settings, remove)


@users.command(name="disable")
@username_argument
@click.pass_obj
def disable_user(settings: Settings, username: str) -> None:
    """Block a user: no sign-in, no tokens for approved devices, no refresh.

    The user is signed out in all browsers, and all devices are disconnected: `users enable` gives
    nothing back.
    """
    _set_disabled(settings, username, disabled=True)


@users.command(name="enable")
@username_argument
@click.pass_obj
def enable_user(settings: Settings, username: str) -> None:
    """Unblock a disabled user, who signs in and connects devices anew."""
    _set_disabled(settings, username, disabled=False)


for _command in (passwd, link_user, reset_factors, list_devices, revoke, sign_out_user):
    users.add_command(_command)


def _print_table(accounts: list[Account]) -> None:
    for account in accounts:
        state = "disabled" if account.disabled else "enabled"
        click.echo(f"{account.username:<24} {state:<9} {account.source:<6} {account.sub}")


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
        account = await change_user(store, username, disabled=disabled)
        done = "disabled" if disabled else "enabled"
        click.echo(f"{done} {account.username}")
        if disabled:
            click.echo(await access.end(account), err=True)
        await access.record(SecurityEvent.ACCOUNT_CHANGED, sub=account.sub, reason=done)

    with_access(settings, change)


def _what_ended(settings: Settings) -> str:
    longest = lifetime(settings.tokens.access_token_lifetime_s)
    return (
        "Ended: sign-in, sessions, approved codes, refresh tokens, and access tokens wherever the\n"
        "server is asked. An API that verifies JWTs by itself accepts them until\n"
        f"they expire: for at most {longest}."
    )


async def _refuse_existing(store: Users, username: str) -> None:
    """Print a line and exit if there is such a user."""
    if existing := await store.find_typed(username):
        found = existing.username
        fail(f"there is a user {found} already; `users passwd` changes the password")


def _without_hash(account: Account) -> dict[str, object]:
    fields = msgspec.structs.asdict(account)
    del fields["password_hash"], fields["marks"]
    return fields
