"""`deviceflow users`: the people in the store. There may be others in the configuration file."""

import os
import secrets
import sys
from collections.abc import Awaitable, Callable
from contextlib import closing, suppress
from pathlib import Path

import click
import msgspec

from deviceflow.audit.events import SecurityEvent
from deviceflow.cli.auditing import record_command
from deviceflow.cli.help import Group
from deviceflow.cli.options import fail, refuse_undecodable, store_options, store_settings
from deviceflow.cli.store_access import with_store
from deviceflow.cli.user_access import UserAccess
from deviceflow.config import Settings
from deviceflow.config.reading import expected, is_valid, shown
from deviceflow.config.values import Email
from deviceflow.core.client import DisplayName
from deviceflow.core.precis import MIN_PASSWORD, prepare_username
from deviceflow.core.provider_tokens import MAX_SUBJECT
from deviceflow.core.upstream_person import UpstreamSubject
from deviceflow.device.summary import lifetime
from deviceflow.store.account_marks import EVERYTHING
from deviceflow.store.accounts import Account
from deviceflow.store.connection import Connection
from deviceflow.store.errors import RecordContended
from deviceflow.store.factors import remove_factors
from deviceflow.store.links import Links, LinkTakenError
from deviceflow.store.users import Users

_TRIES = 5

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
@click.option("--name", help="Name for devices with the scope profile.", callback=_decoded)
@click.option("--email", help="Address for devices with the scope email.", callback=_decoded)
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

    async def add(store: Users) -> None:
        await _refuse_existing(store, username)
        password = "" if no_password else _ask_password(stdin=password_stdin)
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

    _with_users(settings, add, changes=True)


@users.command(name="list")
@click.option(
    "--json", "as_json", is_flag=True, help="Print a JSON array, without password hashes."
)
@click.pass_obj
def list_users(settings: Settings, as_json: bool) -> None:
    """List all users.

    Users whose records cannot be read are named on standard error, and the exit status is 1.
    """

    async def print_users(store: Users) -> None:
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

    _with_users(settings, print_users, changes=False)


@users.command()
@username_argument
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@click.option("--keep-devices", is_flag=True, help="Leave devices connected.")
@click.pass_obj
def passwd(settings: Settings, username: str, password_stdin: bool, keep_devices: bool) -> None:
    """Change a user's password, sign the user out in all browsers, disconnect all devices.

    If nobody else can have had the old password, devices may stay connected (--keep-devices). An
    API that verifies JWTs by itself accepts them until they expire.
    """

    async def change(store: Users, access: UserAccess) -> None:
        await existing_user(store, username)
        hashed = await store.hash(_ask_password(stdin=password_stdin))
        account = await _change(store, username, password_hash=hashed)
        click.echo(f"changed the password of {account.username}")
        end = access.sign_out if keep_devices else access.end
        click.echo(await end(account), err=True)
        await access.record(SecurityEvent.PASSWORD_CHANGED, sub=account.sub)

    _with_access(settings, change)


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

    _with_access(settings, remove)


@users.command(name="link")
@username_argument
@click.argument("upstream")
@click.argument("subject", callback=_decoded)
@click.pass_obj
def link_user(settings: Settings, username: str, upstream: str, subject: str) -> None:
    """Let a person of an upstream provider sign in as this user.

    UPSTREAM is the id of the provider in [[upstream]], SUBJECT the person's `sub` there: the id of
    the person in its ID tokens, not a name.
    """
    issuers = {provider.id: provider.issuer for provider in settings.upstream}
    if upstream not in issuers:
        known = ", ".join(issuers) or "none"
        fail(f"upstream: the file has no provider {shown(upstream)}; it has {known}")
    if not 0 < len(subject) <= MAX_SUBJECT or not subject.isprintable():
        fail(f"subject: expected 1 to {MAX_SUBJECT} characters, as in the provider's ID tokens")
    whose = UpstreamSubject(issuers[upstream], subject)

    async def link(connection: Connection) -> None:
        with closing(Users(connection, settings.users)) as store:
            account = await existing_user(store, username)
            try:
                await Links(connection, store).link(whose, account)
            except LinkTakenError as error:
                fail(f"this person has the account {error.username} already; remove that one first")
        click.echo(f"linked {account.username}")
        reason = f"linked to {upstream}"
        await record_command(
            settings, SecurityEvent.ACCOUNT_CHANGED, sub=account.sub, reason=reason
        )

    with_store(settings, link, changes=True)


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


@users.command(name="reset-factors")
@username_argument
@click.pass_obj
def reset_factors(settings: Settings, username: str) -> None:
    """Remove a user's passkeys, authenticator app and recovery codes. Sign the user out.

    For a person who has lost all of them: from now on, the password alone signs in. Make sure first
    that it is this person who asks. Devices stay connected (`users revoke --all`).
    """

    async def reset(connection: Connection) -> None:
        with closing(Users(connection, settings.users)) as store:
            account = await existing_user(store, username)
            removed = await remove_factors(connection, account.sub)
            access = await UserAccess.open(settings, connection, store)
            signed_out = await access.sign_out(account)
        app = "an authenticator app" if removed.authenticator else "no authenticator app"
        click.echo(
            f"removed from {account.username}: passkeys: {len(removed.passkeys)}, {app},"
            f" recovery codes: {len(removed.recovery)}"
        )
        click.echo(signed_out, err=True)
        await access.record(SecurityEvent.FACTOR_REMOVED, sub=account.sub, subject="all")

    with_store(settings, reset, changes=True)


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
        account = await _change(store, username, disabled=disabled)
        done = "disabled" if disabled else "enabled"
        click.echo(f"{done} {account.username}")
        if disabled:
            click.echo(await access.end(account), err=True)
        await access.record(SecurityEvent.ACCOUNT_CHANGED, sub=account.sub, reason=done)

    _with_access(settings, change)


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


async def _change(store: Users, username: str, **changes: object) -> Account:
    """Change a user as it is now, so that nothing is undone that others do at the same time.

    Return it as it was. Typing a password takes time, in which another operator may have disabled
    the user. May raise RecordContended: others are faster again and again.
    """
    for _ in range(_TRIES):
        account = await existing_user(store, username)
        if await store.change(account, msgspec.structs.replace(account, **changes)):
            return account
    raise RecordContended(f"{username} is being changed by others at the same time; try again")


async def existing_user(store: Users, username: str) -> Account:
    """Return a user. Print a line and exit if there is none of that name."""
    account = await store.find_typed(username)
    if account is None:
        fail(f"there is no user {username}; `users list` shows all users")
    return account


def _without_hash(account: Account) -> dict[str, object]:
    fields = msgspec.structs.asdict(account)
    del fields["password_hash"], fields["marks"]
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
        with closing(Users(connection, settings.users)) as store:
            await command(store, await UserAccess.open(settings, connection, store))

    with_store(settings, connected, changes=True)


def _with_users(settings: Settings, command: UsersCommand, *, changes: bool) -> None:
    async def connected(connection: Connection) -> None:
        with closing(Users(connection, settings.users)) as store:
            await command(store)

    with_store(settings, connected, changes=changes)
