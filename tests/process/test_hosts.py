"""Two hosts on one store: servers with sockets, memory and processes of their own."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from deviceflow.supervisor.pace_process import PROCESS_NAME
from tests.stage.process import MakeProgram, NewBrowser
from tests.stage.program import Notes, Program, children, is_running, name_of
from tests.stage.valkey import Valkey
from tests.stage.waiting import until_outside
from tests.stage.wire import Browser, Device

A_MOMENT_S = 0.3


@pytest.fixture
def hosts(make_program: MakeProgram, notes: Notes, valkey: Valkey) -> Iterator[list[Program]]:
    """Two servers that know of each other."""
    with valkey.client() as client:
        client.flushall()
    first = make_program("--redis-url", valkey.url)
    with TemporaryDirectory(prefix="df-") as name:
        config = Path(name) / "deviceflow.toml"
        config.write_text(first.config.read_text(encoding="utf-8"), encoding="utf-8")
        second = Program(Path(name), ("--redis-url", valkey.url), notes)
        try:
            second.start()
            for program in (first, second):
                program.wait_for("pace.host_joined")
            yield [first, second]
        finally:
            second.end()


@pytest.fixture
def browser(hosts: list[Program]) -> NewBrowser:
    """Makes a browser at the second host."""
    return lambda **options: Browser(hosts[1], **options)


def pace_process(program: Program) -> int:
    """The process that shares the pace of a host."""
    (pid,) = [pid for pid in children(program.pid) if name_of(pid) == PROCESS_NAME]
    return pid


def first_poll_elsewhere(hosts: list[Program]) -> str:
    """Poll a new grant at one host, and a moment later for the first time at the other one."""
    device = Device(hosts[0], "slow").authorize()
    assert device.outcome() == "authorization_pending"
    time.sleep(A_MOMENT_S)
    return device.at(hosts[1]).outcome()


def test_polls_in_turn_are_too_fast_together(hosts: list[Program]) -> None:
    """8628-3.5-b, at any host: without sharing, the first poll at a host is always in time."""
    until_outside(lambda: first_poll_elsewhere(hosts) == "slow_down")


def test_a_grant_lives_on_every_host(hosts: list[Program], browser: NewBrowser) -> None:
    """Issued at one host, approved at another, redeemed at the first."""
    device = Device(hosts[0], "tv").authorize()
    assert device.outcome() == "authorization_pending"
    browser().decide(device.user_code, "approve")
    assert device.wait() == "tokens"


def test_the_process_is_started_again(hosts: list[Program]) -> None:
    old = pace_process(hosts[0])
    os.kill(old, signal.SIGKILL)
    hosts[0].wait_for("pace.process_died")
    until_outside(lambda: {name_of(pid) for pid in children(hosts[0].pid)} >= {PROCESS_NAME})
    assert pace_process(hosts[0]) != old
    until_outside(lambda: first_poll_elsewhere(hosts) == "slow_down")


def test_it_ends_with_its_supervisor(hosts: list[Program]) -> None:
    program = hosts[1]
    left = children(program.pid)
    assert pace_process(program) in left
    program.stop(signal.SIGKILL)
    until_outside(lambda: not any(is_running(pid) for pid in left))
