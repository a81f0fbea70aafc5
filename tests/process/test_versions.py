"""The previous release beside this version, on one store: no login is lost while both run.

Also records that only a later version can read, in a server that runs: they are refused one by
one, and nothing else notices.
"""

import itertools
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple
from urllib.request import Request

import msgspec
import pytest
from redis import Redis

from deviceflow.store import keyspace
from tests.stage import previous
from tests.stage.process import Command, MakeProgram
from tests.stage.program import Notes, Program
from tests.stage.valkey import Valkey
from tests.stage.waiting import until_outside
from tests.stage.wire import PASSWORD, Answer, Browser, Device, fetch, request_of

ISSUER = "http://127.0.0.1:7"
"""The address of the balancer before both; what listens there does not matter."""

ONE_ISSUER = {"DEVICEFLOW_ISSUER": ISSUER}

RunCommand = Callable[..., str]


class Pair(NamedTuple):
    """Two servers on one store: the previous release, and this version."""

    before: Program
    now: Program

    def orders(self, length: int) -> Iterator[tuple[Program, ...]]:
        """Each way in which so many steps can fall to the two."""
        return itertools.product(self, repeat=length)


class Visitor(Browser):
    """A browser that knows the servers by the balancer's address."""

    def _go(self, request: Request) -> Answer:
        request.add_header("Host", ISSUER.partition("://")[2])
        return super()._go(request)


class BalancedVisitor(Visitor):
    """A browser that the balancer leads to the other server at each request of its own."""

    def __init__(self, pair: Pair, first: Program) -> None:
        super().__init__(first)
        self._turns = itertools.cycle(pair if first is pair.before else reversed(pair))

    def open(self, path: str) -> Answer:
        self._program = next(self._turns)
        return super().open(path)

    def submit(self, path: str, **fields: str) -> Answer:
        self._program = next(self._turns)
        return super().submit(path, **fields)


@pytest.fixture(scope="module")
def previous_release() -> Iterator[Path]:
    with TemporaryDirectory(prefix="df-") as name:
        yield previous.unpack(Path(name))


@pytest.fixture
def valkey(start_valkey: Callable[..., Valkey]) -> Valkey:
    """Its user may do everything: the previous release came without config/redis.acl."""
    return start_valkey()


@pytest.fixture
def pair(
    make_program: MakeProgram, notes: Notes, valkey: Valkey, previous_release: Path
) -> Iterator[Pair]:
    options = ("--workers", "2", "--redis-url", valkey.url)
    with TemporaryDirectory(prefix="df-") as name:
        now = make_program(*options, variables=ONE_ISSUER)
        config = Path(name) / "deviceflow.toml"
        config.write_text(now.config.read_text(encoding="utf-8"), encoding="utf-8")
        before = Program(Path(name), options, notes)
        before.variables, before.checkout = ONE_ISSUER, previous_release
        try:
            before.start()
            yield Pair(before, now)
        finally:
            before.end()


@pytest.fixture
def run(command: Command) -> RunCommand:
    """Runs a command of the version of a program, for the store of both."""

    def run(program: Program, group: str, *arguments: str, given: str = "") -> str:
        places = ("--config", str(program.config), "--redis-url", _store_url(program))
        ended = command(group, *places, *arguments, given=given, checkout=program.checkout)
        assert ended.returncode == 0, ended
        return ended.stdout

    return run


def _store_url(program: Program) -> str:
    return program.arguments()[program.arguments().index("--redis-url") + 1]


def test_they_are_two_versions(pair: Pair) -> None:
    """Else the tests of this file show nothing: only this version has metrics."""
    assert [fetch(request_of(f"{each.admin_url}/metrics")).status for each in pair] == [404, 200]


def test_a_login_crosses_both(pair: Pair) -> None:
    """Issued, approved, redeemed and refreshed on either, in each order: 32 of them."""
    people = {program: Visitor(program) for program in pair}
    for issuing, polled, approving, redeeming, refreshing in pair.orders(5):
        device = Device(issuing).authorize()
        assert device.at(polled).outcome() == "authorization_pending"
        people[approving].decide(device.user_code, "approve")
        redeemed = device.at(redeeming)
        assert redeemed.wait() == "tokens"
        refreshed = redeemed.at(refreshing)
        assert refreshed.refresh().status == 200
        for program in pair:
            assert refreshed.refresh().status == 200
            refreshed = refreshed.at(program)


def test_a_denial_crosses_both(pair: Pair) -> None:
    for issuing, deciding, polled in pair.orders(3):
        device = Device(issuing).authorize()
        Visitor(deciding).decide(device.user_code, "deny")
        assert device.at(polled).wait() == "access_denied"


def test_a_lost_answer_is_given_again_by_either(pair: Pair) -> None:
    """The same refresh token, until it is used: on either, too."""
    for redeeming, repeating, using in pair.orders(3):
        device = Device(redeeming).authorize()
        Visitor(repeating).decide(device.user_code, "approve")
        assert device.wait() == "tokens"
        again = device.at(repeating)
        assert again.outcome() == "tokens"
        assert again.tokens["refresh_token"] == device.tokens["refresh_token"]
        assert again.at(using).refresh().status == 200
        for program in pair:
            assert device.at(program).outcome() == "invalid_grant"


def test_a_person_behind_a_balancer(pair: Pair) -> None:
    """Each request of the sign-in and of the decision reaches the other server."""
    for issuing, first in pair.orders(2):
        device = Device(issuing).authorize()
        BalancedVisitor(pair, first).decide(device.user_code, "approve")
        assert device.wait() == "tokens"


