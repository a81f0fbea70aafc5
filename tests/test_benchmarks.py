"""The benchmarks: their pure parts, and the smallest runs of the cheap ones."""

import asyncio
import json
import os
import sys
import threading
import time
from base64 import urlsafe_b64encode
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from xml.etree import ElementTree as ET

import msgspec
import pytest
from click.testing import CliRunner
from rich.console import Console

from benchmarks import balancer, coldstart, faults, flood, plots, report, targets
from benchmarks.__main__ import main
from benchmarks.faults.record import APPROVE, DENIED, TOKENS, LiveGrant, Record, Tokens
from benchmarks.generator import Load as OwnLoad
from benchmarks.generator import run as generate
from benchmarks.grants import issue_many
from benchmarks.load import Load, Shot
from benchmarks.machine import Cores
from benchmarks.measure import percentile, ratios, spread
from benchmarks.paths.table import tables
from benchmarks.plain import BODY
from benchmarks.polls import CODE_LENGTH, SCOPE, poll_start, seal, write_codes
from benchmarks.processes import BenchmarkError, cpu_seconds, family, free_port, pinned, running
from benchmarks.progress import Screen
from benchmarks.results import Result, Series, make_section, read, write
from benchmarks.rounds import Entry, Turns, order
from benchmarks.run import Run
from benchmarks.servers import Competitor, Place, check_same_answer, deviceflow, plain
from benchmarks.stores import commands_for_polls, store
from benchmarks.tables import markdown, number, section_rows, span
from benchmarks.wire import Answer, Line, Lines
from deviceflow.core.device_code import DeviceCodeKey, DeviceCodes
from deviceflow.core.grant import PollAnswer
from deviceflow.fleet.result import Machine
from deviceflow.oauth.poll.verdict import Verdict, answer_poll
from tests.stage.waiting import turns_until

UNPINNED = Cores(None, None)


