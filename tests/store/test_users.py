"""Users of the file and of the store, on fakeredis and on a real server alike."""

import asyncio
from collections.abc import Iterator
from typing import Literal
from unittest import mock

import msgspec
import pytest
from argon2 import PasswordHasher

from deviceflow.config import User
from deviceflow.core.claims import Subject
from deviceflow.store import keyspace
from deviceflow.store.account_marks import EVERYTHING
from deviceflow.store.errors import SubjectTaken
from deviceflow.store.users import Account, Users, new_subject
from tests.stage.store import Store

# The cheapest parameters that Argon2 knows: these tests are not about its cost.
HASH = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash("correct horse")
ADA = Account(username="ada", sub="sub-ada", password_hash=HASH, name="Ada Lovelace")
FILE = (
    User(username="bob", password_hash=HASH, email="bob@example.com"),
    User(username="eve", password_hash=HASH, sub="sub-eve", disabled=True),
)


@pytest.fixture
def users(each_store: Store) -> Iterator[Users]:
    users = Users(each_store.connection, FILE)
    users._hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    yield users
    users.close()


async def test_a_stored_user_is_found(users: Users) -> None:
    await users.put(ADA)
    assert await users.find("ada") == ADA
    assert await users.find("Ada") is None


async def test_a_user_of_the_file_has_a_subject_that_never_changes(users: Users) -> None:
    bob = await users.find("bob")
    assert bob is not None
    assert (bob.source, bob.sub, bob.email) == ("file", new_subject("bob"), "bob@example.com")
    assert bob.sub == "user_287f18306c67dcd8c28331f6"
    assert new_subject("bob") != new_subject("Bob")


async def test_the_store_stands_before_the_file(users: Users) -> None:
    bob = await users.find("bob")
    assert bob is not None
    await users.put(msgspec.structs.replace(bob, disabled=True))
    found = await users.find("bob")
    assert found is not None
    assert (found.disabled, found.source) == (True, "store")
    assert await users.verify("bob", "correct horse") is None


async def test_all_users_by_name_each_once(users: Users) -> None:
    await users.put(ADA)
    await users.put(msgspec.structs.replace(ADA, username="bob"))
    accounts = (await users.all()).accounts
    assert [(a.username, a.source) for a in accounts] == [
        ("ada", "store"),
        ("bob", "store"),
        ("eve", "file"),
    ]


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
    await users.put(ADA)
    account = await users.verify(username, password)
    assert (account is not None) is verified
    assert account is None or account.username == username


async def test_an_unknown_user_costs_a_verification_too(users: Users) -> None:
    with mock.patch.object(users, "_matches", return_value=False) as matches:
        for username in ("bob", "eve", "nobody"):
            assert await users.verify(username, "wrong") is None
    expected = [call.args[0] for call in matches.call_args_list]
    assert len(expected) == 3
    assert all(each.startswith("$argon2id$") for each in expected)


async def test_a_hash_that_is_none_verifies_nothing(users: Users) -> None:
    await users.put(msgspec.structs.replace(ADA, password_hash="!"))
    assert await users.verify("ada", "!") is None


@pytest.mark.parametrize(
    ("subject", "may"),
    [
        (Subject(sub="sub-ada", username="ada", auth_time=1), True),
        (Subject(sub="sub-other", username="ada", auth_time=1), False),
        (Subject(sub="sub-eve", username="eve", auth_time=1), False),
        (Subject(sub="sub-ada", username="gone", auth_time=1), False),
    ],
)
async def test_who_is_disabled_or_gone_may_not_go_on(
    users: Users, subject: Subject, *, may: bool
) -> None:
    """Catalogue, section 3: a user disabled between approval and redemption gets no tokens."""
    await users.put(ADA)
    assert await users.may_sign_in(subject) is may


# Names and passwords in every spelling

JOSE = "jos\u00e9"
JOSE_APART = "JOSE\u0301"


@pytest.mark.parametrize(
    ("stored", "typed"),
    [
        ("alice", "Alice"),
        ("alice", "\uff21lice"),
        (JOSE, JOSE_APART),
        ("Bob2", "Bob2"),
        ("Bob2", "bob2"),
        ("ada lovelace", "Ada  Lovelace"),
    ],
)
async def test_a_name_is_found_as_it_is_typed(each_store: Store, stored: str, typed: str) -> None:
    """RFC 8265 3.3. The file's names are in any case; so may be those of earlier versions."""
    users = Users(each_store.connection, [User(username=stored, password_hash=HASH)])
    found = await users.verify(typed, "correct horse")
    assert found is not None
    assert found.username == stored
    await users.put(msgspec.structs.replace(found, disabled=True))
    assert await users.verify(typed, "correct horse") is None, "the store stands before the file"
    users.close()


async def test_a_stored_name_of_earlier_times_works_as_it_is(users: Users) -> None:
    await users.put(msgspec.structs.replace(ADA, username="Ada \u2665"))
    assert await users.verify("Ada \u2665", "correct horse") is not None


async def test_the_very_name_goes_first(users: Users) -> None:
    """Two accounts of earlier times that differ in case stay two."""
    await users.put(ADA)
    await users.put(msgspec.structs.replace(ADA, username="Ada", sub="sub-other"))
    for name, sub in (("ada", "sub-ada"), ("Ada", "sub-other"), ("ADA", "sub-ada")):
        found = await users.find_typed(name)
        assert found is not None
        assert found.sub == sub


