"""New keys for an installation, and what goes on meanwhile: with two workers on one store."""

from typing import NamedTuple

import pytest

from deviceflow.core.device_code import DeviceCode
from deviceflow.core.grant import Event, Outcome
from deviceflow.store import keyspace
from deviceflow.store.connection import Connection
from deviceflow.store.envelope import NO_ENVELOPE, Envelope
from deviceflow.store.errors import RecordContended
from deviceflow.store.factors import Authenticator, Factors, FactorStore
from deviceflow.store.grant_records import Grant
from deviceflow.store.installation import Installation
from deviceflow.store.key_sets import SET_KEPT_S
from deviceflow.store.rotation import (
    LEAD_S,
    OVERLAP_S,
    RotationUnderWayError,
    finish_rotation,
    rotate_keys,
)
from deviceflow.store.sessions import Session
from tests.stage.clock import Clock
from tests.stage.store import ADA, Store


class Hosts(NamedTuple):
    """Two workers of two hosts, and the command of an operator, on one store."""

    first: Store
    second: Store
    operator: Installation
    clock: Clock

    async def rotate(self, overlap_s: int = OVERLAP_S) -> int:
        """Rotate. The first worker has heard of it, the second one has not yet."""
        connection = self.first.connection
        since = await rotate_keys(connection, self.operator, overlap_s, self.clock)
        assert await self.first.installation.take_changes(connection)
        return since

    async def all_know(self) -> None:
        """The second worker has heard of it, too."""
        assert await self.second.installation.take_changes(self.second.connection)

    async def begin(self) -> None:
        """Rotate, and let the new keys begin to serve."""
        self.clock.now = await self.rotate()
        await self.all_know()


@pytest.fixture
async def hosts(connection: Connection, clock: Clock) -> Hosts:
    await connection.command("FLUSHALL")
    envelope = Envelope(lambda: [bytes(32)])
    opened = [await Installation.open(connection, envelope, clock) for _ in range(3)]
    workers = [Store(connection, installation, clock) for installation in opened[:2]]
    return Hosts(workers[0], workers[1], opened[2], clock)


def opened(worker: Store, device_code: str) -> DeviceCode:
    code = worker.installation.codes.open(device_code.encode(), b"tv-app")
    assert code is not None
    return code


async def found(worker: Store, user_code: str) -> Grant:
    grant = await worker.grants.find(user_code)
    assert grant is not None
    return grant


async def test_new_keys_are_known_before_they_serve(hosts: Hosts) -> None:
    """A worker that hears late meets nothing that it does not know."""
    since = await hosts.rotate()
    early = await hosts.first.issue()
    assert opened(hosts.second, early.device_code).key_id == hosts.operator.keys.sets[1].id
    assert (await found(hosts.second, early.user_code)).client_id == "tv-app"
    form = hosts.first.installation.challenge_keys()[0]
    assert form == hosts.second.installation.challenge_keys()[0]

    await hosts.all_know()
    hosts.clock.now = since
    late = await hosts.first.issue()
    assert opened(hosts.second, late.device_code).key_id == hosts.operator.keys.sets[0].id
    assert (await found(hosts.second, late.user_code)).client_id == "tv-app"
    assert hosts.first.installation.challenge_keys()[0] != form
    # A worker whose clock is behind still uses the old keys, and knows the new ones.
    hosts.clock.now = since - 1
    assert opened(hosts.second, late.device_code).expires_at == since + 600
    assert (await found(hosts.second, late.user_code)).client_id == "tv-app"


async def test_a_login_goes_on(hosts: Hosts) -> None:
    """Asked for before; approved, redeemed, repeated and refreshed after."""
    issued = await hosts.first.issue()
    await hosts.begin()
    grant = await found(hosts.second, issued.user_code)
    assert opened(hosts.first, issued.device_code).grant_id == grant.id
    assert hosts.second.grants.log_id(grant.id) == issued.log_id
    outcome = await hosts.second.grants.claim_and_decide(grant, Event.APPROVE, ADA)
    assert outcome is Outcome.CHANGED
    assert await hosts.first.grants.state_of(grant.id) == "approved"
    token, redemption = hosts.first.redemption(grant)
    assert await hosts.first.grants.redeem(grant, redemption) is Outcome.CHANGED
    after = await hosts.second.families.rotate(token, redemption.family)
    assert after is not None
    (device,) = (await hosts.first.devices.of(ADA.sub)).devices
    assert await hosts.first.devices.disconnect(ADA.sub, device.grant_id)


async def test_what_was_given_before_is_known_after(hosts: Hosts) -> None:
    """Sessions, refresh tokens, ids in access tokens, devices, and a redemption to repeat."""
    before = hosts.first
    session_id = await before.sessions.start(Session("ada", "sub-ada", int(hosts.clock())))
    grant, tokens = await before.repeatable()
    name = before.grants.family_name(grant.id)
    refresh_token = before.redemptions.refresh_token(tokens, name)
    access_secret = before.redemptions.opaque_secret(tokens)
    access_id = before.families.grant_id(name)

    await hosts.begin()
    after = hosts.second
    assert await after.sessions.get(session_id) is not None
    repeated = await after.redemptions.find(name)
    assert repeated is not None
    assert after.redemptions.refresh_token(repeated, name) == refresh_token
    assert after.redemptions.opaque_secret(repeated) == access_secret
    presented = await after.families.find(refresh_token)
    assert presented is not None
    assert presented.is_good
    assert after.families.grant_id(name) == access_id
    assert len((await after.devices.of(ADA.sub)).devices) == 1
    await after.families.revoke(access_id)
    assert (await after.devices.of(ADA.sub)).devices == []
    assert await after.sessions.end_all("sub-ada") == 1


