"""`deviceflow fleet`: its options, and how it ends without a server."""

from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from deviceflow.__main__ import main
from deviceflow.cli import fleet as command
from deviceflow.cli.fleet_run import FleetOptions
from deviceflow.fleet.arrivals import ARRIVALS
from deviceflow.fleet.result import FleetResult, read_result
from deviceflow.fleet.styles import STYLES
from deviceflow.fleet.ways import ByAdminApi
from tests.stage.checkout import ROOT
from tests.stage.fleet import RESULT

TARGET = ("--target", "http://127.0.0.1:1", "--client-id", "tv")


def fleet(*arguments: str, **variables: str) -> Result:
    return CliRunner().invoke(main, ["fleet", *arguments], env={"COLUMNS": "200", **variables})


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--style", "polite=1"), "no style is called polite"),
        (("--approve-by", "true", "--deny", "0.2"), "more than 1 together"),
        (("--for", "soon"), "'soon' is no duration: write 90, 90s, 5m or 1h"),
        (("--for", "0s"), "no duration"),
        (("--approve-by", "browser"), "needs --recipe"),
        (("--approve-by", "browser", "--recipe", "/nowhere.toml"), "/nowhere.toml"),
        (("--approve-by", "open {nothing}"), "unknown braces"),
        (("--approve-by", "admin"), "The variable DEVICEFLOW_ADMIN_TOKEN is not set"),
        (("--objective", "poll p99"), "--objective: 'poll p99' is no objective"),
        (("--json", "/nowhere/x.json"), "there is no folder /nowhere"),
        (("--client-id", ""), "--client-id is empty"),
        (("--source", "hello"), "'hello' does not appear to be"),
        (("--source", "::1", "--source", "127.0.0.1"), "not both"),
        (("--refresh", "nan"), "is not a number"),
        (("--hold", "10"), "--hold needs --style held"),
        (("--ramp", "10s", "--arrival", "evening"), "--ramp needs --arrival steady"),
        (("--recipe", "keycloak"), "--recipe needs --approve-by browser"),
        (("--set", "a=b"), "--set needs --approve-by browser"),
        (("--admin", "http://127.0.0.1:1"), "--admin needs --approve-by admin"),
        (("--decide-after", "5s"), "--decide-after needs --approve-by: without it, no code"),
        (("--approve-by", "true", "--token-clock", "9"), "--token-clock needs --refresh"),
        (("--client-secret-env", "NOT_SET"), "The variable NOT_SET is not set"),
    ],
)
def test_wrong_usage(arguments: tuple[str, ...], complaint: str) -> None:
    done = fleet(*TARGET, *arguments)
    assert done.exit_code == 2
    assert complaint in done.stderr


def test_a_token_is_not_sent_over_an_open_network() -> None:
    arguments = ("--approve-by", "admin", "--admin", "http://admin.example")
    done = fleet(*TARGET, *arguments, DEVICEFLOW_ADMIN_TOKEN="x")
    assert done.exit_code == 2
    assert "not encrypted" in done.stderr


def test_no_server() -> None:
    done = fleet(*TARGET)
    assert done.exit_code == 3
    assert "Cannot reach http://127.0.0.1:1" in done.stderr


def test_more_devices_than_open_files() -> None:
    endpoints = (
        *("--device-authorization-endpoint", "http://127.0.0.1:1/start"),
        *("--token-endpoint", "http://127.0.0.1:1/token"),
    )
    done = fleet(*TARGET, *endpoints, "--devices", "1000000", "--processes", "1")
    assert done.exit_code == 3
    assert "1,000,200 open files are needed" in done.stderr


def test_json_on_standard_output_is_alone_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "run_until_stopped", lambda _: RESULT)
    done = fleet(*TARGET, "--objective", "polls > 1", "--json", "-")
    assert read_result(done.stdout.encode()).polls == RESULT.polls
    assert "Every objective was reached." in done.stderr


def test_a_proxy_of_the_environment_is_told_to_be_left_out() -> None:
    endpoints = (
        *("--device-authorization-endpoint", "http://127.0.0.1:1/start"),
        *("--token-endpoint", "https://192.0.2.1/token"),
    )
    done = fleet(*TARGET, *endpoints, HTTPS_PROXY="http://me:secret@proxy.example:3128")
    assert "not through the proxy http://proxy.example:3128" in done.stderr
    assert done.exit_code == 3


def test_help_has_sections() -> None:
    text = fleet("--help").stdout
    places = [text.index(f"{title}:") for title in ("The devices", "The people", "This machine")]
    assert places == sorted(places)


def test_the_documentation_names_what_can_be_chosen() -> None:
    text = (ROOT / "docs" / "fleet.md").read_text(encoding="utf-8")
    missing = [name for name in (*STYLES, *ARRIVALS) if f"| `{name}` |" not in text]
    assert missing == []


def test_options_make_a_scenario_and_objectives_a_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[FleetOptions] = []

    def run(options: FleetOptions) -> FleetResult:
        seen.append(options)
        return msgspec.structs.replace(RESULT, wrong={}, errors={})

    monkeypatch.setattr(command, "run_until_stopped", run)
    done = fleet(
        *(*TARGET, "--devices", "40", "--for", "2m", "--ramp", "30s", "--refresh", "0.25"),
        *("--approve", "0.7", "--deny", "0.1", "--approve-by", "admin"),
        *("--objective", "wrong outcomes = 0", "--objective", "polls > 1"),
        DEVICEFLOW_ADMIN_TOKEN="secret",
    )
    assert done.exit_code == 0, done.output
    options = seen[-1]
    scenario = options.scenario
    assert (scenario.seconds, scenario.ramp_s, scenario.refreshers) == (120.0, 30.0, 10)
    assert (scenario.people.by, scenario.people.walk_away) == ("admin", 0.2)
    assert options.way == ByAdminApi(base="http://127.0.0.1:8629", token="secret")
    assert "secret" not in repr(options)
    # The first example of docs/fleet.md: a hundred devices for a minute.
    assert fleet(*TARGET).exit_code == 0
    assert (seen[-1].scenario.devices, seen[-1].scenario.seconds) == (100, 60.0)
    assert fleet(*TARGET, "--objective", "polls < 1").exit_code == 1


def test_objectives_may_be_in_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "run_until_stopped", lambda _: RESULT)
    file = tmp_path / "objectives"
    file.write_text("# in the evening\npolls >= 100\npoll p99 < 1 ms\n", encoding="utf-8")
    done = fleet(*TARGET, "--objective", "tokens > 1", "--objectives", str(file))
    assert (done.exit_code, "1 of 3 objectives not reached: poll p99." in done.stdout) == (1, True)
    file.write_text("polls >= 100\npoll p99\n", encoding="utf-8")
    done = fleet(*TARGET, "--objectives", str(file))
    assert (done.exit_code, f"{file}: line 2: 'poll p99' is no objective" in done.stderr) == (
        2,
        True,
    )
