"""Records of later versions (docs/decisions/0025): read where they can be, refused one by one."""

from collections.abc import Awaitable, Callable, Iterator
from typing import Any, NamedTuple

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from deviceflow.core.claims import Claims, Subject
from deviceflow.core.client import Client
from deviceflow.core.grant import Event, Outcome, State
from deviceflow.core.signing_key import SigningKey
from deviceflow.core.upstream_person import UpstreamSubject
from deviceflow.core.user_code import UserCodeFormat
from deviceflow.store import keyspace, records
from deviceflow.store.access_tokens import AccessTokens
from deviceflow.store.accounts import Account
from deviceflow.store.clients import StoredClients
from deviceflow.store.errors import RecordUnreadable
from deviceflow.store.factors import Factors, FactorStore
from deviceflow.store.families import Family
from deviceflow.store.grant_records import read_grant
from deviceflow.store.installation import Installation
from deviceflow.store.key_sets import InstallationKeys
from deviceflow.store.links import Links
from deviceflow.store.notice_links import NoticeLink, NoticeLinks
from deviceflow.store.records import NEWEST, RecordKind, check_fields, read_record, write_record
from deviceflow.store.redemptions import RedeemedTokens
from deviceflow.store.scripts import read_key
from deviceflow.store.sessions import Session
from deviceflow.store.signing_keys import SigningKeys
from deviceflow.store.users import Users
from tests.stage.store import ADA, Store, log

ACCOUNT = Account(username="ada", sub="sub-ada", password_hash="x", name="Ada")
TV = Client(client_id="tv", name="TV", user_code=UserCodeFormat(length=9))
KEY = SigningKey(jwk={"kid": "k", "alg": "ES256"}, created_at=1)
MODELS = (Account, Client, Factors, Family, RedeemedTokens, Session, SigningKey, Subject)


@pytest.fixture(autouse=True)
def _no_refusal_is_logged_yet() -> Iterator[None]:
    """A refusal is logged once in a process, and all tests share one."""
    records._log_refusal.cache_clear()
    yield
    records._log_refusal.cache_clear()


class Stored(NamedTuple):
    """A record in the store, and how it is read. `field`: of the hash that holds it as JSON.

    A record without a field is the hash itself, or with `is_string` the JSON of a string.
    """

    key: str
    read: Callable[[], Awaitable[object]]
    field: str = ""
    is_string: bool = False

    async def set(self, store: Store, name: str, value: Any) -> None:  # noqa: ANN401, any JSON
        """Give the record a member or a field more."""
        command = store.connection.command
        if not self.field and not self.is_string:
            await command("HSET", self.key, name, str(value))
            return
        get = ("GET", self.key) if self.is_string else ("HGET", self.key, self.field)
        put = ("SET", self.key) if self.is_string else ("HSET", self.key, self.field)
        members = msgspec.json.decode(await command(*get)) | {name: value}
        keep = ("KEEPTTL",) if self.is_string else ()
        await command(*put, msgspec.json.encode(members), *keep)


async def a_grant(store: Store) -> Stored:
    grant = await store.approved()
    key = keyspace.grant(store.grants.family_name(grant.id))
    return Stored(key, lambda: store.grants.get(grant.id))


async def an_approval(store: Store) -> Stored:
    return (await a_grant(store))._replace(field="approval")


async def a_family(store: Store) -> Stored:
    token, _ = await store.family()
    return Stored(keyspace.family(token.name), lambda: store.families.find(token), "family")


async def a_redemption(store: Store) -> Stored:
    grant, _ = await store.repeatable()
    name = store.grants.family_name(grant.id)
    key = keyspace.redemption(name)
    return Stored(key, lambda: store.redemptions.find(name), is_string=True)


async def a_device(store: Store) -> Stored:
    grant = await store.approved()
    name = store.grants.family_name(grant.id)
    (key,) = await store.connection.command("KEYS", keyspace.devices("*"))
    return Stored(key.decode(), lambda: store.device_index.get(ADA.sub, name), name)


