"""The names in Redis: one home, hash tags where keys are used together, no tag elsewhere."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from redis.crc import key_slot

import deviceflow
from deviceflow.core.client import Client
from deviceflow.core.grant import Outcome
from deviceflow.core.upstream_person import UpstreamSubject
from deviceflow.signing.keys import is_usable, new_key
from deviceflow.store import keyspace
from deviceflow.store.access_tokens import AccessTokens
from deviceflow.store.account_marks import EVERYTHING
from deviceflow.store.accounts import Account
from deviceflow.store.client_cancellations import ClientCancellations
from deviceflow.store.client_revocations import ClientRevocations
from deviceflow.store.clients import StoredClients
from deviceflow.store.factors import FactorStore
from deviceflow.store.links import Links
from deviceflow.store.notice_links import NoticeLink, NoticeLinks
from deviceflow.store.replay import Replay
from deviceflow.store.reports import Reports
from deviceflow.store.sessions import Session
from deviceflow.store.signing_keys import SigningKeys
from deviceflow.store.starts import Start, StartLimits, Starts
from deviceflow.store.upstream_answers import UpstreamAnswers
from deviceflow.store.upstream_sessions import ProviderSession, UpstreamSessions
from deviceflow.store.users import Users
from tests.stage.hash_slots import keys_of, slots_of
from tests.stage.shapes import not_on
from tests.stage.store import Store
from tests.stage.valkey import Valkey

PACKAGE = Path(deviceflow.__file__).parent

ENDING = [
    keyspace.MINUTES,
    keyspace.WRONG_CODES,
    keyspace.ENDS,
    keyspace.DECISIONS,
    keyspace.CLIENT_REVOCATIONS,
    keyspace.CLIENT_CANCELLATIONS,
    keyspace.CHANGED_CLIENTS,
]

NAMED: list[Callable[[str], str]] = [
    keyspace.grant,
    keyspace.family,
    keyspace.redemption,
    keyspace.living,
    keyspace.devices,
    keyspace.devices_by_age,
    keyspace.devices_by_end,
    keyspace.user_code,
    keyspace.opaque_token,
    keyspace.revoked,
    keyspace.session,
    keyspace.sessions_of,
    keyspace.notice_link,
    keyspace.upstream_answer,
    keyspace.upstream_sessions,
    keyspace.ended_upstream,
    lambda name: keyspace.used("dpop", name),
    lambda name: keyspace.limit("guess", name),
    lambda name: keyspace.reports("client", name),
    keyspace.starts,
    lambda name: keyspace.starts_from(name, name),
]


def slot(key: str) -> int:
    return key_slot(key.encode())


def test_no_other_module_spells_a_key() -> None:
    sources = [*PACKAGE.rglob("*.py"), *PACKAGE.rglob("*.lua")]
    spelling = [source.name for source in sources if "df:" in source.read_text(encoding="utf-8")]
    assert spelling == ["keyspace.py"]


def test_the_contract_of_the_package_leads_here() -> None:
    contract = (PACKAGE / "store" / "__init__.py").read_text(encoding="utf-8")
    assert "`keyspace`" in contract


def test_every_key_says_its_owner() -> None:
    """And the owner is a module of the store."""
    text = (PACKAGE / "store" / "keyspace.py").read_text(encoding="utf-8")
    owners = re.findall(r"Owner: `(\w+)`\.", text)
    others = ["PROBE", "rights", "CHANNEL", "HOLDS", "PACE"]
    assert len(owners) == len(keyspace.PERMANENT) + len(ENDING) + len(NAMED) + len(others)
    for owner in owners:
        assert "keyspace." in (PACKAGE / "store" / f"{owner}.py").read_text(encoding="utf-8")


def test_what_is_used_together_is_in_one_slot() -> None:
    fed = {keyspace.INSTALLATION, keyspace.REVISION, keyspace.DECISIONS}
    assert len({slot(key) for key in fed}) == 1
    grant = {keyspace.grant("name"), keyspace.family("name"), keyspace.redemption("name")}
    assert {slot(key) for key in {*grant, keyspace.living("name")}} == {slot("name")}
    devices = (keyspace.devices, keyspace.devices_by_age, keyspace.devices_by_end)
    assert {slot(key("name")) for key in devices} == {slot("name")}
    started = {keyspace.starts("name"), keyspace.starts_from("name", "network")}
    assert {slot(key) for key in started} == {slot("name")}
    counted = {keyspace.SLOTS, keyspace.MINUTES, keyspace.WRONG_CODES, keyspace.ENDS}
    assert len({slot(key) for key in counted}) == 1


@pytest.mark.parametrize("key", NAMED)
def test_keys_of_one_kind_are_spread(key: Callable[[str], str]) -> None:
    assert len({slot(key(str(number))) for number in range(100)}) > 90


def test_a_slot_is_what_the_cluster_specification_says() -> None:
    """CRC16 of the hash tag, or of the whole key without one."""
    assert key_slot(b"123456789") == 0x31C3 % 16384
    assert key_slot(b"df:g:{123456789}") == key_slot(b"123456789")


async def test_everything_that_is_stored_is_listed(store: Store, valkey: Valkey) -> None:
    """Each key is one of the permanent ones, the log, or of exactly one kind."""
    await fill(store)
    patterns = [re.escape(key("*")).replace(r"\*", "[^:{}]+") for key in NAMED]
    patterns += [re.escape(key) for key in (*keyspace.PERMANENT, *ENDING)]
    with valkey.client() as client:
        stored = [key.decode() for key in client.scan_iter(count=1000)]
    found = {key: [each for each in patterns if re.fullmatch(each, key)] for key in stored}
    assert {key: each for key, each in found.items() if len(each) != 1} == {}
    assert {each[0] for each in found.values()} == set(patterns)


async def fill(store: Store) -> None:
    """Store something of every kind."""
    token, _ = await store.family()
    assert await store.grants.find("BCDFGHJK") is None
    await store.families.revoke(store.families.grant_id(token.name))
    await store.family()
    await store.repeatable()
    grant = await store.approved()
    assert await store.grants.redeem(grant, None, access_ends_at=int(store.clock()) + 60)
    await AccessTokens(store.connection).store({"jti": "x"}, 60)
    await store.sessions.start(Session("ada", "sub-ada", 1))
    await NoticeLinks(store.connection).make(NoticeLink("sub-ada", "x"))
    await store.limits.hit("guess", "ada", limit=1, window_s=60)
    await Reports(store.connection, store.installation, store.clock).add("grant", "tv", "")
    await Replay(store.connection, store.installation).use("dpop", "key", "one", 60)
    signing_keys = SigningKeys(store.connection, store.installation, 60, is_usable, store.clock)
    await signing_keys.add_first(new_key("ES256", 1))
    await ClientRevocations(store.connection).revoke("tv")
    await ClientCancellations(store.connection, store.mirror).cancel("tv")
    clients = StoredClients(store.connection)
    await clients.put(Client(client_id="tv", name="TV"))
    await clients.put_registration("tv", "hash")
    users = Users(store.connection)
    await users.put(Account(username="ada", sub="sub-ada", password_hash="x"))
    whose = UpstreamSubject("https://sso.example.com", "1")
    await Links(store.connection, users).link(
        whose, Account(username="ada", sub="sub-ada", password_hash="x")
    )
    answers = UpstreamAnswers(store.connection, store.installation)
    await answers.keep("state", {"code": "x"})
    upstream = UpstreamSessions(store.connection, store.installation, 60, store.clock)
    await upstream.end(ProviderSession("acme", "1", "sid"))
    await upstream.note(ProviderSession("acme", "1", "sid"), "name", store.clock())
    ada = await users.find("ada")
    assert ada is not None
    await users.end_until_now(ada, *EVERYTHING)
    users.close()
    starts = Starts(store.connection, store.installation, store.clock)
    await starts.admit(Start("tv", StartLimits(9, 9, 9, 9), "2001:db8::/48", "2001:db8::/64", 600))
    factors = FactorStore(store.connection, store.installation)
    await factors.change("sub-ada", lambda before: before)
    await factors.claim_passkey("credential", "sub-ada")


@not_on("cluster", why="it refuses such calls itself")
async def test_a_call_that_mixes_slots_is_found(
    store: Store, mixed_calls: list[list[bytes]]
) -> None:
    """The look that follows every test of this folder: at commands, pipelines and scripts."""
    await store.connection.command("DEL", "df:a", "df:b")
    await store.connection.batch(("GET", "df:a"), ("HGET", "df:b", "field"))
    await store.connection.command("EVAL", "return 1", 2, "df:a", "df:b", "c")
    await store.connection.command("DEL", "df:{a}1", "df:{a}2")
    _, redemption = store.redemption(grant := await store.approved())
    assert await store.grants.redeem(grant, redemption) is Outcome.CHANGED
    assert mixed_calls == [[b"df:a", b"df:b"]] * 3
    mixed_calls.clear()


def test_the_keys_of_a_command() -> None:
    assert keys_of(("evalsha", "sha", 1, "key", "argument")) == [b"key"]
    assert keys_of(("SCRIPT EXISTS", "sha")) == []
    assert slots_of(("SET", "{a}x", "b"), ("PUBLISH", "channel", "c")) == {key_slot(b"a")}
    with pytest.raises(LookupError, match="OBJECT"):
        keys_of(("OBJECT", "ENCODING", "key"))
