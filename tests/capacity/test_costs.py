"""The file of costs, and an operator's own figures in their place."""

import json
from pathlib import Path

import msgspec
import pytest

from deviceflow.capacity.costs import read
from deviceflow.capacity.fleet import CapacityError


def test_every_part_names_its_source() -> None:
    costs = msgspec.to_builtins(read())
    parts = [costs["proxy"], costs["workers"], costs["memory"], *costs["operations"].values()]
    assert all(part["source"] not in {"", "provisional"} for part in parts)
    assert "cores" in costs["machine"]


def test_own_figures_replace_those_that_they_name(tmp_path: Path) -> None:
    toml, as_json = tmp_path / "own.toml", tmp_path / "own.json"
    toml.write_text("[operations.poll]\nserver_us = 7\n", encoding="utf-8")
    as_json.write_text(json.dumps({"operations": {"poll": {"server_us": 7}}}), encoding="utf-8")
    for path in (toml, as_json):
        assert read(path).operations.poll.server_us == 7
        assert read(path).operations.start == read().operations.start


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[operations.poll]\nserver_us = -1\n", r">= 0.*operations\.poll\.server_us"),
        ("[operations.pol]\nserver_us = 1\n", "unknown field `pol`"),
        ("[operations]\npoll = 3\n", r"Expected `object`.*operations\.poll"),
        ("[operations.poll\n", "neither TOML nor JSON"),
    ],
)
def test_costs_that_make_no_sense_are_refused(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "own.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(CapacityError, match=words):
        read(path)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CapacityError, match="No such file"):
        read(tmp_path / "none.toml")


def test_operations_of_a_worker_that_does_all_of_them_cost_more() -> None:
    costs = read()
    mixed, times = costs.mixed(), costs.workers.mixed
    assert times > 1
    assert mixed.operations.start.server_us == pytest.approx(
        costs.operations.start.server_us * times
    )
    assert mixed.workers.wake_us == pytest.approx(costs.workers.wake_us * times)
    assert mixed.operations.start.store_us == costs.operations.start.store_us
    assert mixed.operations.password == costs.operations.password
    assert mixed.mixed() == mixed