async def a_notice_link(store: Store) -> Stored:
    links = NoticeLinks(store.connection)
    token = await links.make(NoticeLink(ADA.sub, "x"))
    (key,) = await store.connection.command("KEYS", keyspace.notice_link("*"))
    return Stored(key.decode(), lambda: links.find(token), is_string=True)


async def a_user(store: Store) -> Stored:
    users = Users(store.connection)
    users.close()
    await users.put(ACCOUNT)
    return Stored(keyspace.USERS, lambda: users.find("ada"), "ada")


async def some_factors(store: Store) -> Stored:
    factors = FactorStore(store.connection, store.installation)
    await factors.change("sub-ada", lambda before: before)
    return Stored(keyspace.FACTORS, lambda: factors.of("sub-ada"), "sub-ada")


async def a_session(store: Store) -> Stored:
    session_id = await store.sessions.start(Session("ada", "sub-ada", 1))
    (key,) = await store.connection.command("KEYS", keyspace.session("*"))
    return Stored(key.decode(), lambda: store.sessions.get(session_id), is_string=True)


async def a_link(store: Store) -> Stored:
    users = Users(store.connection)
    users.close()
    links, whose = Links(store.connection, users), UpstreamSubject("https://sso.example.com", "1")
    await users.put(ACCOUNT)
    await links.link(whose, ACCOUNT)
    return Stored(keyspace.LINKS, lambda: links.find(whose), whose.digest)


async def a_client(store: Store) -> Stored:
    clients = StoredClients(store.connection)
    await clients.put(TV)
    return Stored(keyspace.CLIENTS, lambda: clients.find("tv"), "tv")


async def an_opaque_token(store: Store) -> Stored:
    tokens = AccessTokens(store.connection)
    token = await tokens.store({"sub": "sub-ada"}, 60)
    (key,) = await store.connection.command("KEYS", keyspace.opaque_token("*"))
    return Stored(key.decode(), lambda: tokens.claims_of(token), is_string=True)


async def an_installation(store: Store) -> Stored:
    async def read() -> InstallationKeys:
        return (await Installation.open(store.connection)).keys

    return Stored(keyspace.INSTALLATION, read)


async def a_signing_key(store: Store) -> Stored:
    keys = SigningKeys(store.connection, store.installation, 60, lambda _: True, store.clock)
    await keys.add_first(KEY)

    async def read() -> SigningKey:
        if not (live := await keys.live_keys()):
            raise RecordUnreadable  # it is left out, so that others can sign
        return live[0]

    return Stored(keyspace.SIGNING_KEYS, read, "k")


STORED = {
    RecordKind.APPROVAL: an_approval,
    RecordKind.CLIENT: a_client,
    RecordKind.DEVICE: a_device,
    RecordKind.FACTORS: some_factors,
    RecordKind.FAMILY: a_family,
    RecordKind.GRANT: a_grant,
    RecordKind.INSTALLATION: an_installation,
    RecordKind.LINK: a_link,
    RecordKind.NOTICE_LINK: a_notice_link,
    RecordKind.OPAQUE_TOKEN: an_opaque_token,
    RecordKind.REDEMPTION: a_redemption,
    RecordKind.SESSION: a_session,
    RecordKind.SIGNING_KEY: a_signing_key,
    RecordKind.USER: a_user,
}
EACH_KIND = pytest.mark.parametrize("kind", STORED)


def test_each_kind_is_tried() -> None:
    """An entry of the decision log has a test of its own below."""
    assert STORED.keys() | {RecordKind.DECISION} == set(RecordKind) == NEWEST.keys()


@EACH_KIND
async def test_a_record_says_no_version_and_has_version_1(store: Store, kind: RecordKind) -> None:
    """So it costs no memory; a record that says 1 is the same."""
    stored = await STORED[kind](store)
    before = await stored.read()
    assert before is not None
    await stored.set(store, "v", 1)
    assert await stored.read() == before