def test_clients_change_by_either_command(pair: Pair, run: RunCommand) -> None:
    """Added, changed and disabled by either version: both servers follow."""
    for number, (adding, changing) in enumerate(pair.orders(2)):
        client_id = f"radio-{number}"
        run(adding, "clients", "add", client_id, "--name", f"Radio {number}")
        for program in pair:
            until_outside(partial(_status_is, 200, program, client_id))
        run(changing, "clients", "set", client_id, "--lifetime", "77")
        for program in pair:
            until_outside(partial(_lifetime_is, 77, program, client_id))
        run(adding, "clients", "disable", client_id)
        for program in pair:
            until_outside(partial(_status_is, 401, program, client_id))


def test_keys_change_by_either_command(pair: Pair, run: RunCommand) -> None:
    """Both publish the keys of both, and sign with the newest one."""
    for program in pair:
        published = _key_ids(pair.now)
        run(program, "keys", "rotate")
        for each in pair:
            until_outside(partial(_has_keys, len(published) + 1, each))
        assert published < _key_ids(pair.now) == _key_ids(pair.before)


def test_users_change_by_either_command(pair: Pair, run: RunCommand) -> None:
    for number, (adding, changing) in enumerate(pair.orders(2)):
        name = f"eve{number}"
        run(adding, "users", "add", name, "--password-stdin", given=PASSWORD)
        for program in pair:
            assert _signs_in(program, name)
        run(changing, "users", "disable", name)
        for program in pair:
            assert not _signs_in(program, name)


def test_the_names_of_the_other_versions_clients(
    pair: Pair, run: RunCommand, valkey: Valkey
) -> None:
    """What cannot work at once: they get their entries when this version starts again."""
    run(pair.before, "clients", "add", "radio", "--name", "Radio")
    run(pair.now, "clients", "add", "clock", "--name", "Clock")

    def names() -> list[bytes]:
        with valkey.client() as client:
            return list(client.zrange(keyspace.CLIENT_NAMES, 0, -1))

    assert names() == [b"clock clock"]
    pair.now.stop()
    pair.now.start()
    assert names() == [b"clock clock", b"radio radio"]


def test_an_upgrade_and_a_rollback(pair: Pair) -> None:
    """One ends, then the other alone serves, in either direction: logins go on."""
    for leaving, staying in (pair, pair[::-1]):
        redeemed, approved, pending = (Device(leaving).authorize() for _ in range(3))
        person = Visitor(leaving)
        for device in (redeemed, approved):
            person.decide(device.user_code, "approve")
        assert redeemed.wait() == "tokens"
        assert leaving.stop() == 0
        assert approved.at(staying).wait() == "tokens"
        assert redeemed.at(staying).refresh().status == 200
        Visitor(staying).decide(pending.user_code, "approve")
        assert pending.at(staying).wait() == "tokens"
        leaving.start()


def test_records_of_a_later_version(make_program: MakeProgram, valkey: Valkey) -> None:
    """503 for what needs them, a pending poll for a device, and never a 500."""
    with valkey.client() as client:
        client.flushall()
    program = make_program("--redis-url", valkey.url)
    person = Browser(program)
    tv, redeemed, repeated = (Device(program).authorize() for _ in range(3))
    for device in (tv, redeemed, repeated):
        person.decide(device.user_code, "approve")
    assert [redeemed.wait(), repeated.wait()] == ["tokens"] * 2
    other = Device(program).authorize()
    with valkey.client() as client:
        for key in client.scan_iter("df:[gfas]:*"):
            raise_version(client, key)

    assert tv.outcome() == "authorization_pending"
    assert redeemed.refresh().status == 503
    assert repeated.outcome() == "authorization_pending"
    with valkey.client() as client:
        for key in client.scan_iter("df:g:*"):
            client.hdel(key, "v")
    assert repeated.outcome() == "temporarily_unavailable"
    assert tv.wait() == "tokens"
    assert person.open("/device").status == 503

    def refusals() -> list[str]:
        return sorted(each["kind"] for each in program.log if each["event"] == "record.refused")

    # The answer can be here before the line.
    until_outside(lambda: "session" in refusals())
    assert refusals() == ["family of refresh tokens", "grant", "redemption", "session"]
    assert not any(event["event"].endswith(".failed") for event in program.log)

    fresh = Device(program).authorize()
    Browser(program).decide(fresh.user_code, "approve")
    assert fresh.wait() == "tokens"
    assert other.outcome() == "authorization_pending"


def raise_version(client: Redis, key: bytes) -> None:
    """Make a record one of version 2."""
    kind = key.split(b":")[1]
    if kind == b"g":
        client.hset(key, "v", 2)
    elif kind == b"f":
        record = msgspec.json.decode(client.hget(key, "family") or b"{}") | {"v": 2}
        client.hset(key, "family", msgspec.json.encode(record))
    else:
        record = msgspec.json.decode(client.get(key) or b"{}") | {"v": 2}
        client.set(key, msgspec.json.encode(record), keepttl=True)


def _status_is(status: int, program: Program, client_id: str) -> bool:
    return Device(program, client_id).request().status == status


def _lifetime_is(lifetime: int, program: Program, client_id: str) -> bool:
    return bool(Device(program, client_id).request().body["expires_in"] == lifetime)


def _has_keys(number: int, program: Program) -> bool:
    return len(_key_ids(program)) == number


def _key_ids(program: Program) -> set[str]:
    answer = fetch(request_of(f"{program.url}/oauth2/jwks"))
    return {key["kid"] for key in answer.body["keys"]}


def _signs_in(program: Program, name: str) -> bool:
    answer = Visitor(program).sign_in(name)
    return not answer.url.partition("?")[0].endswith("/login") and answer.status == 200
