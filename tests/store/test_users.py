"""Users of the file and of the store, on fakeredis and on a real server alike."""

from collections.abc import Iterator
from unittest import mock

import msgspec
import pytest
from argon2 import PasswordHasher

from deviceflow.config import User
from deviceflow.core.claims import Subject
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
    accounts = await users.all()
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