@pytest.mark.parametrize("typed", ["pass w\u00f6rd", "pass wo\u0308rd", "pass\u3000w\u00f6rd"])
@pytest.mark.parametrize("hashed_as_typed", [True, False])
async def test_a_password_in_every_spelling(
    users: Users, typed: str, *, hashed_as_typed: bool
) -> None:
    """RFC 8265 4.2; a hash that was made of the text as it was typed goes on working."""
    made = users._hasher.hash(typed) if hashed_as_typed else await users.hash("pass w\u00f6rd")
    await users.put(msgspec.structs.replace(ADA, password_hash=made))
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
    users._hasher = costs = Costs()
    await users.put(msgspec.structs.replace(ADA, password_hash=hashed(2)))
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
    users._hasher = costs = Costs()
    for username, password in (("eve", "correct horse"), ("eve", "wrong"), ("nobody", "wrong")):
        assert await users.verify(username, password) is None
    assert len(costs.checked) == 3
    assert len(set(costs.checked)) == 1


async def test_a_server_without_users_costs_what_new_hashes_cost(each_store: Store) -> None:
    users = Users(each_store.connection)
    users._hasher = costs = Costs()
    assert await users.verify("nobody", "wrong") is None
    assert costs.checked == ["$argon2id$v=19$m=8,t=1,p=1"]
    users.close()


async def test_a_hash_that_is_none_costs_as_much(users: Users) -> None:
    users._hasher = costs = Costs()
    await users.put(msgspec.structs.replace(ADA, password_hash="!"))
    assert await users.verify("ada", "!") is None
    assert costs.checked == ["$argon2id$v=19$m=8,t=1,p=1"]


async def test_old_parameters_are_replaced_at_sign_in(users: Users) -> None:
    await users.put(msgspec.structs.replace(ADA, password_hash=hashed(2)))
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
    await users.put(msgspec.structs.replace(ADA, password_hash=hashed(2)))
    new = msgspec.structs.replace(ADA, password_hash=users._hasher.hash("another password"))
    make = users.hash

    async def slow(password: str) -> str:
        await users.put(new)
        return await make(password)

    with mock.patch.object(users, "hash", slow):
        assert await users.verify("ada", "correct horse") is not None
    assert await users.find("ada") == new


async def test_a_user_of_the_file_stays_as_the_file_has_it(each_store: Store) -> None:
    users = Users(each_store.connection, [User(username="bob", password_hash=hashed(2))])
    users._hasher = Costs()
    assert await users.verify("bob", "correct horse") is not None
    found = await users.find("bob")
    assert found is not None
    assert found.source == "file"
    users.close()


@pytest.mark.parametrize("username", ["ada", "bob"])
async def test_a_new_password_leaves_all_else_as_it_is(users: Users, username: str) -> None:
    """Bob is of the file: the store stands before it from now on."""
    await users.put(ADA)
    before = await users.find(username)
    assert before is not None
    assert await users.change_password(before, "battery staple")
    assert await users.verify(username, "correct horse") is None
    after = await users.verify(username, "battery staple")
    assert after == msgspec.structs.replace(
        before, password_hash=after.password_hash if after else "", source="store"
    )
    assert await users.find_subject(before.sub) == after


async def test_a_new_password_undoes_no_change_of_the_operator(users: Users) -> None:
    await users.put(ADA)
    disabled = msgspec.structs.replace(ADA, disabled=True)
    await users.put(disabled)
    assert not await users.change_password(ADA, "battery staple")
    assert await users.find("ada") == disabled
    await users.remove(disabled)
    assert not await users.change_password(disabled, "battery staple")
    assert await users.find("ada") is None


async def test_an_account_without_a_password_is_made_once(users: Users) -> None:
    made = await users.create("grace")
    assert made is not None
    assert await users.create("grace") == made
    assert await users.find_subject(made.sub) == made
    for typed in ("", "x"):
        assert await users.verify("grace", typed) is None
    await users.put(ADA)
    assert await users.create("ada") == ADA


# People whom another system has signed in

GRACE = Subject(sub="sub-grace", username="grace", auth_time=1)


async def test_an_admitted_person_has_the_mark_of_the_account(users: Users) -> None:
    assert await users.admit(GRACE) == msgspec.structs.replace(GRACE, mark=0)
    account = await users.find("grace")
    assert account is not None
    assert (account.sub, account.password_hash) == ("sub-grace", "")
    marked = await users.end_until_now(account, *EVERYTHING)
    admitted = await users.admit(GRACE)
    assert admitted is not None
    assert (admitted.mark, marked.allows(admitted)) == (marked.marks.devices, True)
    await users.put(msgspec.structs.replace(account, disabled=True))
    assert await users.admit(GRACE) is None


async def test_two_first_approvals_of_one_person_at_a_time(users: Users) -> None:
    """Both are of one account, whichever of them has made it."""
    other = msgspec.structs.replace(GRACE, email="grace@example.com")
    admitted = await asyncio.gather(*(users.admit(each) for each in (GRACE, other) * 4))
    assert all(admitted)
    account = await users.find_subject("sub-grace")
    assert account is not None
    assert all(account.allows(each) for each in admitted if each)


async def test_one_name_for_two_people_at_a_time(users: Users, each_store: Store) -> None:
    """One has it, with an approval that counts; the other is refused, and is nobody here."""
    people = [msgspec.structs.replace(GRACE, sub=f"sub-{number}") for number in range(4)]
    admitted = await asyncio.gather(*map(users.admit, people), return_exceptions=True)
    (winner,) = [each for each in admitted if isinstance(each, Subject)]
    assert [type(each) for each in admitted].count(SubjectTaken) == 3
    assert await users.may_sign_in(winner)
    assert await each_store.connection.command("HKEYS", keyspace.SUBJECTS) == [winner.sub.encode()]


async def test_a_subject_has_one_name(users: Users) -> None:
    await users.admit(GRACE)
    for taken in (GRACE, Subject(sub="sub-eve", username="x", auth_time=1)):
        with pytest.raises(SubjectTaken):
            await users.admit(msgspec.structs.replace(taken, username="another"))
