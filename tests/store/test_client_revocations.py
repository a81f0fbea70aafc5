"""The marks of clients whose grants were all ended."""

from deviceflow.store import keyspace
from deviceflow.store.client_revocations import KEPT_FOR_S, ClientRevocations
from tests.stage.store import Store


async def test_what_was_issued_before_is_ended(each_store: Store) -> None:
    revocations = ClientRevocations(each_store.connection)
    await revocations.read()
    assert not revocations.ends("tv", 0)
    seconds, _ = await each_store.connection.command("TIME")
    await revocations.revoke("tv")
    assert not revocations.ends("tv", 0), "as long as the marks are not read"
    await revocations.read()
    for issued_at, is_ended in ((0, True), (int(seconds), True), (int(seconds) + 60, False)):
        assert revocations.ends("tv", issued_at) is is_ended
        assert not revocations.ends("other", issued_at)


async def test_the_marks_outlive_every_grant(each_store: Store) -> None:
    await ClientRevocations(each_store.connection).revoke("tv")
    lives_ms = await each_store.connection.command("PTTL", keyspace.CLIENT_REVOCATIONS)
    assert lives_ms > (KEPT_FOR_S - 60) * 1000


async def test_all_workers_are_told(each_store: Store) -> None:
    before = await each_store.connection.command("GET", keyspace.REVISION)
    await ClientRevocations(each_store.connection).revoke("tv")
    assert await each_store.connection.command("GET", keyspace.REVISION) != before


async def test_an_approval_after_the_mark_is_good_at_once(each_store: Store) -> None:
    """The store's clock says when both were: one clock, so a moment is enough."""
    before = await each_store.approved()
    revocations = ClientRevocations(each_store.connection)
    await revocations.revoke("tv-app")
    after = await each_store.approved()
    await revocations.read()
    for grant, is_ended in ((before, True), (after, False)):
        assert grant.approved_at is not None
        assert revocations.ends_approval("tv-app", grant.approved_at) is is_ended
