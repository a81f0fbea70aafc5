"""Each question of docs/operations/metrics.md, asked on a real server: the number moves."""

import os
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.request import Request, build_opener

import pytest

from deviceflow import __version__
from tests.stage.metrics import read
from tests.stage.process import MakeProgram, NewBrowser, NewDevice
from tests.stage.program import Program
from tests.stage.waiting import PATIENCE_S, until_outside
from tests.stage.wire import DEVICE_CODE_GRANT, Device, fetch, request_of

Numbers = dict[str, float]
Moves = Callable[[str, float], None]

HELD = {"Prefer": "wait=30"}


def page_of(program: Program) -> Numbers:
    answer = fetch(request_of(f"{program.admin_url}/metrics"))
    assert answer.status == 200
    return read(answer.page)


def total(page: Numbers, name: str, *labels: str) -> float:
    """The sum of all series of a metric that have these labels."""
    series = (each for each in page if each.partition("{")[0] == name)
    return sum(page[each] for each in series if all(label in each for label in labels))


@pytest.fixture
def moves(program: Program) -> Moves:
    """Waits until a series has grown by so much since the test began; it never grows by more."""
    before = page_of(program)

    def wait(series: str, by: float) -> None:
        name, _, inside = series.partition("{")
        labels = [label for label in inside.rstrip("}").split(",") if label]

        def grown() -> float:
            return total(page_of(program), name, *labels) - total(before, name, *labels)

        until_outside(lambda: grown() >= by)
        assert grown() == by, series

    return wait


def state(program: Program, name: str, condition: Callable[[float], bool]) -> None:
    """Wait until the sum of a metric's series is as `condition` says."""
    until_outside(lambda: condition(total(page_of(program), name)))


def test_which_version_runs(program: Program) -> None:
    assert [series for series in page_of(program) if f'version="{__version__}"' in series]
    state(program, "deviceflow_workers", lambda number: number == 2)


def test_how_polls_end(device: NewDevice, browser: NewBrowser, moves: Moves) -> None:
    tv, denied = device(), device()
    for each in (tv, denied):
        each.authorize()
    assert tv.outcome() == "authorization_pending"
    assert [tv.outcome() for _ in range(3)] == ["slow_down"] * 3
    moves("deviceflow_grants_issued_total", 2)
    moves('deviceflow_polls_total{outcome="authorization_pending",path="lane"}', 1)
    moves('deviceflow_polls_total{outcome="slow_down",path="lane"}', 3)
    moves('deviceflow_client_slow_downs_total{client_id="tv"}', 3)

    person = browser()
    person.decide(tv.user_code, "approve")
    person.decide(denied.user_code, "deny")
    moves('deviceflow_sign_ins_total{outcome="succeeded"}', 1)
    moves('deviceflow_decisions_total{event="approve",outcome="changed"}', 1)
    moves('deviceflow_decisions_total{event="deny",outcome="changed"}', 1)
    assert denied.wait() == "access_denied"
    moves('deviceflow_polls_total{outcome="access_denied"}', 1)

    assert tv.wait() == "tokens"
    assert tv.outcome() == "tokens"
    moves('deviceflow_polls_total{outcome="tokens",path="ordinary"}', 2)
    moves('deviceflow_redemptions_total{kind="first"}', 1)
    moves('deviceflow_redemptions_total{kind="repeated"}', 1)
    moves("deviceflow_approval_to_token_seconds_count", 1)
    assert tv.refresh().status == 200
    moves('deviceflow_refreshes_total{outcome="tokens"}', 1)
    moves('deviceflow_client_tokens_total{client_id="tv"}', 3)
    moves('deviceflow_client_grants_total{client_id="tv"}', 2)
    assert tv.outcome() == "invalid_grant"
    moves('deviceflow_client_invalid_grants_total{client_id="tv"}', 1)


def test_the_path_of_a_confidential_client_is_the_ordinary_one(
    device: NewDevice, moves: Moves
) -> None:
    console = device("console").authorize()
    assert console.outcome() == "authorization_pending"
    moves('deviceflow_polls_total{outcome="authorization_pending",path="ordinary"}', 1)


def test_which_client_misbehaves(program: Program, moves: Moves) -> None:
    """A forged code, a wrong secret, and a client that this server does not know."""
    form = {"grant_type": DEVICE_CODE_GRANT, "device_code": "A" * 43, "client_id": "tv"}
    assert fetch(request_of(f"{program.url}/oauth2/token", form)).status == 400
    moves('deviceflow_polls_total{outcome="invalid_grant",path="lane"}', 1)
    moves('deviceflow_client_invalid_grants_total{client_id="tv"}', 1)
    assert Device(program, "console", "wrong").request().status == 401
    moves('deviceflow_client_refusals_total{client_id="console"}', 1)
    for number in range(3):
        assert Device(program, f"made-up-{number}").request().status in {400, 401}
    moves('deviceflow_client_refusals_total{client_id="other"}', 3)


def test_are_codes_sent(device: NewDevice, browser: NewBrowser, moves: Moves) -> None:
    sent = device().authorize()
    browser().decide(sent.user_code, "report")
    moves('deviceflow_client_reports_total{client_id="tv"}', 1)
    moves('deviceflow_decisions_total{event="deny",outcome="changed"}', 1)
    assert sent.wait() == "access_denied"


