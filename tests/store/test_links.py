"""People at providers and their accounts: one account each, and never somebody else's."""

import asyncio
from collections.abc import Iterator

import msgspec
import pytest

from deviceflow.config import User
from deviceflow.core.upstream_person import UpstreamPerson, UpstreamSubject
from deviceflow.store import keyspace
from deviceflow.store.accounts import Account
from deviceflow.store.errors import RecordContended
from deviceflow.store.links import Links, LinkTakenError, NameTakenError
from deviceflow.store.users import Users
from tests.stage.store import Store

ADA = UpstreamSubject("https://sso.example.com", "1")
OTHER_ADA = UpstreamSubject("https://sso.example.com", "2")
ELSEWHERE = UpstreamSubject("https://elsewhere.example", "1")
PERSON = UpstreamPerson("ada", "Ada Lovelace", "ada@example.com", frozenset())


@pytest.fixture
def users(each_store: Store) -> Iterator[Users]:
    users = Users(each_store.connection, [User(username="root", password_hash="$argon2id$x")])
    yield users
    users.close()


@pytest.fixture
def links(each_store: Store, users: Users) -> Links:
    return Links(each_store.connection, users)


async def signed_in(
    links: Links, whose: UpstreamSubject, person: UpstreamPerson = PERSON
) -> Account:
    account = await links.sign_in(whose, person, may_create=True)
    assert account is not None
    return account


async def test_an_account_is_created_once(links: Links, users: Users) -> None:
    account = await signed_in(links, ADA)
    assert account.username == "ada"
    assert account.sub.startswith("user_")
    assert (account.name, account.email) == ("Ada Lovelace", "ada@example.com")
    assert account.upstream == (ADA,)
    assert await signed_in(links, ADA) == account
    assert await users.find_subject(account.sub) == account
    assert await links.find(ADA) == account


async def test_where_none_may_be_created(links: Links) -> None:
    assert await links.sign_in(ADA, PERSON, may_create=False) is None
    account = await signed_in(links, ADA)
    assert await links.sign_in(ADA, PERSON, may_create=False) == account


async def test_equal_names_and_addresses_are_other_people(links: Links) -> None:
    accounts = [await signed_in(links, whose) for whose in (ADA, OTHER_ADA, ELSEWHERE)]
    assert len({account.sub for account in accounts}) == 3
    assert len({account.username for account in accounts}) == 3
    assert accounts[0].username == "ada"
    assert all(account.username.startswith("ada-") for account in accounts[1:])
    assert [await signed_in(links, whose) for whose in (ADA, OTHER_ADA, ELSEWHERE)] == accounts


async def test_an_account_of_this_server_is_not_taken_over(links: Links, users: Users) -> None:
    """Neither one of the store nor one of the file, in whatever spelling."""
    await users.put(
        Account(username="ada", sub="sub-ada", password_hash="x", email="ada@example.com")
    )
    assert (await signed_in(links, ADA)).sub != "sub-ada"
    root = await signed_in(links, OTHER_ADA, PERSON._replace(wanted_name="root"))
    assert root.username.startswith("root-")


async def test_a_password_does_not_open_it(links: Links, users: Users) -> None:
    await signed_in(links, ADA)
    assert await users.verify("ada", "") is None
    assert await users.verify("ada", "ada") is None


async def test_name_and_address_follow_the_provider(links: Links) -> None:
    account = await signed_in(links, ADA)
    moved = PERSON._replace(wanted_name="countess", name="Countess", email="c@example.com")
    changed = await signed_in(links, ADA, moved)
    assert (changed.username, changed.sub) == (account.username, account.sub)
    assert (changed.name, changed.email) == ("Countess", "c@example.com")
    silent = PERSON._replace(name=None, email=None)
    assert await signed_in(links, ADA, silent) == changed


