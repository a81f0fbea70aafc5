"""Users of the file and of the store, on fakeredis and on a real server alike."""

import msgspec
import pytest

from deviceflow.config import User
from deviceflow.core.claims import Subject
from deviceflow.store.accounts import new_subject
from deviceflow.store.users import Users
from tests.stage.store import Store
from tests.stage.users import ADA_ACCOUNT, HASH


async def test_a_stored_user_is_found(users: Users) -> None:
    await users.put(ADA_ACCOUNT)
    assert await users.find("ada") == ADA_ACCOUNT
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
    await users.put(ADA_ACCOUNT)
    await users.put(msgspec.structs.replace(ADA_ACCOUNT, username="bob"))
    accounts = (await users.all()).accounts
    assert [(a.username, a.source) for a in accounts] == [
        ("ada", "store"),
        ("bob", "store"),
        ("eve", "file"),
    ]


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
    await users.put(ADA_ACCOUNT)
    assert await users.may_sign_in(subject) is may


# Names in every spelling

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
    await users.put(msgspec.structs.replace(ADA_ACCOUNT, username="Ada \u2665"))
    assert await users.verify("Ada \u2665", "correct horse") is not None


async def test_the_very_name_goes_first(users: Users) -> None:
    """Two accounts of earlier times that differ in case stay two."""
    await users.put(ADA_ACCOUNT)
    await users.put(msgspec.structs.replace(ADA_ACCOUNT, username="Ada", sub="sub-other"))
    for name, sub in (("ada", "sub-ada"), ("Ada", "sub-other"), ("ADA", "sub-ada")):
        found = await users.find_typed(name)
        assert found is not None
        assert found.sub == sub


@pytest.mark.parametrize("username", ["ada", "bob"])
async def test_a_new_password_leaves_all_else_as_it_is(users: Users, username: str) -> None:
    """Bob is of the file: the store stands before it from now on."""
    await users.put(ADA_ACCOUNT)
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
    await users.put(ADA_ACCOUNT)
    disabled = msgspec.structs.replace(ADA_ACCOUNT, disabled=True)
    await users.put(disabled)
    assert not await users.change_password(ADA_ACCOUNT, "battery staple")
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
    await users.put(ADA_ACCOUNT)
    assert await users.create("ada") == ADA_ACCOUNT
