"""The marks of accounts in the store, on fakeredis and on a real server alike."""

from collections.abc import Iterator

import pytest
from msgspec.structs import replace

from deviceflow.config import User
from deviceflow.core.account_marks import NO_MARKS, AccountMarks
from deviceflow.store import keyspace
from deviceflow.store.account_marks import EVERYTHING, AccessKind
from deviceflow.store.accounts import Account
from deviceflow.store.users import Users
from tests.stage.store import Store

ADA = Account(username="ada", sub="sub-ada", password_hash="x")


@pytest.fixture
def users(each_store: Store) -> Iterator[Users]:
    users = Users(each_store.connection, [User(username="bob", password_hash="x", sub="sub-bob")])
    yield users
    users.close()


async def marks(users: Users, username: str) -> AccountMarks:
    account = await users.find(username)
    assert account is not None
    return account.marks


async def test_each_mark_is_higher_than_the_last(users: Users, each_store: Store) -> None:
    """Also in one millisecond, and with a clock that was set back."""
    await users.put(ADA)
    assert await marks(users, "ada") == NO_MARKS
    first = (await users.end_until_now(ADA, *EVERYTHING)).marks
    assert abs(first.sessions / 1000 - each_store.clock()) < 60
    assert first.sessions == first.devices
    second = (await users.end_until_now(ADA, AccessKind.SESSIONS)).marks
    assert (second.sessions > first.sessions, second.devices) == (True, first.devices)
    ahead = second.sessions + 60_000
    await each_store.connection.command("HSET", keyspace.ACCOUNT_MARKS, "s:ada", ahead)
    assert (await users.end_until_now(ADA, AccessKind.SESSIONS)).marks.sessions == ahead + 1


@pytest.mark.parametrize("username", ["ada", "bob"])
async def test_every_way_to_an_account_brings_its_marks(users: Users, username: str) -> None:
    """Bob is of the file, and stays as the file has him."""
    await users.put(ADA)
    account = await users.find(username)
    assert account is not None
    marked = await users.end_until_now(account, *EVERYTHING)
    assert marked == replace(account, marks=marked.marks)
    for found in (
        await users.find(username),
        await users.find_typed(username.title()),
        await users.find_subject(account.sub),
    ):
        assert found == marked
    other = await users.find("bob" if username == "ada" else "ada")
    assert other is not None
    assert other.marks == NO_MARKS


async def test_the_record_of_an_account_has_no_marks(users: Users, each_store: Store) -> None:
    """So a change of the account, also by an older version, undoes no mark."""
    await users.put(ADA)
    marked = await users.end_until_now(ADA, *EVERYTHING)
    assert await users.change(marked, replace(marked, name="Ada"))
    assert not await users.change(marked, replace(marked, name="Eve")), "it has changed since"
    await users.put(replace(ADA, disabled=True))
    assert await marks(users, "ada") == marked.marks
    record = await each_store.connection.command("HGET", keyspace.USERS, "ada")
    assert b"marks" not in record


async def test_the_name_of_a_removed_user_is_forgotten(users: Users, each_store: Store) -> None:
    """That of a user of the file stays, because the subject comes back."""
    bob = await users.find("bob")
    assert bob is not None
    for account in (ADA, bob):
        await users.put(account)
        await users.end_until_now(account, *EVERYTHING)
        assert await users.remove(account)
    left = await each_store.connection.command("HKEYS", keyspace.ACCOUNT_MARKS)
    assert sorted(left) == [b"d:bob", b"s:bob"]


async def test_so_is_the_name_of_one_that_cannot_be_read(users: Users, each_store: Store) -> None:
    """Whoever gets the name next begins without marks."""
    await users.end_until_now(ADA, *EVERYTHING)
    await each_store.connection.command("HSET", keyspace.USERS, "ada", "{")
    assert await users.remove_unreadable("ada")
    assert await each_store.connection.command("HKEYS", keyspace.ACCOUNT_MARKS) == []


async def test_an_account_is_found_in_one_round_trip(users: Users, each_store: Store) -> None:
    await users.put(ADA)
    trips, run = [], each_store.connection.shape.run

    async def counted(commands):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202, as Shape's
        trips.append([command[0] for command in commands])
        return await run(commands)

    each_store.connection.shape.run = counted  # type: ignore[method-assign]
    await users.find("ada")
    await users.find_typed("Ada")
    assert trips == [["HMGET", "HMGET"]] * 2