def a_result(benchmark: str = "polling") -> Result:
    told = make_section(
        "keepalive_1",
        "Polls: connections kept, 1 worker",
        "polls/s",
        [
            Series("lane", [50_000.0, 60_000.0], [17.0, 16.0], [0.7, 0.8]),
            Series("plain aiohttp", [10_000.0, 10_000.0], [90.0, 95.0], [0.2, 0.2]),
        ],
        [("lane", "plain aiohttp")],
        ["all answers were right"],
    )
    return Result(
        benchmark=benchmark,
        measured_on="2026-01-01",
        took_s=1.0,
        machine=Machine(
            cpu="a processor", cores=2, memory_gb=8.0, system="Linux", versions={"python": "3.11.7"}
        ),
        parameters={"rounds": 2, "seconds": 1, "load": "wrk", "cores": "not pinned"},
        sections=[told],
        figures={"keepalive_1: lane / plain aiohttp": 5.5},
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "results"


def test_the_time_of_threads_that_have_ended_counts() -> None:
    """A server hashes passwords in threads that come and go."""
    busy_s = 0.02

    def work() -> None:
        while time.thread_time() < busy_s:
            pass

    before = cpu_seconds([os.getpid()])
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert cpu_seconds([os.getpid()]) - before >= busy_s


def test_spread_is_median_extremes_and_quartiles() -> None:
    told = spread([4.0, 1.0, 3.0, 2.0, 5.0])
    assert (told.median, told.low, told.high) == (3.0, 1.0, 5.0)
    assert (told.lower_quartile, told.upper_quartile) == (2.0, 4.0)
    assert spread([7.0]).median == 7.0
    with pytest.raises(ValueError, match="no values"):
        spread([])


def test_percentile_is_a_value_that_was_measured() -> None:
    values = [float(value) for value in range(1, 101)]
    assert percentile(values, 0.5) == 50
    assert percentile(values, 0.99) == 99
    assert percentile(values, 1.0) == 100
    assert percentile([3.0], 0.01) == 3
    with pytest.raises(ValueError, match="no values"):
        percentile([], 0.5)


def test_ratios_are_taken_round_by_round() -> None:
    assert ratios([10.0, 30.0], [5.0, 10.0]) == [2.0, 3.0]
    with pytest.raises(ValueError, match="zip"):
        ratios([1.0], [])


def test_everybody_begins_once_and_keeps_their_turn() -> None:
    entries = [
        Entry(name, Competitor(name, 0, ()), lambda _: Shot(b"")) for name in ("a", "b", "c")
    ]
    rounds = [order(entries, number) for number in range(6)]
    assert {turns[0].name for turns in rounds[:3]} == {"a", "b", "c"}
    assert all(sorted(entry.name for entry in turns) == ["a", "b", "c"] for turns in rounds)


@pytest.mark.parametrize(
    ("value", "words"),
    [(0, "0"), (41_327.0, "41,300"), (123_456.0, "123,000"), (5.129, "5.13"), (0.8731, "0.873")],
)
def test_numbers_have_three_digits(value: float, words: str) -> None:
    assert number(value) == words


def test_a_section_as_a_table() -> None:
    head, rows = section_rows(a_result().sections[0])
    assert head[0] == ""
    assert "lane : this" in head
    assert rows[0][:3] == ["lane", "55,000 (50,000 to 60,000)", ""]
    assert rows[1][2] == "5.5 (5 to 6)"
    assert span(spread([1.0, 2.0, 3.0])) == "2 (1 to 3)"
    lines = markdown(head, rows).splitlines()
    assert len({line.count("|") for line in lines}) == 1


def test_json_holds_every_round_and_is_read_again(folder: Path) -> None:
    path = write(a_result(), folder)
    told = json.loads(path.read_text())
    assert told["sections"][0]["series"][0]["values"] == [50_000, 60_000]
    assert read("polling", folder) == a_result()
    assert read("push", folder) is None


def test_targets_say_whether_they_were_reached() -> None:
    assert targets.rows({"polling": a_result()}) == [
        ("Polls/s, connections kept, 1 worker : plain aiohttp", "at least 5", "5.5", "yes")
    ]
    most = targets.Target("memory", "memory", "bytes", 16, at_most=True)
    assert (most.wanted, most.is_reached(16), most.is_reached(16.1)) == ("at most 16", True, False)


def test_pictures_are_svg_and_the_same_for_the_same_figures(tmp_path: Path) -> None:
    for name in ("a", "b"):
        plots.polling(a_result(), tmp_path / name)
    first, second = ((tmp_path / name / "polling.svg").read_bytes() for name in ("a", "b"))
    assert first == second
    assert ET.fromstring(first).tag.endswith("svg")  # noqa: S314, our own file


def test_the_other_pictures(tmp_path: Path) -> None:
    groups = [("1 held poll", {"held poll": {"p50": 1.0, "p99": 3.0}, "bare": {"p50": 0.5}})]
    plots.percentiles(tmp_path / "push.svg", groups, "ms")
    plots.columns(tmp_path / "issue.svg", a_result().sections[0])
    plots.limits(tmp_path / "memory.svg", [("server", 8.0, 16.0)], "bytes")
    plots.timeline(tmp_path / "coldstart.svg", "answers", [(0.0, 3), (0.1, 0)], 0.05)
    for name in ("push", "issue", "memory", "coldstart"):
        root = ET.parse(tmp_path / f"{name}.svg").getroot()  # noqa: S314, our own file
        assert root.tag.endswith("svg")


def test_the_documents_are_written_from_the_json(folder: Path) -> None:
    write(a_result(), folder)
    docs = folder / "performance.md"
    docs.write_text(f"before\n{report.START}\nold\n{report.END}\nafter\n")
    report.write_summary(folder)
    report.write_docs(folder, docs)
    once = docs.read_text()
    report.write_docs(folder, docs)
    assert docs.read_text() == once
    assert once.startswith("before\n")
    assert once.endswith("after\n")
    assert "old" not in once
    assert "| 5.5 | yes |" in once
    assert "5.5 (5 to 6)" in (folder / "summary.md").read_text()


def test_documents_without_marks_are_left_alone(folder: Path) -> None:
    write(a_result(), folder)
    docs = folder / "performance.md"
    docs.write_text("nothing here")
    with pytest.raises(BenchmarkError, match="marks"):
        report.write_docs(folder, docs)
    assert docs.read_text() == "nothing here"


def test_the_documents_have_their_marks() -> None:
    text = report.DOCS.read_text()
    assert (text.count(report.START), text.count(report.END)) == (1, 1)


def test_a_report_without_results_says_what_to_do(folder: Path) -> None:
    told = CliRunner().invoke(main, ["report", "--write-docs", "--results", str(folder)])
    assert told.exit_code == 1
    assert "python -m benchmarks report" in told.output


def test_sealed_codes_are_distinct_and_ours(tmp_path: Path) -> None:
    codes = DeviceCodes([DeviceCodeKey(1, bytes(32))])
    seen: list[int] = []
    sealed = seal(codes, 20_000, done=seen.append)
    assert len(set(sealed)) == 20_000
    assert sum(seen) == 20_000
    opened = codes.open(sealed[0].encode(), b"tv-app")
    assert opened is not None
    assert opened.interval == 1
    assert write_codes(sealed, tmp_path / "codes").stat().st_size == 20_000 * CODE_LENGTH


def test_the_constant_answer_is_ours() -> None:
    assert answer_poll(Verdict(PollAnswer.AUTHORIZATION_PENDING)).body == BODY


def test_only_what_requests_caused_is_counted() -> None:
    """The catch-up, the start of a worker and a connection set-up are left out."""
    before = {"hget": 10, "get": 10, "xrange": 10, "set": 10, "info": 1}
    read = {"hget": 14, "get": 14, "xrange": 14, "set": 14}
    idle = read | {"info": 3, "hello": 2, "client|setinfo": 4, "subscribe": 1}
    assert commands_for_polls(before, idle) == {}
    assert commands_for_polls(before, idle | {"hget": 17, "evalsha": 3}) == {
        "hget": 3,
        "evalsha": 3,
    }
    assert commands_for_polls(before, idle | {"get": 17, "hvals": 3}) == {"get": 3, "hvals": 3}
    # A catch-up of either of two workers, cut in two by the look.
    assert commands_for_polls(before, idle | {"hget": 16, "get": 15}) == {}
    # Clients, keys and the number of live grants; and each of two workers may just count them.
    assert commands_for_polls(before, idle | {"hgetall": 7}, starts=1) == {}
    assert commands_for_polls(before, idle | {"hgetall": 8}, starts=1) == {"hgetall": 1}
    start = {"xrevrange": 1, "hget": 16, "get": 16, "set": 16}
    assert commands_for_polls(before, idle | start) == {}
    assert commands_for_polls(before, idle | {"set": 17}) == {"set": 3}


def test_a_process_ends_with_its_block(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import time; time.sleep(60)"]
    with running(command, tmp_path / "log") as process:
        assert family(os.getpid()).count(process.pid) == 1
    assert process.poll() is not None
    assert pinned(["x"], 1) == ["taskset", "-c", "1", "x"]
    assert pinned(["x"], None) == ["x"]


async def test_our_own_generator_counts_answers() -> None:
    with TemporaryDirectory(prefix="df-") as path, plain(Place(Path(path), None)) as server:
        for close in (False, True):
            before = poll_start(server.port, close=close)
            told = await generate(server.port, 2, 0.2, OwnLoad(before, b"x" * 2 * CODE_LENGTH, 1))
            assert told["requests"] > 2
            assert told["pending"] == told["refused"] == told["requests"]
            assert told["failed"] == 0


def test_a_load_on_deviceflow_asks_the_store_for_nothing() -> None:
    with (
        TemporaryDirectory(prefix="df-") as path,
        store(Path(path)) as opened,
        deviceflow(Place(Path(path), None), opened.url) as ours,
        plain(Place(Path(path), None)) as theirs,
    ):
        codes = issue_many(opened.url, 50, 1, lambda _: None)
        assert len(set(codes)) == 50
        body = poll_start(0).partition(b"\r\n\r\n")[2] + codes[0].encode()
        check_same_answer({"ours": ours, "theirs": theirs}, body)
        shot = Shot(poll_start(ours.port), write_codes(codes, Path(path) / "codes"))
        before = opened.commands()
        fired = Load(Path(path), None, connections=4).fire(ours.port, shot, 1.0, sample=True)
        assert commands_for_polls(before, opened.commands()) == {}
        assert fired.refused == fired.requests == fired.pending + fired.slow_down


def test_a_cold_start_of_a_small_fleet(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("BEFORE_S", "AFTER_S"):
        monkeypatch.setattr(coldstart, name, 2.0)
    with (
        TemporaryDirectory(prefix="df-") as path,
        Screen.open(Console(quiet=True)) as screen,
    ):
        told = coldstart.run(a_run(Path(path), folder, screen), 10)
    assert told.figures["redis commands per poll after a restart"] == 0
    assert told.figures["wrong answers"] == 0
    assert (folder / "coldstart.svg").exists()


def a_run(folder: Path, results: Path, screen: Screen) -> Run:
    return Run(folder, results, UNPINNED, Turns(1, 1), screen, time.monotonic())


def test_a_fault_under_a_small_fleet(folder: Path) -> None:
    """People decide on the pages, a new key signs, and every device learns what was decided."""
    with TemporaryDirectory(prefix="df-") as path, Screen.open(Console(quiet=True)) as screen:
        run = a_run(Path(path), folder, screen)
        told = faults.run(run, ["keys"], faults.Rates(polls=20, decisions=5, seconds=5))
    assert told.figures["keys: violations"] == 0
    assert told.figures["keys: acknowledged approve"] > 0
    assert told.figures["keys: tokens"] == 2 * told.figures["keys: acknowledged approve"]


def some_tokens(signature: str, jti: str = "a jti") -> Tokens:
    claims = json.dumps({"sub": "ada", "scope": SCOPE, "jti": jti}).encode()
    payload = urlsafe_b64encode(claims).decode().rstrip("=")
    return Tokens(f"head-{signature}.{payload}.{signature}", "refresh")


def a_decided_grant(record: Record) -> LiveGrant:
    now = time.monotonic()
    grant = record.started("device code", "user code", now)
    record.deciding(grant, APPROVE, "ada")
    record.acknowledged(grant)
    return grant


def test_a_device_that_never_learns_a_decision_is_counted() -> None:
    record = Record()
    grant = a_decided_grant(record)
    assert record.undelivered() == [grant]
    for signature in ("one", "two"):
        record.ended(grant, TOKENS, time.monotonic(), some_tokens(signature))
    assert record.undelivered() == []
    record.check()
    assert not record.violations


@pytest.mark.parametrize(
    ("outcome", "tokens"), [(DENIED, None), (TOKENS, some_tokens("one", "another jti"))]
)
def test_another_end_than_before_is_a_violation(outcome: str, tokens: Tokens | None) -> None:
    record = Record()
    grant = a_decided_grant(record)
    record.ended(grant, TOKENS, time.monotonic(), some_tokens("one"))
    record.ended(grant, outcome, time.monotonic(), tokens)
    record.check()
    assert record.violations


def test_tokens_that_nobody_approved_are_a_violation() -> None:
    record = Record()
    grant = record.started("device code", "user code", time.monotonic())
    record.ended(grant, TOKENS, time.monotonic(), some_tokens("one"))
    record.check()
    assert record.violations.total() == 1


def test_only_polls_before_their_interval_are_too_fast() -> None:
    polls = balancer.Polls()
    polls.note("authorization_pending", 10.0)
    polls.note("authorization_pending", 2.5)
    polls.note("slow_down", 2.5)
    assert polls.all.total() == 3
    assert polls.too_fast == {"authorization_pending": 1, "slow_down": 1}


def test_free_ports_are_free() -> None:
    assert 1024 <= free_port() < 65536


def test_the_figures_of_a_flood() -> None:
    """What nobody lived through has a count and no time."""
    record = flood.Record()
    record.note("start", time.monotonic() - 0.5)
    record.failed["sign-in"] += 2
    figures = record.figures()
    assert (figures["start: succeeded"], figures["start: failed"]) == (1, 0)
    assert figures["start: p99, ms"] >= 500
    assert (figures["sign-in: succeeded"], figures["sign-in: failed"]) == (0, 2)
    assert "sign-in: p99, ms" not in figures


def test_a_path_is_shown_beside_the_plain_handler() -> None:
    ours, plain = Series("deviceflow", [400.0, 420.0]), Series("plain aiohttp", [380.0, 420.0])
    pairs = [("plain aiohttp", "deviceflow")]
    start = make_section("start", "Start", "us of CPU", [ours, plain], pairs)
    page = make_section("page", "Page", "us of CPU", [Series("deviceflow", [900.0])], [])
    figures = {"start: commands": 8.0, "start: store_bytes": 539.0}
    figures |= {"page: commands": 3.04, "page: store_bytes": 447.0}
    result = msgspec.structs.replace(a_result("paths"), sections=[start, page], figures=figures)
    (table,) = tables(result)
    assert table.rows == [
        ("Start", "410 (400 to 420)", "8", "539", "400", "0.975 (0.95 to 1)"),
        ("Page", "900 (900 to 900)", "3", "447", "", ""),
    ]


async def test_every_request_has_its_answer() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while request := await reader.readuntil(b"\r\n\r\n"):
                body = request.split()[1]
                head = b"HTTP/1.1 303 See Other\r\nLocation: /done\r\nContent-Length: %d"
                writer.write(head % len(body) + b"\r\n\r\n" + body)
        writer.close()
        left.append(1)

    left: list[int] = []
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    requests = [b"GET /%d HTTP/1.1\r\n\r\n" % number for number in range(20)]
    async with Lines.open(port, 3) as lines:
        answers = await lines.send_all(requests)
    await turns_until(lambda: len(left) == 3)
    server.close()
    assert [each.body for each in answers] == [b"/%d" % number for number in range(20)]
    assert {(each.status, each.header("location")) for each in answers} == {(303, "/done")}


async def test_a_connection_that_is_closed_instead_of_an_answer_is_an_error() -> None:
    async def close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhal")
        writer.close()

    async with await asyncio.start_server(close, "127.0.0.1", 0) as server:
        line = await Line.open(server.sockets[0].getsockname()[1])
        with pytest.raises(BenchmarkError, match="closed a connection"):
            await line.send(b"GET / HTTP/1.1\r\n\r\n")
        with pytest.raises(BenchmarkError, match="closed a connection"):
            await line.send(b"GET / HTTP/1.1\r\n\r\n")


def test_an_answer_has_all_values_of_a_header() -> None:
    head = b"HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nset-cookie: b=2"
    answer = Answer(status=200, head=head, body=b"", size=0)
    assert answer.headers("Set-Cookie") == ["a=1", "b=2"]
    assert (answer.header("Set-Cookie"), answer.header("Location")) == ("a=1", "")
