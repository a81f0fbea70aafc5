"""Passwords: which are right, and that checking one costs the same whether it is."""

from typing import Literal
from unittest import mock

import msgspec
import pytest
from argon2 import PasswordHasher

from deviceflow.config import User
from deviceflow.store.passwords import HASHER
from deviceflow.store.users import Users
from tests.stage.store import Store
from tests.stage.users import ADA_ACCOUNT, CHEAP


@pytest.mark.parametrize(
    ("username", "password", "verified"),
    [
        ("ada", "correct horse", True),
        ("ada", "correct horse ", False),
        ("ada", "", False),
        ("bob", "correct horse", True),
        ("eve", "correct horse", False),
        ("nobody", "correct horse", False),
        ("nobody", "nobody", False),
        ("", "", False),
    ],
)
async def test_only_the_right_password_of_an_enabled_user_is_verified(
    users: Users, username: str, password: str, *, verified: bool
) -> None:
    await users.put(ADA_ACCOUNT)
    account = await users.verify(username, password)
    assert (account is not None) is verified
    assert account is None or account.username == username


async def test_an_unknown_user_costs_a_verification_too(users: Users) -> None:
    with mock.patch.object(users._passwords, "_matches", return_value=False) as matches:
        for username in ("bob", "eve", "nobody"):
            assert await users.verify(username, "wrong") is None
    expected = [call.args[0] for call in matches.call_args_list]
    assert len(expected) == 3
    assert all(each.startswith("$argon2id$") for each in expected)


async def test_a_hash_that_is_none_verifies_nothing(users: Users) -> None:
    await users.put(msgspec.structs.replace(ADA_ACCOUNT, password_hash="!"))
    assert await users.verify("ada", "!") is None


@pytest.mark.parametrize("typed", ["pass w\u00f6rd", "pass wo\u0308rd", "pass\u3000w\u00f6rd"])
@pytest.mark.parametrize("hashed_as_typed", [True, False])
async def test_a_password_in_every_spelling(
    users: Users, typed: str, *, hashed_as_typed: bool
) -> None:
    """RFC 8265 4.2; a hash that was made of the text as it was typed goes on working."""
    made = CHEAP.hash(typed) if hashed_as_typed else await users.hash("pass w\u00f6rd")
    await users.put(msgspec.structs.replace(ADA_ACCOUNT, password_hash=made))
    assert await users.verify("ada", typed) is not None
    assert await users.verify("ada", "pass w\u00f6rd") is not None, "from now on in each of them"
    assert await users.verify("ada", "Pass w\u00f6rd") is None, "the case counts"


# The same cost for everybody


class Costs(PasswordHasher):
    """Says which hashes were checked."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)
        self.checked: list[str] = []

    def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:  # noqa: A002, argon2's
        self.checked.append(str(hash).rpartition("$")[0].rpartition("$")[0])
        return super().verify(hash, password)


def hashed(time_cost: int) -> str:
    return PasswordHasher(time_cost=time_cost, memory_cost=8, parallelism=1).hash("correct horse")


@pytest.mark.parametrize("password", ["wrong", "wro\u0308ng"])
async def test_an_unknown_user_costs_what_users_cost(each_store: Store, password: str) -> None:
    """By calls and parameters; each name always the same. `password_costs` has how often."""
    file = [User(username="bob", password_hash=hashed(3))]
    users = Users(each_store.connection, file, each_store.installation.name)
    users._passwords._hasher = costs = Costs()
    await users.put(msgspec.structs.replace(ADA_ACCOUNT, password_hash=hashed(2)))
    names = [f"nobody{number}" for number in range(12)]
    checked: list[str] = []
    for username in ("ada", "bob", *names, *map(str.title, names)):
        costs.checked.clear()
        assert await users.verify(username, password) is None
        assert len(costs.checked) == (1 if password == "wrong" else 2)
        checked += set(costs.checked)
    assert set(checked) == {f"$argon2id$v=19$m=8,t={time},p=1" for time in (2, 3)}
    assert checked[2:14] == checked[14:]
    users.close()


async def test_a_disabled_user_costs_as_much(users: Users) -> None:
    users._passwords._hasher = costs = Costs()
    for username, password in (("eve", "correct horse"), ("eve", "wrong"), ("nobody", "wrong")):
        assert await users.verify(username, password) is None
    assert len(costs.checked) == 3
    assert len(set(costs.checked)) == 1


async def test_a_server_without_users_costs_what_new_hashes_cost(each_store: Store) -> None:
    users = Users(each_store.connection)
    users._passwords._hasher = costs = Costs()
    assert await users.verify("nobody", "wrong") is None
    assert costs.checked == ["$argon2id$v=19$m=8,t=1,p=1"]
    users.close()


async def test_a_hash_that_is_none_costs_as_much(users: Users) -> None:
    users._passwords._hasher = costs = Costs()
    await users.put(msgspec.structs.replace(ADA_ACCOUNT, password_hash="!"))
    assert await users.verify("ada", "!") is None
    assert costs.checked == ["$argon2id$v=19$m=8,t=1,p=1"]


async def test_old_parameters_are_replaced_at_sign_in(users: Users) -> None:
    await users.put(msgspec.structs.replace(ADA_ACCOUNT, password_hash=hashed(2)))
    assert await users.verify("ada", "wrong") is None
    before = await users.find("ada")
    assert before is not None
    assert before.password_hash.startswith("$argon2id$v=19$m=8,t=2,p=1$")
    verified = await users.verify("ada", "correct horse")
    stored = await users.find("ada")
    assert verified == stored
    assert stored is not None
    assert stored.password_hash.startswith("$argon2id$v=19$m=8,t=1,p=1$")
    assert await users.verify("ada", "correct horse") == stored, "and only once"


async def test_a_new_password_is_not_overwritten(users: Users) -> None:
    """`users passwd` while somebody signs in with the old one."""
    await users.put(msgspec.structs.replace(ADA_ACCOUNT, password_hash=hashed(2)))
    new = msgspec.structs.replace(ADA_ACCOUNT, password_hash=CHEAP.hash("another password"))
    make = users.hash

    async def slow(password: str) -> str:
        await users.put(new)
        return await make(password)

    with mock.patch.object(users, "hash", slow):
        assert await users.verify("ada", "correct horse") is not None
    assert await users.find("ada") == new


async def test_a_user_of_the_file_stays_as_the_file_has_it(each_store: Store) -> None:
    users = Users(each_store.connection, [User(username="bob", password_hash=hashed(2))])
    users._passwords._hasher = Costs()
    assert await users.verify("bob", "correct horse") is not None
    found = await users.find("bob")
    assert found is not None
    assert found.source == "file"
    users.close()


async def test_a_hash_of_several_lanes_becomes_one_of_one(each_store: Store) -> None:
    """Each lane is a thread, and polls wait for the turns of all. The hash has its real cost."""
    users = Users(each_store.connection)
    users._passwords._hasher = HASHER
    lanes = PasswordHasher(time_cost=1, memory_cost=32, parallelism=4).hash("correct horse")
    await users.put(msgspec.structs.replace(ADA_ACCOUNT, password_hash=lanes))
    assert await users.verify("ada", "correct horse") is not None
    stored = await users.find("ada")
    assert stored is not None
    assert stored.password_hash.startswith("$argon2id$v=19$m=65536,t=3,p=1$")
    users.close()
