"""What a person has access with ends all at once, whatever was on its way, and stays ended."""

import time
from collections.abc import Iterator

import pytest
from msgspec.structs import replace

from deviceflow.config import User
from deviceflow.core.grant import State
from deviceflow.store.accounts import Account
from deviceflow.store.errors import StoreUnavailable
from deviceflow.store.person_access import EndedAccess, PersonAccess
from deviceflow.store.sessions import Session, UpstreamSession
from deviceflow.store.users import Users
from tests.stage.store import ADA, Store


@pytest.fixture
def access(each_store: Store) -> Iterator[PersonAccess]:
    """Ada is a user of the file."""
    users = Users(each_store.connection, [User(username="ada", password_hash="x", sub=ADA.sub)])
    yield PersonAccess(users=users, sessions=each_store.sessions, devices=each_store.devices)
    users.close()


async def account(access: PersonAccess) -> Account:
    found = await access.users.find("ada")
    assert found is not None
    return found


def session(of: Account) -> Session:
    """A session that begins now, for an account as it was read when its password was checked."""
    return Session(
        "ada",
        of.sub,
        int(time.time()),
        mark=of.marks.sessions,
        credential=of.file_credential,
    )


async def is_signed_in(access: PersonAccess, session_id: str) -> bool:
    """As the pages look at it (`pages/visitor.py`)."""
    found = await access.sessions.get(session_id)
    return found is not None and (await account(access)).allows_session(found)


async def test_a_sign_in_that_was_on_its_way_has_ended(access: PersonAccess) -> None:
    """It began with the old password, and is stored after all sessions were ended."""
    before = await account(access)
    assert await access.sign_out(before) == 0
    assert not await is_signed_in(access, await access.sessions.start(session(before)))
    after = await account(access)
    assert await is_signed_in(access, await access.sessions.start(session(after)))


async def test_an_approval_that_was_on_its_way_has_ended(
    access: PersonAccess, each_store: Store
) -> None:
    before = replace(ADA, mark=(await account(access)).marks.devices)
    await access.disconnect_all(await account(access))
    grant = await each_store.approved(before)
    assert grant.approval == before
    assert not await access.users.may_sign_in(before)
    now = replace(ADA, mark=(await account(access)).marks.devices)
    assert await access.users.may_sign_in(now)


async def test_everything_that_is_listed_ends(access: PersonAccess, each_store: Store) -> None:
    of = await account(access)
    ids = [await access.sessions.start(session(of)) for _ in range(2)]
    token, _ = await each_store.family()
    waiting = await each_store.approved()
    assert await access.end(of) == EndedAccess(devices=2, browsers=2)
    assert [await access.sessions.get(each) for each in ids] == [None, None]
    assert await each_store.families.find(token) is None
    assert (await each_store.read(waiting)).state is State.CANCELLED
    assert not (await account(access)).allows(replace(ADA, mark=of.marks.devices))


async def test_the_mark_is_enough(
    access: PersonAccess, each_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store goes away in the middle: what is listed still has ended."""
    of = await account(access)
    session_id = await access.sessions.start(session(of))

    async def fail(sub: str) -> int:
        raise StoreUnavailable(sub)

    monkeypatch.setattr(each_store.devices, "disconnect_all", fail)
    with pytest.raises(StoreUnavailable):
        await access.end(of)
    assert await access.sessions.get(session_id) is not None
    assert not await is_signed_in(access, session_id)
    assert not await access.users.may_sign_in(replace(ADA, mark=of.marks.devices))


async def test_all_browsers_but_one(access: PersonAccess) -> None:
    of = await account(access)
    mine, other = [await access.sessions.start(session(of)) for _ in range(2)]
    kept, number = await access.sign_out_elsewhere(of, mine, session(of))
    assert (number, kept != mine) == (1, True)
    assert await is_signed_in(access, kept)
    assert [await access.sessions.get(each) for each in (mine, other)] == [None, None]
    assert [each.name for each in await access.sessions.of(of.sub)] == [
        access.sessions.name_of(kept)
    ]


async def test_a_session_of_a_provider_keeps_its_name(access: PersonAccess) -> None:
    """The provider's logout names it."""
    of = await account(access)
    upstream = replace(session(of), upstream=UpstreamSession("acme"))
    mine = await access.sessions.start(upstream)
    assert await access.sign_out_elsewhere(of, mine, upstream) == (mine, 0)
    assert await is_signed_in(access, mine)


async def test_a_renewed_session_lives_no_longer(access: PersonAccess, each_store: Store) -> None:
    first = await access.sessions.start(session(await account(access)))
    key = access.sessions._key
    await each_store.connection.command("PEXPIRE", key(first), 5000)
    kept = await access.sessions.renew(first, session(await account(access)))
    assert 0 < await each_store.connection.command("PTTL", key(kept)) <= 5000


async def test_what_an_older_version_has_stored_goes_by_the_sign_in(access: PersonAccess) -> None:
    old = replace(session(await account(access)), mark=None, auth_time=1)
    session_id = await access.sessions.start(old)
    assert await is_signed_in(access, session_id)
    assert await access.users.may_sign_in(ADA)
    await access.end(await account(access))
    assert not await access.users.may_sign_in(ADA)
    assert await access.users.may_sign_in(replace(ADA, auth_time=int(time.time()) + 60))


async def test_a_password_that_changes_in_the_file_ends_the_sessions(
    access: PersonAccess, each_store: Store
) -> None:
    """At a server that has read the file, and whatever is changed beside the password."""
    session_id = await access.sessions.start(session(await account(access)))
    for user, goes_on in (
        (User(username="ada", password_hash="x", sub=ADA.sub, name="Ada L."), True),
        (User(username="ada", password_hash="y", sub=ADA.sub), False),
        (User(username="ada", password_hash="x", sub=ADA.sub, disabled=True), False),
    ):
        reloaded = Users(each_store.connection, [user])
        assert await is_signed_in(replace_users(access, reloaded), session_id) is goes_on
        reloaded.close()


async def test_a_copy_of_a_user_of_the_file_keeps_the_sessions(access: PersonAccess) -> None:
    """`users enable` copies the account into the store, with the password of the file."""
    of = await account(access)
    session_id = await access.sessions.start(session(of))
    await access.users.put(of)
    assert (await account(access)).source == "store"
    assert await is_signed_in(access, session_id)


def replace_users(access: PersonAccess, users: Users) -> PersonAccess:
    return PersonAccess(users=users, sessions=access.sessions, devices=access.devices)