@EACH_KIND
async def test_what_a_later_version_adds_is_ignored(store: Store, kind: RecordKind) -> None:
    stored = await STORED[kind](store)
    before = await stored.read()
    if kind is not RecordKind.OPAQUE_TOKEN:  # each member is a claim, which an API may know
        await stored.set(store, "later", "text")
    assert await stored.read() == before


@EACH_KIND
async def test_a_higher_version_is_refused_and_logged_once(store: Store, kind: RecordKind) -> None:
    stored = await STORED[kind](store)
    await stored.set(store, "v", NEWEST[kind] + 1)
    before = await read_key(store.connection, stored.key)
    with capture_logs() as logs:
        for _ in range(3):
            with pytest.raises(RecordUnreadable):
                await stored.read()
    refusals = [(line["kind"], line["version"]) for line in logs if "kind" in line]
    # A record of these has a line of its own: "client.unreadable", "signing_key.unreadable", and
    # the last line of a start.
    has_own = kind in {RecordKind.CLIENT, RecordKind.SIGNING_KEY, RecordKind.INSTALLATION}
    assert refusals == ([] if has_own else [(kind.value, NEWEST[kind] + 1)])
    after = await read_key(store.connection, stored.key)
    assert after.value == before.value, "it stays as it is"


async def test_a_grant_of_a_higher_version_holds_up_no_other(store: Store) -> None:
    """The feed goes on, and the device waits: it is refused nothing."""
    later, other = await store.approved(), await store.grant()
    key = keyspace.grant(store.grants.family_name(later.id))
    await store.connection.command("HSET", key, "v", 2)
    assert await store.grants.state_of(later.id) is None
    assert await store.grants.state_of(other.id) is State.PENDING
    await store.connection.command("HDEL", key, "v")
    assert await store.grants.state_of(later.id) is State.APPROVED
    await store.connection.command("HSET", key, "state", "delegated")
    assert await store.grants.state_of(later.id) is None


@pytest.mark.parametrize("entry", [("v", "2", "d", "x"), ("g", "1"), ("g", "x", "x", "y")])
async def test_an_entry_that_cannot_be_read_holds_up_no_other(
    store: Store, another: Callable[[], Awaitable[Store]], entry: tuple[str, ...]
) -> None:
    await log(store, [("*", *entry)])
    grant = await store.grant()
    assert await store.grants.claim(grant, ADA.sub) is Outcome.CHANGED
    assert await store.grants.decide(grant, Event.APPROVE, ADA) is Outcome.CHANGED
    worker = await another()
    with capture_logs() as logs:
        await worker.feed.catch_up()
    assert {line["event"] for line in logs} == {
        "record.refused" if "v" in entry else "store.entry_ignored"
    }
    assert worker.mirror.state_of(grant.id) is not State.PENDING, "the hint was taken"


async def test_users_who_can_be_read_sign_in(store: Store) -> None:
    users = Users(store.connection)
    hashed = await users.hash("correct horse")
    for name in ("ada", "bob"):
        await users.put(Account(username=name, sub=f"sub-{name}", password_hash=hashed, name=None))
    later = msgspec.json.encode({"v": 2, "login": "bob"})
    await store.connection.command("HSET", keyspace.USERS, "bob", later)
    assert await users.verify("ada", "correct horse") is not None
    with pytest.raises(RecordUnreadable, match="the record of a user"):
        await users.verify("bob", "correct horse")
    users.close()


async def test_a_change_keeps_what_a_later_version_has_added(store: Store) -> None:
    """Of a client, a user and a signing key, which live on while versions come and go."""
    command = store.connection.command
    for stored in (await a_client(store), await a_user(store), await a_signing_key(store)):
        await stored.set(store, "later", {"a": [1]})
    await StoredClients(store.connection).change("tv", lambda _: TV)
    users = Users(store.connection)
    await users.put(msgspec.structs.replace(ACCOUNT, disabled=True))
    users.close()
    keys = SigningKeys(store.connection, store.installation, 60, lambda _: True, store.clock)
    await keys.rotate(SigningKey(jwk={"kid": "new", "alg": "ES256"}, created_at=2))
    for key, field in (
        (keyspace.CLIENTS, "tv"),
        (keyspace.USERS, "ada"),
        (keyspace.SIGNING_KEYS, "k"),
    ):
        assert msgspec.json.decode(await command("HGET", key, field))["later"] == {"a": [1]}
    assert (await keys.live_keys())[0].expires_at > 0


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
MEMBERS = st.dictionaries(st.text(), JSON)


