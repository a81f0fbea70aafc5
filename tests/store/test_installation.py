"""The secrets of an installation, on fakeredis and on a real server alike."""

import asyncio

from deviceflow.signing.keys import is_usable, new_key
from deviceflow.store.installation import LOST_KEYS_KEPT, Installation
from deviceflow.store.signing_keys import SigningKeys
from tests.stage.store import Store


async def test_all_workers_share_the_secrets(each_store: Store) -> None:
    opened = await asyncio.gather(*(Installation.open(each_store.connection) for _ in range(10)))
    code = opened[0].codes.seal(1, 2_000_000_000, 5, "tv-app").encode()
    for installation in opened:
        assert installation.epoch == each_store.installation.epoch
        assert installation.challenge_keys() == each_store.installation.challenge_keys()
        assert installation.name(b"session", b"x") == each_store.installation.name(b"session", b"x")
        assert installation.codes.open(code, b"tv-app") is not None


async def test_installations_differ(each_store: Store) -> None:
    before = each_store.installation
    await each_store.connection.command("FLUSHALL")
    after = await Installation.open(each_store.connection)
    assert before.epoch != after.epoch
    assert before.challenge_keys() != after.challenge_keys()
    assert before.name(b"session", b"x") != after.name(b"session", b"x")


async def test_a_name_depends_on_purpose_and_value(each_store: Store) -> None:
    name = each_store.installation.name
    names = {name(purpose, value) for purpose in (b"a", b"b") for value in (b"x", b"y")}
    assert len(names) == 4
    assert {len(each) for each in names} == {16}


async def test_a_sealed_name_leads_back_to_it(each_store: Store) -> None:
    """Here, and nowhere else; it does not tell the name."""
    installation = each_store.installation
    names = [installation.name(b"grant", bytes([number])) for number in range(20)]
    sealed = [installation.seal(name) for name in names]
    assert [installation.unseal(one) for one in sealed] == names
    assert {len(one) for one in sealed} == {32}
    assert not any(part in names for one in sealed for part in (one[:16], one[16:]))
    tag, masked = sealed[0][:16], sealed[0][16:]
    for other in (
        tag + sealed[1][16:],
        tag,
        sealed[0][:-1],
        "",
        "é" * 16 + masked,
        sealed[0] + "A",
    ):
        assert installation.unseal(other) is None
    await each_store.connection.command("FLUSHALL")
    elsewhere = await Installation.open(each_store.connection)
    assert elsewhere.unseal(sealed[0]) is None
    assert elsewhere.derived(b"a", b"x") != installation.derived(b"a", b"x")
    assert installation.derived(b"a", b"x") != installation.derived(b"b", b"x")


async def test_while_nothing_is_lost_nothing_changes(each_store: Store) -> None:
    installation = each_store.installation
    before = (installation.epoch, installation.challenge_keys(), installation.codes)
    assert not await installation.refresh(each_store.connection)
    assert before == (installation.epoch, installation.challenge_keys(), installation.codes)


async def test_after_a_loss_old_codes_have_expired_and_new_ones_open(each_store: Store) -> None:
    installation = each_store.installation
    old = installation.codes.seal(1, 2_000_000_000, 5, "tv-app").encode()
    await each_store.connection.command("FLUSHALL")
    assert await installation.refresh(each_store.connection)
    opened = installation.codes.open(old, b"tv-app")
    assert opened is not None
    assert opened.expires_at == 0
    new = installation.codes.seal(1, 2_000_000_000, 5, "tv-app").encode()
    opened = installation.codes.open(new, b"tv-app")
    assert opened is not None
    assert opened.expires_at == 2_000_000_000


async def test_many_losses_do_not_pile_up(each_store: Store) -> None:
    for _ in range(LOST_KEYS_KEPT + 3):
        await each_store.connection.command("FLUSHALL")
        assert await each_store.installation.refresh(each_store.connection)
    lost = [key.until for key in each_store.installation.codes.keys]
    assert lost == [None] + [0] * LOST_KEYS_KEPT


async def test_the_first_signing_key_of_an_algorithm_stays(each_store: Store) -> None:
    """Several hosts may start at once: they sign with one key."""
    keys = SigningKeys(
        each_store.connection, each_store.installation, 3600, is_usable, each_store.clock
    )
    assert await keys.live_keys() == []
    first = new_key("ES256", 1)
    assert await keys.add_first(first) == [first]
    assert await keys.add_first(new_key("ES256", 2)) == [first]
    other = new_key("Ed25519", 3)
    assert await keys.add_first(other) == [first, other]
    assert await keys.live_keys() == [first, other]
