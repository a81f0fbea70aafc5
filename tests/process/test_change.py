"""Reload and upgrade: all workers change or none, and no login, poll or connection is lost."""

import asyncio
import os
import re
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from benchmarks.polls import CODE_LENGTH
from benchmarks.replacing import LOST, PollLoad, Target
from deviceflow.core.messages import DEVICE_CODE_GRANT
from tests.stage.checkout import ROOT
from tests.stage.process import Command, NewBrowser, NewDevice
from tests.stage.program import Program, is_running
from tests.stage.waiting import until_outside
from tests.stage.wire import Answer, Device, fetch, request_of

RADIO = '\n[[clients]]\nclient_id = "radio"\nname = "Radio"\nscopes = ["profile"]\n'
# Each request has a connection of its own, and the kernel chooses the worker: that one of two is
# asked none of these has a probability of one in eight million.
IN_A_ROW = 24
POLLS_A_SECOND = 200

Change = Callable[..., "CompletedProcess[str]"]


@pytest.fixture
def change(command: Command, program: Program) -> Change:
    """Runs `deviceflow reload` or `upgrade` for `program`."""

    def run(name: str) -> CompletedProcess[str]:
        return command(name, "--config", str(program.config), "--data-dir", str(program.data_dir))

    return run


def add_to(program: Program, text: str) -> None:
    program.config.write_text(program.config.read_text("utf-8") + text, "utf-8")


def set_server(program: Program, line: str) -> None:
    program.config.write_text(f"[server]\n{line}\n{program.config.read_text('utf-8')}", "utf-8")


def held_poll(device: Device) -> tuple[threading.Thread, list[Answer]]:
    """Poll with `Prefer: wait` in a thread; its answer."""
    answers: list[Answer] = []
    thread = threading.Thread(target=lambda: answers.append(device.poll(wait=30)))
    thread.start()
    return thread, answers


@pytest.mark.parametrize("name", ["reload", "upgrade"])
def test_a_change_loses_nothing(
    program: Program, change: Change, device: NewDevice, browser: NewBrowser, name: str
) -> None:
    """The process, the store, grants, the pace and sessions stay; workers and clients change."""
    processes = program.pid, program.store
    workers = program.workers
    person = browser()
    pending, approved, fast = device().authorize(), device().authorize(), device("slow").authorize()
    person.decide(approved.user_code, "approve")
    assert [fast.poll().body.get("interval") for _ in range(3)] == [None, 35, 40]
    assert device("radio").request().status == 401
    add_to(program, RADIO)

    ended = change(name)
    assert (ended.returncode, ended.stdout) == (0, f"{name} done\n"), ended
    assert [device("radio").request().status for _ in range(IN_A_ROW)] == [200] * IN_A_ROW
    until_outside(lambda: len(program.workers) == 2)
    assert not set(workers) & set(program.workers)
    assert (program.pid, program.store) == processes

    assert fast.poll().body["interval"] == 45
    assert approved.wait() == "tokens"
    person.decide(pending.user_code, "approve")
    assert pending.wait() == "tokens"
    assert program.stop() == 0
    assert not any(map(is_running, [*processes, *program.workers]))


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGUSR2])
def test_a_signal_does_the_same(
    program: Program, device: NewDevice, number: signal.Signals
) -> None:
    """A held poll is answered at once, as if its time were over."""
    tv = device().authorize()
    held, answers = held_poll(tv)
    until_outside(lambda: connections_to(program.port))
    add_to(program, RADIO)
    program.signal(number)
    assert program.wait_for("server.changed")["change"] in {"reload", "upgrade"}
    held.join()
    assert answers[0].body["error"] == "authorization_pending"
    assert device("radio").request().status == 200


@pytest.mark.parametrize("name", ["reload", "upgrade"])
def test_a_bad_file_changes_nothing(
    program: Program, change: Change, device: NewDevice, name: str
) -> None:
    """The command says why, and so does one line of the log."""
    workers = program.workers
    add_to(program, RADIO + "secret_sha256 = 5\n")
    ended = change(name)
    assert ended.returncode == 1
    assert "clients[4].secret_sha256" in ended.stderr
    assert ended.stderr.endswith("nothing changed\n")
    refused = program.wait_for("server.change_refused")
    assert refused["change"] == name
    assert "clients[4].secret_sha256" in refused["reason"]
    assert program.workers == workers
    assert device("radio").request().status == 401


def test_the_reload_of_the_unit(program: Program, command: Command, device: NewDevice) -> None:
    """`systemctl reload` fails if nothing changed: the command finds the server without options."""
    unit = (ROOT / "config" / "deviceflow.service").read_text("utf-8")
    (arguments,) = re.findall(r"\nExecReload=/opt/deviceflow/bin/deviceflow (.+)\n", unit)
    assert "Environment=DEVICEFLOW_CONFIG=" in unit
    assert "Environment=DEVICEFLOW_SERVER_DATA_DIR=" in unit
    variables = {
        "DEVICEFLOW_CONFIG": str(program.config),
        "DEVICEFLOW_SERVER_DATA_DIR": str(program.data_dir),
    }
    good = program.config.read_text("utf-8")
    add_to(program, RADIO + "secret_sha256 = 5\n")
    assert command(*arguments.split(), variables=variables).returncode == 1
    program.config.write_text(good + RADIO, "utf-8")
    assert command(*arguments.split(), variables=variables).returncode == 0
    assert device("radio").request().status == 200