@pytest.mark.parametrize("model", [*MODELS, Claims])
@given(record=st.binary() | JSON.map(msgspec.json.encode))
def test_whatever_is_stored_is_read_or_refused(model: type[Any], record: bytes) -> None:
    try:
        read = read_record(record, RecordKind.USER, model)
    except RecordUnreadable:
        return
    assert read_record(write_record(read), RecordKind.USER, model) == read


@given(added=MEMBERS)
def test_no_member_that_is_not_known_does_harm(added: dict[str, Any]) -> None:
    later = {name: value for name, value in added.items() if name not in {"v", *_names(Account)}}
    record = msgspec.json.encode(msgspec.to_builtins(ACCOUNT) | later)
    read = read_record(record, RecordKind.USER, Account)
    assert read == ACCOUNT
    assert msgspec.json.decode(write_record(read, over=record)) == msgspec.json.decode(record)


async def test_a_client_that_restricts_its_grants_has_a_version_of_its_own(store: Store) -> None:
    """An older version refuses it. It reads all others, which say nothing of it (0.1.0 does)."""
    clients = StoredClients(store.connection)

    async def record() -> dict[str, Any]:
        raw = await store.connection.command("HGET", keyspace.CLIENTS, "tv")
        return msgspec.json.decode(raw, type=dict[str, Any])

    await clients.put(TV)
    assert not {"v", "sign_in", "max_sign_in_age_s"} & set(await record())
    restrictions: list[dict[str, Any]] = [
        {"sign_in": "second_factor"},
        {"max_sign_in_age_s": 60},
        {"device": False},
        {"start_networks": ("192.0.2.0/24",)},
        {"approval_networks": ("192.0.2.0/24",)},
        {"max_approvals_per_hour": 3},
        {"near": "network"},
        {"if_far": "refuse"},
    ]
    for changes in restrictions:
        strict = msgspec.structs.replace(TV, **changes)
        await clients.put(strict)
        assert (await record())["v"] == 2
        assert await clients.find("tv") == strict
    await clients.put(TV)
    assert "v" not in await record()


@given(version=st.integers(2, 2**70))
def test_no_higher_version_is_read(version: int) -> None:
    record = msgspec.json.encode(msgspec.to_builtins(ACCOUNT))[:-1] + b',"v":%d}' % version
    with pytest.raises(RecordUnreadable):
        read_record(record, RecordKind.USER, Account)
    assert write_record(ACCOUNT, over=record) == write_record(ACCOUNT)
    with pytest.raises(RecordUnreadable):
        check_fields({b"v": b"%d" % version}, RecordKind.GRANT)


@pytest.mark.parametrize("version", ["0", "-1", "true", "null", '"2"', "1.5", "[]"])
def test_a_version_that_is_none(version: str) -> None:
    with pytest.raises(RecordUnreadable):
        read_record(f'{{"v":{version}}}'.encode(), RecordKind.CLIENT, Claims)


@given(
    fields=st.dictionaries(
        st.sampled_from([b"state", b"expires", b"at", b"approval", b"approved", b"v", b"later"]),
        st.binary() | st.sampled_from([b"1", b"pending"]),
    )
)
@example(fields={b"state": b"approved", b"expires": b"1", b"at": b"1", b"approved": b"9" * 400})
def test_a_grant_is_read_or_refused(fields: dict[bytes, bytes]) -> None:
    try:
        grant = read_grant(1, fields)
    except RecordUnreadable:
        return
    assert (grant.state.encode(), grant.expires_at) == (fields[b"state"], int(fields[b"expires"]))


def _names(model: type[msgspec.Struct]) -> tuple[str, ...]:
    return model.__struct_fields__