def test_how_many_polls_are_held_and_connections_open(
    program: Program, device: NewDevice, browser: NewBrowser, moves: Moves
) -> None:
    tv = device().authorize()
    form = {"grant_type": DEVICE_CODE_GRANT, "client_id": "tv"}
    form["device_code"] = tv.grant["device_code"]
    with ThreadPoolExecutor(1) as pool:
        held = pool.submit(fetch, request_of(f"{program.url}/oauth2/token", form, HELD))
        state(program, "deviceflow_held_polls", lambda number: number == 1)
        state(program, "deviceflow_connections", lambda number: number >= 1)
        browser().decide(tv.user_code, "approve")
        tokens = held.result(PATIENCE_S)
    assert tokens.status == 200
    program.notes.add(tokens.body["access_token"])
    state(program, "deviceflow_held_polls", lambda number: number == 0)
    moves('deviceflow_polls_total{outcome="tokens",path="ordinary"}', 1)
    moves('deviceflow_polls_total{outcome="authorization_pending"}', 0)


def test_how_many_grants_are_pending(make_program: MakeProgram) -> None:
    """What is in the store when the server starts counts, too."""
    program = make_program()
    devices = [Device(program, "slow").authorize() for _ in range(5)]
    assert len({each.user_code for each in devices}) == 5
    program.stop()
    program.start()
    state(program, "deviceflow_grants_pending", lambda number: number == 5)


def test_is_push_alive(
    program: Program, device: NewDevice, browser: NewBrowser, moves: Moves
) -> None:
    """Both workers hear what one of them says."""
    state(program, "deviceflow_push_subscribed", lambda number: number == 2)
    tv = device().authorize()
    browser().decide(tv.user_code, "deny")
    moves("deviceflow_pushes_sent_total", 1)
    moves("deviceflow_pushes_heard_total", 2)
    moves("deviceflow_push_delay_seconds_count", 1)
    moves("deviceflow_pushes_lost_total", 0)


def test_which_limit_refuses(program: Program, browser: NewBrowser, moves: Moves) -> None:
    statuses = []
    for _ in range(21):
        person = browser()
        person.open("/login")
        answer = person.submit("/login", username="ada", password="wrong")
        statuses.append(answer.status)
    assert statuses == [403] * 20 + [429]
    moves('deviceflow_sign_ins_total{outcome="failed"}', 20)
    moves('deviceflow_sign_ins_total{outcome="limited"}', 1)
    moves('deviceflow_limit_refusals_total{limit="sign-in.account-address"}', 1)
    moves('deviceflow_http_responses_total{audience="person",status="4xx"}', 21)
    assert program.workers


def test_is_the_store_away(program: Program) -> None:
    state(program, "deviceflow_store_reachable", lambda number: number == 2)
    # Both workers have looked at the store, so both have started.
    starts = total(page_of(program), "deviceflow_worker_starts_total")
    os.kill(program.store, signal.SIGSTOP)
    try:
        state(program, "deviceflow_store_reachable", lambda number: number == 0)
        state(program, "deviceflow_store_writable", lambda number: number == 0)
        state(program, "deviceflow_mirror_age_seconds", lambda number: number > 4)
        assert total(page_of(program), "deviceflow_store_errors_total") > 0
    finally:
        os.kill(program.store, signal.SIGCONT)
    state(program, "deviceflow_store_writable", lambda number: number == 2)
    assert total(page_of(program), "deviceflow_worker_starts_total") == starts


def test_a_worker_that_is_killed_neither_resets_nor_doubles(
    program: Program, device: NewDevice
) -> None:
    tv = device("slow").authorize()
    for _ in range(10):
        tv.poll()
    state(program, "deviceflow_polls_total", lambda number: number == 10)
    before = page_of(program)
    for pid in program.workers:
        os.kill(pid, signal.SIGKILL)
    state(program, "deviceflow_worker_starts_total", lambda number: number == 4)
    state(program, "deviceflow_workers", lambda number: number == 2)
    after = page_of(program)
    counters = [name for name in before if "_total" in name]
    assert {name for name in counters if after[name] < before[name]} == set()
    for name in ("deviceflow_polls_total", "deviceflow_grants_issued_total"):
        assert total(after, name) == total(before, name)


def test_a_worker_that_hangs_is_seen(program: Program) -> None:
    """From the other worker: the page is the same at each."""
    state(program, "deviceflow_workers", lambda number: number == 2)
    hung = program.workers[0]
    os.kill(hung, signal.SIGSTOP)
    try:
        until_outside(lambda: _oldest(program) > 2)
    finally:
        os.kill(hung, signal.SIGCONT)
    until_outside(lambda: _oldest(program) < 2)


def impatient(request: Request, **_: float) -> Any:  # noqa: ANN401, of urllib
    """Open without much patience: the kernel may lead to the worker that hangs."""
    return build_opener().open(request, timeout=1)


def _oldest(program: Program) -> float:
    """The heartbeat of the worker that has not come round for the longest time."""
    try:
        answer = fetch(request_of(f"{program.admin_url}/metrics"), impatient)
    except OSError:
        return 0.0
    page = read(answer.page)
    return max(page[name] for name in page if "heartbeat" in name)


def test_states_of_the_process(program: Program) -> None:
    for name in (
        "deviceflow_open_fds",
        "deviceflow_max_fds",
        "deviceflow_event_loop_lag_seconds_count",
        "deviceflow_worker_cpu_seconds_total",
        "deviceflow_catch_ups_total",
        "deviceflow_store_command_seconds_count",
        "deviceflow_store_connections_limit",
        "deviceflow_held_polls_limit",
    ):
        state(program, name, lambda number: number > 0)


def test_the_public_port_has_no_numbers(program: Program) -> None:
    assert fetch(request_of(f"{program.url}/metrics")).status == 404