@pytest.mark.parametrize("name", ["reload", "upgrade"])
def test_what_cannot_change_is_named(program: Program, change: Change, name: str) -> None:
    workers = program.workers
    text = program.config.read_text("utf-8").replace("pace_slots = 4096", "pace_slots = 8192")
    program.config.write_text("[server]\nadmin_host = '127.0.0.2'\n" + text, "utf-8")
    ended = change(name)
    assert ended.returncode == 1
    named = re.findall(r"deviceflow: (\S+) cannot change while the server runs", ended.stderr)
    assert named == ["server.admin_host", "device.pace_slots"]
    assert program.workers == workers


def test_no_server_runs_there(command: Command) -> None:
    ended = command("reload", "--data-dir", "nowhere")
    assert ended.returncode == 1
    assert ended.stderr.startswith("deviceflow: no server answers in nowhere")


def test_other_signals_do_no_harm(program: Program, device: NewDevice) -> None:
    """SIGUSR1 at the server; a lost terminal's SIGHUP and SIGUSR2 at every worker."""
    workers = program.workers
    program.signal(signal.SIGUSR1)
    for worker in workers:
        for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGINT):
            os.kill(worker, number)
    tv = device().authorize()
    assert {tv.outcome() for _ in range(IN_A_ROW)} == {"authorization_pending", "slow_down"}
    assert program.workers == workers


def test_polls_during_changes(program: Program, change: Change, device: NewDevice) -> None:
    """Over kept connections and new ones; benchmarks/replacing.py has more of them."""
    codes = [str(device().authorize().grant["device_code"]).encode() for _ in range(8)]
    assert {len(code) for code in codes} == {CODE_LENGTH}
    target = Target(program.port, start(program), start(program, "Connection: close\r\n"), codes)

    async def poll() -> PollLoad:
        load = PollLoad(target, POLLS_A_SECOND)
        polling = asyncio.create_task(load.run())
        for name in ("reload", "upgrade", "reload", "reload"):
            ended = await asyncio.to_thread(change, name)
            assert ended.returncode == 0, ended
        load.stop()
        await polling
        return load

    counts = asyncio.run(poll()).counts
    assert {name: counts[name] for name in LOST} == dict.fromkeys(LOST, 0), counts
    assert counts["answered"] > 0


def test_a_hung_worker_is_replaced(program: Program, device: NewDevice) -> None:
    """A worker that is stopped answers nothing, and does not end either."""
    victim, other = program.workers
    until_outside(lambda: [each["event"] for each in program.log].count("store.reachable") == 2)
    os.kill(victim, signal.SIGSTOP)
    assert program.wait_for("worker.hung")["pid"] == victim
    until_outside(lambda: len(program.workers) == 2 and victim not in program.workers)
    assert other in program.workers
    tv = device().authorize()
    assert {tv.outcome() for _ in range(IN_A_ROW)} <= {"authorization_pending", "slow_down"}


def test_a_lame_duck(program: Program, change: Change, device: NewDevice) -> None:
    """Before the sockets close, readiness is 503, and polls are answered as ever."""
    set_server(program, "lame_duck_s = 600")
    assert change("reload").returncode == 0
    program.signal(signal.SIGTERM)
    program.wait_for("server.lame_duck")
    ready = fetch(request_of(program.admin_url + "/readyz"))
    assert (ready.status, ready.body["status"]) == (503, "stopping")
    assert fetch(request_of(program.admin_url + "/healthz")).status == 200
    assert device().authorize().outcome() == "authorization_pending"
    assert change("reload").returncode == 1
    assert program.stop() == 0


def start(program: Program, header: str = "") -> bytes:
    """A poll of the client "tv" without its device code."""
    body = f"grant_type={DEVICE_CODE_GRANT.replace(':', '%3A')}&client_id=tv&device_code="
    return (
        f"POST /oauth2/token HTTP/1.1\r\nHost: 127.0.0.1:{program.port}\r\n{header}"
        "Content-Type: application/x-www-form-urlencoded\r\n"
        f"Content-Length: {len(body) + CODE_LENGTH}\r\n\r\n{body}"
    ).encode()


def connections_to(port: int) -> list[str]:
    """The connections of which `port` is the server's end, by the kernel's table."""
    table = Path("/proc/net/tcp").read_text("ascii").splitlines()
    return [line for line in table if re.match(rf"\s*\d+: \w+:{port:04X} \w+:\w+ 01 ", line)]
