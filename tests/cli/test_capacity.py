"""`deviceflow capacity`: what it prints, and what it refuses."""

import json
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from deviceflow.capacity.fleet import Fleet
from deviceflow.cli.capacity import capacity


def run(*arguments: str) -> Result:
    return CliRunner().invoke(capacity, arguments)


def test_an_operator_reads_what_to_provide() -> None:
    printed = run("--devices", "2e6", "--interval", "5")
    assert printed.exit_code == 0
    assert "hosts with 4 cores: " in printed.stdout
    for words in ("nginx on the same hosts", "maxmemory", "polls/s", "Costs measured on"):
        assert words in printed.stdout


def test_every_answer_of_a_fleet_is_an_option() -> None:
    """With plain words of its own."""
    printed = " ".join(run("--help").stdout.split())
    for field in msgspec.structs.fields(Fleet):
        assert f"--{field.name.replace('_', '-')}" in printed
    assert "Share of the devices that are signed in." in printed
    assert "[default: 60; 1<=x<=86400]" in printed
    assert printed.index("Hosts and store:") < printed.index("--host-cores")


def test_programs_get_json() -> None:
    told = json.loads(run("--devices", "1_000_000", "--json").stdout)
    assert told["fleet"]["devices"] == 1_000_000
    assert told["server"]["hosts"] == told["server"]["needed"] + 1
    assert told["costs"]["operations"]["poll"]["server_us"] > 0
    assert len(told["words"]) == 4


def test_settings_and_warnings_are_printed() -> None:
    printed = run("--devices", "1e8", "--waiting", "1e8").stdout
    assert "device.pace_slots = " in printed
    assert "Warning: " in printed


def test_a_table_needs_no_number_of_devices() -> None:
    assert run("--table").stdout.startswith("| devices | wait |")
    assert run("--table").stdout == run("--table", "--devices", "1").stdout
    assert run("--table", "--waiting", "1e6").stdout != run("--table").stdout


def test_options_that_contradict_each_other() -> None:
    for arguments, reason in ((), "Give --devices"), (("--table", "--json"), "leave out one"):
        done = run(*arguments)
        assert (done.exit_code, reason in done.stderr) == (2, True)


def test_own_costs(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text("[operations.poll]\nserver_us = 1000\n", encoding="utf-8")
    arguments = ("--devices", "1e7", "--waiting", "1e7", "--json")
    dear = json.loads(run(*arguments, "--costs", str(own)).stdout)
    assert dear["server"]["needed"] > json.loads(run(*arguments).stdout)["server"]["needed"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "Give --devices"),
        (("--devices", "many"), "'many' is not a valid"),
        (("--devices", "nan"), "'nan' is not a number"),
        (("--devices", "inf"), "not in the range"),
        (("--devices", "0"), "not in the range"),
        (("--devices", "1e6", "--kept", "2"), "not in the range 0<=x<=1"),
        (("--devices", "1e6", "--tls", "half"), "is not one of"),
        (("--devices", "1e6", "--interval", "900"), "longer than lifetime"),
        (("--devices", "1e6", "--costs", "/none.toml"), "cannot be read"),
    ],
)
def test_bad_input_is_named(arguments: tuple[str, ...], words: str) -> None:
    refused = run(*arguments)
    assert refused.exit_code in {1, 2}
    assert words in refused.stderr
    assert refused.stdout == ""
