"""What the commands about a user share: the store that has the users, and the one that is named."""

from collections.abc import Awaitable, Callable
from contextlib import closing

import click
import msgspec

from deviceflow.cli.options import fail, refuse_undecodable
from deviceflow.cli.store_access import with_store
from deviceflow.cli.user_access import UserAccess
from deviceflow.config import Settings
from deviceflow.store.accounts import Account
from deviceflow.store.connection import Connection
from deviceflow.store.errors import RecordContended
from deviceflow.store.users import Users

_TRIES = 5

UsersCommand = Callable[[Connection, Users], Awaitable[None]]
ChangingCommand = Callable[[Users, UserAccess], Awaitable[None]]


def decoded(_: click.Context, parameter: click.Parameter, text: str | None) -> str | None:
    """Refuse text from a terminal with another encoding than UTF-8."""
    refuse_undecodable(parameter.human_readable_name, text or "")
    return text


username_argument = click.argument("username", callback=decoded)


def with_access(settings: Settings, command: ChangingCommand) -> None:
    """Run a command that also ends what a person is connected with."""

    async def with_their_access(connection: Connection, store: Users) -> None:
        await command(store, await UserAccess.open(settings, connection, store))

    with_users(settings, with_their_access, changes=True)


def with_users(settings: Settings, command: UsersCommand, *, changes: bool) -> None:
    """Run a command with the store and the users in it. `changes`: whether it writes."""

    async def connected(connection: Connection) -> None:
        with closing(Users(connection, settings.users)) as store:
            await command(connection, store)

    with_store(settings, connected, changes=changes)


async def existing_user(store: Users, username: str) -> Account:
    """Return a user. Print a line and exit if there is none of that name."""
    account = await store.find_typed(username)
    if account is None:
        fail(f"there is no user {username}; `users list` shows all users")
    return account


async def change_user(store: Users, username: str, **changes: object) -> Account:
    """Change a user as it is now: what others change at the same time stays.

    Return it as it was. Typing a password takes time, in which another operator may have disabled
    the user. May raise RecordContended: others are faster again and again.
    """
    for _ in range(_TRIES):
        account = await existing_user(store, username)
        if await store.change(account, msgspec.structs.replace(account, **changes)):
            return account
    raise RecordContended(f"{username} is being changed by others at the same time; try again")
