"""sd_notify(3) and sd_listen_fds(3)."""

import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from deviceflow.supervisor import systemd
from deviceflow.supervisor.systemd import Notifier, activated_sockets


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    """The end of systemd."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "notify"))
        sock.settimeout(10)
        yield sock


def said(manager: socket.socket) -> list[str]:
    return manager.recv(4096).decode().split("\n")


def test_the_life_of_a_service(manager: socket.socket) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": manager.getsockname(), "WATCHDOG_USEC": "3000000"})
    notifier.ready("2 workers")
    assert said(manager) == ["READY=1", f"MAINPID={os.getpid()}", "STATUS=2 workers"]
    before = time.monotonic_ns() // 1000
    notifier.reloading("reload")
    reloading, monotonic, status = said(manager)
    assert (reloading, status) == ("RELOADING=1", "STATUS=reload")
    assert before <= int(monotonic.removeprefix("MONOTONIC_USEC=")) <= time.monotonic_ns() // 1000
    notifier.alive()
    assert said(manager) == ["WATCHDOG=1"]
    notifier.stopping()
    assert said(manager)[0] == "STOPPING=1"


def test_an_abstract_address() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        name = f"deviceflow-test-{os.getpid()}"
        manager.bind(f"\0{name}")
        manager.settimeout(10)
        Notifier({"NOTIFY_SOCKET": f"@{name}"}).status("here")
        assert said(manager) == ["STATUS=here"]


@pytest.mark.parametrize(
    ("variables", "seconds"),
    [
        ({}, 0.0),
        ({"WATCHDOG_USEC": "20000000"}, 20.0),
        ({"WATCHDOG_USEC": "20000000", "WATCHDOG_PID": str(os.getpid())}, 20.0),
        ({"WATCHDOG_USEC": "20000000", "WATCHDOG_PID": "1"}, 0.0),
        ({"WATCHDOG_USEC": "often"}, 0.0),
    ],
)
def test_the_watchdog_of_another_process_is_not_ours(
    variables: dict[str, str], seconds: float
) -> None:
    assert Notifier(variables).watchdog_s == seconds


def test_without_systemd_nothing_is_sent() -> None:
    Notifier({}).ready("2 workers")
    Notifier({"NOTIFY_SOCKET": "/nowhere/notify"}).ready("2 workers")


def test_sockets_by_their_names(monkeypatch: pytest.MonkeyPatch) -> None:
    admin, public = socket.create_server(("127.0.0.1", 0)), socket.create_server(("127.0.0.1", 0))
    addresses = {"admin": admin.getsockname(), "public": public.getsockname()}
    # They have to be neighbours, as systemd passes them.
    first = 200
    for number, sock in enumerate((admin, public)):
        os.dup2(sock.detach(), first + number)
    monkeypatch.setattr(systemd, "FIRST_DESCRIPTOR", first)
    found = activated_sockets(
        {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "2", "LISTEN_FDNAMES": "admin:web"}
    )
    assert {name: sock.getsockname() for name, sock in found.items()} == addresses
    assert not any(os.get_inheritable(sock.fileno()) for sock in found.values())
    for sock in found.values():
        sock.close()


def test_sockets_for_another_process_are_left_alone() -> None:
    assert activated_sockets({"LISTEN_PID": "1", "LISTEN_FDS": "2"}) == {}
    assert activated_sockets({}) == {}