async def test_second_factors_go_on(hosts: Hosts) -> None:
    """Also when the old keys are gone: by then, their secrets were encrypted again."""
    connection = hosts.first.connection
    factors = FactorStore(connection, hosts.first.installation)
    app = Authenticator(secret=factors.encrypted("TOTP", "ada"), added_at=1, used_step=0)
    await factors.change("ada", lambda _: Factors(authenticator=app))
    await factors.change("bob", lambda _: Factors(recovery=("x",)))
    broken = Authenticator(secret=b"x", added_at=1, used_step=0)
    await factors.change("eve", lambda _: Factors(authenticator=broken))
    await connection.command("HSET", keyspace.FACTORS, "mallory", "{")
    recovery = factors.recovery_hash("BCDF", "ada"), factors.user_handle("ada")
    waited: list[float] = []

    async def wait(seconds: float) -> None:
        waited.append(seconds)
        hosts.clock.advance(seconds)

    await hosts.rotate()
    assert await finish_rotation(connection, hosts.operator, hosts.clock, wait) == 1
    assert waited == [LEAD_S + 1]
    assert await finish_rotation(connection, hosts.operator, hosts.clock, wait) == 0
    await hosts.all_know()
    other = FactorStore(connection, hosts.second.installation)
    stored = (await other.of("ada")).authenticator
    assert stored is not None
    assert stored.secret != app.secret
    assert other.decrypted(stored.secret, "ada") == "TOTP"
    assert other.decrypted(app.secret, "ada") == "TOTP", "in a form that was open"
    assert (other.recovery_hash("BCDF", "ada"), other.user_handle("ada")) == recovery

    hosts.clock.advance(OVERLAP_S + SET_KEPT_S)
    await hosts.begin()
    assert len(hosts.operator.keys.sets) == 2, "the first set is gone"
    assert other.decrypted(app.secret, "ada") is None
    hosts.clock.advance(OVERLAP_S + SET_KEPT_S)
    await hosts.begin()
    after = (await other.of("ada")).authenticator
    assert after is not None
    assert other.decrypted(after.secret, "ada") == "TOTP", "each rotation does what was left to do"


async def test_the_old_keys_end(hosts: Hosts) -> None:
    """A thief who has them makes no device code, reads no user code and forges no form."""
    before = await hosts.first.issue(lifetime=OVERLAP_S)
    stolen = hosts.operator.keys.sets[0]
    since = await hosts.rotate(overlap_s=600)
    await hosts.all_know()
    hosts.clock.now = since
    forged = hosts.second.installation
    forged.codes.sealing = stolen.id
    code = forged.codes.seal(7, since + 86_400, 5, "tv-app")
    assert opened(hosts.first, code).expires_at == since + 600
    assert opened(hosts.first, before.device_code).expires_at == since + 600
    index = keyspace.user_code(forged.hidden_name(b"user code", b"BCDFGHJK"))
    assert stolen.challenge in hosts.first.installation.challenge_keys()
    assert len(hosts.first.installation.hidden_names(b"user code", b"x")) == 2

    hosts.clock.now = since + 600
    assert stolen.challenge not in hosts.first.installation.challenge_keys()
    assert await hosts.first.grants.find(before.user_code) is None
    assert hosts.first.installation.hidden_names(b"user code", b"BCDFGHJK") == [
        index.removeprefix("df:u:")
    ]
    assert opened(hosts.first, before.device_code).expires_at == since + 600, "expired, not foreign"


async def test_a_user_code_is_free_under_no_key(
    hosts: Hosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A code that is pending under the old keys is not given again."""
    before = await hosts.first.issue()
    await hosts.begin()
    given = iter([before.user_code, "BCDFGHJK"])
    monkeypatch.setattr("deviceflow.core.user_code.generate", lambda *_: next(given))
    assert (await hosts.second.issue()).user_code == "BCDFGHJK"


async def test_several_rotations(hosts: Hosts) -> None:
    issued = [await hosts.first.issue()]
    for _ in range(2):
        await hosts.begin()
        issued.append(await hosts.second.issue())
    assert len({opened(hosts.first, each.device_code).key_id for each in issued}) == 3
    for each in issued:
        assert (await found(hosts.first, each.user_code)).client_id == "tv-app"
    # After a leak: nothing of what is older serves.
    since = await hosts.rotate(overlap_s=0)
    hosts.clock.now = since
    assert [opened(hosts.first, each.device_code).expires_at <= since for each in issued] == [
        True
    ] * 3
    assert len(hosts.first.installation.challenge_keys()) == 1


async def test_one_rotation_at_a_time(hosts: Hosts) -> None:
    connection, late = hosts.first.connection, hosts.second.installation
    await hosts.rotate()
    with pytest.raises(RotationUnderWayError, match=f"serve in {LEAD_S} s; try again then"):
        await hosts.rotate()
    with pytest.raises(RecordContended):
        await rotate_keys(connection, late, OVERLAP_S, hosts.clock)
    assert len((await Installation.open(connection, late.envelope)).keys.sets) == 2


async def test_rotated_keys_stay_sealed_or_plain(hosts: Hosts) -> None:
    connection = hosts.first.connection
    await hosts.begin()
    assert hosts.first.installation.is_sealed
    await connection.command("FLUSHALL")
    plain = await Installation.open(connection, NO_ENVELOPE, hosts.clock)
    hosts.clock.now = await rotate_keys(connection, plain, OVERLAP_S, hosts.clock)
    assert not plain.is_sealed
    again = await Installation.open(connection, NO_ENVELOPE, hosts.clock)
    assert again.keys == plain.keys
    assert again.epoch == plain.epoch, "no data was lost"
