"""The peers of the benchmarks: what they say of themselves, and the tables."""

from pathlib import Path

import pytest
from rich.console import Console

from benchmarks import targets
from benchmarks.load import LoadResult
from benchmarks.peers import devices, page, picture, roster
from benchmarks.peers.peer import Endpoints, Peer, find_tool
from benchmarks.processes import BenchmarkError
from benchmarks.results import Result, Section, Series, make_section, write
from deviceflow.fleet.result import Machine

REPOSITORY = Path(__file__).parent.parent
DOCS = (REPOSITORY / "docs/peers.md").read_text(encoding="utf-8")


def sections(name: str, kind: str, rates: list[float], us: list[float]) -> list[Section]:
    ours = Series(page.OURS, [50_000.0, 40_000.0], [20.0, 20.0])
    peer = Series(name, rates, us, store_us=[5.0, 7.0])
    return [
        make_section(f"{name} {kind}", kind, "/s", [ours, peer], [(page.OURS, name)]),
        make_section(
            f"{name} {kind} cpu",
            kind,
            "us",
            [Series(one.competitor, one.server_us) for one in (ours, peer)],
            [(name, page.OURS)],
        ),
    ]


@pytest.fixture
def result() -> Result:
    told = [
        section
        for name, rates, us in (
            ("dex-sqlite", [1_000.0, 1_000.0], [700.0, 900.0]),
            ("keycloak", [5_000.0, 5_000.0], [200.0, 200.0]),
        )
        for kind in ("kept", "new", "starts")
        for section in sections(name, kind, rates, us)
    ]
    peers = [roster.PEERS["dex-sqlite"], roster.PEERS["keycloak"]]
    return Result(
        benchmark="peers",
        measured_on="2026-01-01",
        took_s=1.0,
        machine=Machine(
            cpu="a processor", cores=2, memory_gb=8.0, system="Linux", versions={"python": "3.11.7"}
        ),
        parameters={"rounds": 2, "seconds": 1, "load": "wrk", "cores": "not pinned"},
        sections=told,
        figures={"keycloak: first answer, s": 18.2} | page.bests(peers, told),
        notes=[
            "keycloak: one grant polled at once: 400 authorization_pending, 400 slow_down",
            "hydra: not measured: this machine lacks hydra",
        ],
    )


@pytest.mark.parametrize("peer", roster.PEERS.values(), ids=list(roster.PEERS))
def test_the_page_names_what_runs(peer: Peer) -> None:
    assert f"**{peer.title}**, version {peer.version}, {peer.licence}." in DOCS
    assert f"`{peer.name}`" in DOCS, "the table of what each needs"


def test_peers_have_their_names() -> None:
    assert [peer.name for peer in roster.choose(["hydra", "authlib"])] == ["hydra", "authlib"]
    assert len(roster.choose([])) == len(roster.PEERS)
    with pytest.raises(BenchmarkError, match=r"no peer nobody; there are oidc-provider, "):
        roster.choose(["nobody"])


def test_a_peer_without_its_tools_is_left_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PEER_DEX", str(tmp_path / "nothing"))
    with (tmp_path / "out").open("w") as file:
        skipped = roster.get_all(roster.choose(["dex-sqlite"]), tmp_path, Console(file=file))
    assert skipped == {"dex-sqlite": "this machine lacks dex"}
    assert "Dex (SQLite): not measured: this machine lacks dex" in (tmp_path / "out").read_text()


def test_the_environment_names_a_program(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "hydra"
    program.write_text("")
    program.chmod(0o755)
    monkeypatch.setenv("PEER_HYDRA", str(program))
    assert find_tool("hydra") == str(program)


def test_a_poll_has_the_length_of_its_code() -> None:
    endpoints = Endpoints(
        "/start", "/token", "client_id=tv", "openid a", ("Authorization: Basic x",)
    )
    head, _, body = endpoints.poll(80, 128, close=True).partition(b"\r\n\r\n")
    assert body.endswith(b"&client_id=tv&device_code=")
    assert f"Content-Length: {len(body) + 128}".encode() in head.split(b"\r\n")
    assert head.endswith(b"Authorization: Basic x\r\nConnection: close")
    assert endpoints.start(80).endswith(b"\r\n\r\nclient_id=tv&scope=openid%20a")
    assert endpoints._replace(client="").start_form() == "scope=openid%20a"


def test_codes_of_one_length_only(tmp_path: Path) -> None:
    codes = devices.write_codes(["abc", "def"], tmp_path / "codes")
    assert (codes.path.read_text(), codes.total, codes.sample) == ("abcdef", 2, "abc")
    with pytest.raises(BenchmarkError, match="different lengths: \\[2, 3\\]"):
        devices.write_codes(["abc", "de"], tmp_path / "codes")


def test_answers_in_words() -> None:
    fired = LoadResult(200, 1.0, 0, 200, 0.0, 0.0, pending=150, slow_down=50, other=0)
    assert devices.words(fired) == "75% authorization_pending, 25% slow_down"
    assert devices.words(LoadResult(0, 1.0, 0, 0, 0.0, 0.0, 0, 0, 0)) == "no answer in time"
    assert devices.in_short(["400 a", "400 b", "400 b"]) == "400 a, 400 b (2 times)"


def test_the_best_peer_has_a_durable_store(result: Result) -> None:
    assert result.figures["polls/s kept: ours / best durable peer"] == 45.0
    assert result.figures["CPU per poll kept: best durable peer / ours"] == 40.0
    wanted = [row[2] for row in targets.rows({"peers": result})]
    assert wanted == ["45", "40", "45"]


def test_the_tables(result: Result) -> None:
    _, rows = page.table(result, "kept")
    assert [row[0] for row in rows] == ["deviceflow", "dex-sqlite", "keycloak"]
    assert rows[1][1:] == (
        "1,000 (1,000 to 1,000)",
        "45 (40 to 50)",
        "800 (700 to 900)",
        "40 (35 to 45)",
        "6",
    )
    head, standing = page.standing(result)
    assert {len(row) for row in standing} == {len(head)}
    assert standing[2][:3] == ("keycloak", "18.2", "")
    assert page.seen(result)[1][2][2] == "400 authorization_pending, 400 slow_down"


def test_the_page_is_written_from_the_results(result: Result, tmp_path: Path) -> None:
    docs = tmp_path / "peers.md"
    docs.write_text("before\n<!-- figures: start -->old<!-- figures: end -->\nafter\n")
    with pytest.raises(BenchmarkError, match="no results yet"):
        page.write_docs(tmp_path, [], docs)
    write(result, tmp_path)
    page.write_docs(tmp_path, roster.PEERS.values(), docs)
    text = docs.read_text()
    assert text.startswith("before\n")
    assert text.endswith("\nafter\n")
    assert "start -->old" not in text
    assert "- hydra: not measured: this machine lacks hydra" in text


def test_the_picture(result: Result, tmp_path: Path) -> None:
    assert picture.medians(result, "kept", "server_us") == {
        "deviceflow": 20.0,
        "dex-sqlite": 800.0,
        "keycloak": 200.0,
    }
    picture.draw(result, tmp_path / "peers.svg")
    assert "<svg" in (tmp_path / "peers.svg").read_text()
