"""Processes that end, by order and by accident: no grant is lost, no device is refused."""

import os
import signal
import threading

import pytest
from redis import Redis

from tests.stage.process import MakeProgram, NewBrowser, NewDevice
from tests.stage.program import Program, is_running
from tests.stage.waiting import PATIENCE_S, Stopwatch, until_outside

SOON_S = 5


def test_a_restart_loses_nothing(program: Program, device: NewDevice, browser: NewBrowser) -> None:
    """Grants that are pending, approved, denied and redeemed, sessions and refresh tokens."""
    pending, approved, denied, redeemed = [device().authorize() for _ in range(4)]
    person = browser()
    person.decide(approved.user_code, "approve")
    person.decide(denied.user_code, "deny")
    person.decide(redeemed.user_code, "approve")
    assert redeemed.wait() == "tokens"
    assert pending.outcome() == "authorization_pending"

    assert program.stop() == 0
    program.start()

    assert pending.outcome() == "authorization_pending", "the first poll is free again"
    assert approved.wait() == "tokens"
    assert denied.wait() == "access_denied"
    assert redeemed.refresh().status == 200
    person.decide(pending.user_code, "approve")
    assert pending.wait() == "tokens"


def test_a_worker_is_killed(program: Program, device: NewDevice, browser: NewBrowser) -> None:
    """Another one takes its place; devices notice nothing, and the pace is remembered."""
    tv, fast = device().authorize(), device("slow").authorize()
    assert [fast.poll().body.get("interval") for _ in range(3)] == [None, 35, 40]
    victims = program.workers
    known = len(program.log)
    for victim in victims:
        os.kill(victim, signal.SIGKILL)
        with Stopwatch() as watch:
            polls = [tv.outcome() for _ in range(40)]
            assert watch.seconds < SOON_S
        assert set(polls) <= {"authorization_pending", "slow_down"}
        died = program.wait_for("worker.died", known)
        assert (died["pid"], died["status"]) == (victim, -signal.SIGKILL)
        known = len(program.log)
    assert fast.poll().body["interval"] == 45
    browser().decide(tv.user_code, "approve")
    assert tv.wait() == "tokens"
    assert len(program.workers) == 2
    assert not set(victims) & set(program.workers)
    assert not any(map(is_running, victims))


def test_sigterm_lets_a_request_finish(program: Program, browser: NewBrowser) -> None:
    """A sign-in that takes a while is answered; then nothing is left running."""
    processes = [program.pid, program.store, *program.workers]
    person = browser(follows=False)
    signing_in = threading.Thread(target=person.sign_in, args=("sloth",))
    signing_in.start()
    with Redis(unix_socket_path=str(program.data_dir / "valkey.sock")) as store:
        until_outside(lambda: any(store.scan_iter(match="df:l:sign-in*")))
    assert program.stop() == 0
    signing_in.join(PATIENCE_S)
    assert person.answer.status == 303
    assert not any(map(is_running, processes))
    said = [event["event"] for event in program.log if event["event"].startswith("server.")]
    assert said[-2:] == ["server.stopping", "server.stopped"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_clean_stop(program: Program, number: signal.Signals) -> None:
    """Status 0 and no process left, for systemd and for Ctrl-C."""
    processes = [program.pid, program.store, *program.workers]
    with Stopwatch() as watch:
        assert program.stop(number) == 0
        assert watch.seconds < SOON_S
    assert not any(map(is_running, processes))


def test_a_stop_before_it_listens(program: Program) -> None:
    """Whoever stops it while the store is being started leaves no store behind."""
    program.stop()
    known = len(program.log)
    program.launch()
    until_outside((program.data_dir / "valkey.sock").exists)
    store = program.store
    assert program.stop() == 0
    assert not is_running(store)
    assert program.log[known:][-1]["event"] == "server.stopped"


def test_the_supervisor_is_killed(
    program: Program,
    device: NewDevice,
    browser: NewBrowser,
) -> None:
    """The workers end by themselves, and the next start takes over the store that was left."""
    tv = device().authorize()
    browser().decide(tv.user_code, "approve")
    workers, store = program.workers, program.store
    assert program.stop(signal.SIGKILL) == -signal.SIGKILL
    until_outside(lambda: not any(map(is_running, workers)))
    assert is_running(store)
    program.start()
    assert not is_running(store)
    assert tv.wait() == "tokens"


def test_the_embedded_store_is_killed(
    program: Program, device: NewDevice, browser: NewBrowser
) -> None:
    """It is started again with its data; pending polls went on meanwhile, the approval is there."""
    pending, approved = device().authorize(), device().authorize()
    browser().decide(approved.user_code, "approve")
    known = len(program.log)
    os.kill(program.store, signal.SIGKILL)
    assert pending.outcome() == "authorization_pending"
    program.wait_for("store.died", known)
    assert approved.wait() == "tokens"
    browser().decide(pending.user_code, "approve")
    assert pending.wait() == "tokens"


def test_one_worker_is_a_server_too(make_program: MakeProgram) -> None:
    """The default number of workers; a SIGTERM right after the start is heeded."""
    program = make_program()
    assert len(program.workers) == 1
    (worker,) = program.workers
    os.kill(worker, signal.SIGKILL)
    until_outside(lambda: program.workers not in ([], [worker]))
    assert program.stop() == 0


def test_a_stop_while_a_worker_is_being_replaced(program: Program) -> None:
    """The signal to stop reaches a worker that was forked a moment ago, too."""
    for _ in range(3):
        known = len(program.log)
        os.kill(program.workers[0], signal.SIGKILL)
        program.wait_for("worker.died", known)
        with Stopwatch() as watch:
            assert program.stop() == 0
            assert watch.seconds < SOON_S
        program.start()