async def test_a_disabled_account_stays_disabled(links: Links, users: Users) -> None:
    account = await signed_in(links, ADA)
    await users.put(msgspec.structs.replace(account, disabled=True))
    assert (await signed_in(links, ADA, PERSON._replace(name="New"))).disabled


async def test_a_removed_account_does_not_come_back(links: Links, users: Users) -> None:
    """The same person is another one from then on: old tokens stay dead."""
    account = await signed_in(links, ADA)
    assert await users.remove(account)
    assert await links.find(ADA) is None
    again = await signed_in(links, ADA)
    assert again.username == "ada"
    assert again.sub != account.sub


async def test_many_first_sign_ins_at_once_are_one_account(links: Links, users: Users) -> None:
    accounts = await asyncio.gather(*(signed_in(links, ADA) for _ in range(8)))
    assert len({account.sub for account in accounts}) == 1
    assert len((await users.all()).accounts) == 2


async def test_a_sign_in_that_was_cut_short_is_completed(
    links: Links, users: Users, each_store: Store
) -> None:
    account = await signed_in(links, ADA)
    await each_store.connection.command("HDEL", keyspace.USERS, "ada")
    assert await users.find("ada") is None
    assert await signed_in(links, ADA) == account


async def test_its_name_may_be_gone_by_then(links: Links, users: Users, each_store: Store) -> None:
    account = await signed_in(links, ADA)
    await each_store.connection.command("HDEL", keyspace.USERS, "ada")
    await users.put(Account(username="ada", sub="sub-ada", password_hash="x"))
    again = await signed_in(links, ADA)
    assert again.sub == account.sub
    assert again.username.startswith("ada-")
    assert await links.find(ADA) == again


async def test_all_names_taken(links: Links, users: Users, monkeypatch: pytest.MonkeyPatch) -> None:
    async def taken(_: str) -> Account:
        return Account(username="x", sub="x", password_hash="x")

    monkeypatch.setattr(users, "find_typed", taken)
    with pytest.raises(NameTakenError):
        await links.sign_in(ADA, PERSON, may_create=True)


async def test_somebody_else_is_always_faster(
    links: Links, users: Users, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ends, and the next sign-in may try again."""
    account = await signed_in(links, ADA)

    async def overtaken(*_: object) -> bool:
        return False

    monkeypatch.setattr(users, "change", overtaken)
    with pytest.raises(NameTakenError):
        await signed_in(links, ADA, PERSON._replace(name="New"))
    with pytest.raises(NameTakenError):
        await signed_in(links, OTHER_ADA)
    assert await links.find(ADA) == account


async def test_an_operator_links_a_person(links: Links, users: Users) -> None:
    account = Account(username="ada", sub="sub-ada", password_hash="x")
    await users.put(account)
    linked = await links.link(ADA, account)
    assert linked.upstream == (ADA,)
    assert (await signed_in(links, ADA)).sub == "sub-ada"
    assert await links.link(ADA, await found(users, "ada")) == await found(users, "ada")
    both = await links.link(OTHER_ADA, await found(users, "ada"))
    assert both.upstream == (ADA, OTHER_ADA)


async def test_a_link_undoes_nothing_that_has_happened_since(links: Links, users: Users) -> None:
    """The account was disabled after the command has read it."""
    account = await users.find("root")
    assert account is not None
    disabled = msgspec.structs.replace(account, disabled=True)
    assert await users.change(account, disabled)
    with pytest.raises(RecordContended):
        await links.link(ADA, account)
    now = await users.find("root")
    assert now is not None
    assert (now.disabled, now.upstream) == (True, ())
    assert (await links.link(ADA, now)).disabled


async def test_a_person_has_one_account(links: Links, users: Users) -> None:
    await signed_in(links, ADA)
    other = Account(username="bob", sub="sub-bob", password_hash="x")
    await users.put(other)
    with pytest.raises(LinkTakenError, match="ada"):
        await links.link(ADA, other)


async def found(users: Users, username: str) -> Account:
    account = await users.find(username)
    assert account is not None
    return account
