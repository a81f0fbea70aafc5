"""A server that cannot start says why in one line, with status 1 and no traceback."""

import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from deviceflow.core.client import Client
from deviceflow.store import keyspace
from deviceflow.store.envelope import Envelope
from deviceflow.store.key_sets import key_fields_of, new_keys
from tests.stage.ports import free_port
from tests.stage.process import Command, MakeProgram
from tests.stage.program import Program
from tests.stage.valkey import Valkey
from tests.stage.waiting import until_outside
from tests.stage.wire import Device, fetch, request_of

Refused = Callable[..., str]


@pytest.fixture
def refused(command: Command) -> Refused:
    """Starts a server that must not start; the one line that it says."""

    def start(*options: str) -> str:
        ports = ("--port", "0", "--admin-port", "0", "--data-dir", "data")
        ended = command("serve", *ports, *options)
        assert (ended.returncode, ended.stdout) == (1, ""), ended
        *warnings, line = ended.stderr.splitlines()
        assert all("--redis-url: every user of this host" in each for each in warnings)
        assert line.startswith("deviceflow: ")
        return line

    return start


@pytest.fixture
def busy_port() -> Iterator[str]:
    """A port on which somebody else listens."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        yield str(taken.getsockname()[1])


def test_the_port_is_in_use(refused: Refused, busy_port: str) -> None:
    line = refused("--port", busy_port)
    assert busy_port in line
    assert "--port (or server.port)" in line


def test_the_admin_port_is_in_use(refused: Refused, busy_port: str) -> None:
    line = refused("--admin-port", busy_port)
    assert busy_port in line
    assert "--admin-port (or server.admin_port)" in line


def test_the_port_of_another_deviceflow(refused: Refused, program: Program) -> None:
    """SO_REUSEPORT must not let two servers share a port by accident."""
    assert str(program.port) in refused("--port", str(program.port), "--data-dir", "elsewhere")


def test_the_data_directory_of_another_deviceflow(refused: Refused, program: Program) -> None:
    line = refused("--data-dir", str(program.data_dir))
    assert str(program.data_dir) in line
    assert "another deviceflow" in line


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("redis://me:hunter22@127.0.0.1:1/0", "127.0.0.1:1: nothing listens there"),
        ("unix:///nowhere/valkey.sock", "/nowhere/valkey.sock: there is no such file"),
    ],
)
def test_redis_cannot_be_reached(refused: Refused, url: str, address: str) -> None:
    line = refused("--redis-url", url)
    assert f"the store at {address}" in line
    assert "hunter22" not in line


def test_what_answers_is_no_redis(refused: Refused, program: Program) -> None:
    assert "no Redis answers there" in refused("--redis-url", f"redis://127.0.0.1:{program.port}/0")


def test_the_store_is_of_a_later_version(
    command: Command, start_valkey: Callable[..., Valkey]
) -> None:
    """The survey of the store may have lines of its own before."""
    store = start_valkey()
    with store.client() as client:
        client.hset(keyspace.INSTALLATION, "v", 3)
    ports = ("--port", "0", "--admin-port", "0", "--data-dir", "data")
    ended = command("serve", *ports, "--redis-url", store.url)
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1] == (
        "deviceflow: the secrets of the installation cannot be read: it has version 3, and this"
        " version of deviceflow reads up to 2"
    )


def test_the_keys_in_the_store_are_sealed(
    command: Command, start_valkey: Callable[..., Valkey], folder: Path
) -> None:
    """Without the envelope key, and with another one.

    The survey of the store may have lines of its own before.
    """

    def refusal(*options: str) -> str:
        ports = ("--port", "0", "--admin-port", "0", "--data-dir", "data")
        ended = command("serve", *ports, "--redis-url", store.url, *options)
        assert ended.returncode == 1
        return ended.stderr.splitlines()[-1]

    store = start_valkey()
    envelope = Envelope(lambda: [bytes(32)])
    with store.client() as client:
        client.hset(keyspace.INSTALLATION, mapping=dict(key_fields_of(new_keys(), envelope)))
    (folder / "deviceflow.toml").write_text('[keys]\nenvelope_file = "key"\n', "utf-8")
    sealed = (
        f"the keys in the store are sealed by the envelope key {envelope.key_id}, and this host"
    )
    assert f"deviceflow: {sealed} has none; set keys.envelope_file" in refusal()
    with_file = ("--config", str(folder / "deviceflow.toml"))
    (folder / "key").write_text("ab" * 32, "utf-8")
    other = Envelope(lambda: [bytes.fromhex("ab" * 32)]).key_id
    assert refusal(*with_file) == f"deviceflow: {sealed} has {other}"


def test_it_says_which_store_it_has(program: Program) -> None:
    event = program.wait_for("server.listening")
    assert (event["store"], event["store_at"]) == ("embedded", str(program.data_dir))


def test_the_data_directory_cannot_be_made(refused: Refused, folder: Path) -> None:
    (folder / "file").write_text("", encoding="ascii")
    line = refused("--data-dir", str(folder / "file" / "data"))
    assert str(folder / "file") in line
    assert "data_dir" in line


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("[server]\nprot = 1", "server.prot"),
        ("[server]\nworkers = 'x'", "server.workers"),
        ("[server", "deviceflow.toml"),
        ("[[clients]]\nname = 'TV'", "clients[0].client_id"),
        ("[[users]]\nusername = 'a'\npassword_hash = 'hunter22'", "users[0].password_hash"),
    ],
)
def test_the_configuration_is_wrong(refused: Refused, folder: Path, text: str, hint: str) -> None:
    """The path of what is wrong, and never a secret."""
    file = folder / "deviceflow.toml"
    file.write_text(text, encoding="utf-8")
    line = refused("--config", str(file))
    assert hint in line
    assert "hunter22" not in line


def test_there_is_no_such_file(refused: Refused) -> None:
    assert "nowhere.toml" in refused("--config", "nowhere.toml")


def test_a_port_that_is_none(refused: Refused) -> None:
    assert "server.port" in refused("--port", "70000")


def test_an_issuer_that_reaches_others_without_tls(refused: Refused) -> None:
    """8628-3.1-a: plain HTTP never leaves this machine."""
    assert "issuer" in refused("--host", "192.0.2.1")


def test_redis_is_away_at_a_restart(
    make_program: MakeProgram, start_valkey: Callable[..., Valkey]
) -> None:
    """Pending polls are answered from the kept keys, and when it is back, all else works again.

    Also for a client that only the store has.
    """
    store = start_valkey()
    program = make_program("--workers", "2", "--redis-url", store.url)
    radio_client = Client(client_id="radio", name="Radio", scopes=("profile",))
    with store.client() as client:
        client.hset(keyspace.CLIENTS, "radio", msgspec.json.encode(radio_client))
    tv = Device(program).authorize()
    assert program.stop() == 0
    program.start()
    radio = Device(program, "radio").authorize()
    (kept,) = program.data_dir.glob("kept-keys.json")
    assert kept.stat().st_mode & 0o077 == 0
    assert program.stop() == 0
    store.kill()

    known = len(program.log)
    program.start()
    program.wait_for("store.away_at_start", known)
    away = {"status": "degraded", "store": "unreachable", "reason": "nothing listens there"}
    until_outside(lambda: fetch(request_of(program.admin_url + "/readyz")).body == away)
    assert [tv.outcome(), radio.outcome()] == ["authorization_pending"] * 2
    assert Device(program).request().status == 503
    assert fetch(request_of(program.url + "/oauth2/jwks")).status == 503

    store.start()
    until_outside(lambda: fetch(request_of(program.url + "/oauth2/jwks")).status == 200)
    until_outside(lambda: Device(program).request().status == 200)


def test_the_first_answers_about_readiness(program: Program) -> None:
    """While it starts, 503 and "starting"; never "degraded" with a store that is well."""
    program.stop()
    port = free_port()
    url = f"http://127.0.0.1:{port}/readyz"
    seen = []

    def is_ready() -> bool:
        try:
            answer = fetch(request_of(url))
        except OSError:
            return False
        seen.append((answer.status, answer.body["status"]))
        return answer.status == 200

    program.launch("--admin-port", str(port))
    until_outside(is_ready)
    assert seen[-1] == (200, "ok")
    assert set(seen[:-1]) <= {(503, "starting")}
