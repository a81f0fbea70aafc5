"""The table of metrics, its documentation, the dashboard and the alerts tell the same."""

import json
import re
import subprocess
from pathlib import Path
from shutil import which
from typing import Any

import pytest

from deviceflow.ops.metrics.metric import OTHER, Metric
from deviceflow.ops.metrics.table import REFUSALS, SIGN_IN_QUEUE, TABLE
from deviceflow.policy import rules
from deviceflow.store.starts import StartLimits
from tests.stage.checkout import DOCS, ROOT

PAGE = DOCS / "operations" / "metrics.md"
ALERTS = ROOT / "config" / "prometheus-alerts.yml"
DASHBOARD = ROOT / "config" / "grafana-dashboard.json"

NAME = re.compile(r"\bdeviceflow_\w+")


def series_of(metric: Metric) -> set[str]:
    """The names under which Prometheus has a metric."""
    suffixes = ("_bucket", "_count", "_sum") if metric.kind == "histogram" else ("",)
    return {metric.name + suffix for suffix in suffixes}


KNOWN = {name for metric in TABLE for name in series_of(metric)}


def named_in(text: str) -> set[str]:
    return set(NAME.findall(text))


def unit_of(metric: Metric) -> str:
    return metric.name.removesuffix("_total").rpartition("_")[2]


def queries() -> list[str]:
    """Every query of the table of questions."""
    text = PAGE.read_text(encoding="utf-8")
    section = text.split("\n## Questions at 3 a.m.\n")[1].split("\n## ")[0]
    cells = [line.split(" | ", 1)[1] for line in section.splitlines() if line.startswith("| ")]
    return [query for cell in cells for query in re.findall(r"`([^`]*deviceflow_[^`]*)`", cell)]


def panels() -> list[dict[str, Any]]:
    dashboard = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    found: list[dict[str, Any]] = dashboard["panels"]
    return found


def targets() -> list[str]:
    return [target["expr"] for panel in panels() for target in panel.get("targets", ())]


def promtool(*arguments: str) -> str:
    tool = which("promtool")
    if tool is None:
        pytest.skip("promtool is not installed (Debian: the package prometheus)")
    ended = subprocess.run([tool, *arguments], check=False, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def test_names_follow_the_conventions() -> None:
    """https://prometheus.io/docs/practices/naming: base units, `_total` for counters only."""
    names = [metric.name for metric in TABLE]
    assert len(names) == len(set(names))
    for metric in TABLE:
        assert re.fullmatch(r"deviceflow(_[a-z]+)+", metric.name), metric.name
        assert (metric.kind == "counter") == metric.name.endswith("_total"), metric.name
        assert (unit_of(metric) == "seconds") == (metric.scale != 1), metric.name
        assert metric.help.endswith("."), metric.name
        assert (metric.kind == "histogram") == bool(metric.buckets), metric.name
        assert list(metric.buckets) == sorted(metric.buckets), metric.name


def test_the_number_of_series_is_bounded() -> None:
    assert max(len(metric.series) for metric in TABLE) < 50


def test_every_limit_has_its_label() -> None:
    made = [rules.code_address(1), rules.code_account(1), rules.code_wave(1)]
    made += [rules.code_network(1)]
    made += [rules.approval_account(1), rules.approval_client(1)]
    constant = [rule for rule in vars(rules).values() if isinstance(rule, rules.Rule)]
    names = {rule.name for rule in (*made, *constant)}
    names |= {f"start.{limit}" for limit in StartLimits._fields}
    assert names | {"start.store", "held.all", "held.address", SIGN_IN_QUEUE, OTHER} == set(
        REFUSALS.labels["limit"]
    )


def test_the_page_lists_every_metric_as_it_is() -> None:
    text = PAGE.read_text(encoding="utf-8")
    section = text.split("\n## All metrics\n")[1].split("\n## ")[0]
    rows = [line.strip("| ").split(" | ") for line in section.splitlines() if "`deviceflow" in line]
    assert [(row[0].strip("`"), row[1], row[-1]) for row in rows] == [
        (metric.name, metric.kind, metric.help) for metric in TABLE
    ]
    for row, metric in zip(rows, TABLE, strict=True):
        assert set(metric.label_names) <= set(re.findall(r"`(\w+)`", row[2])), metric.name


def test_every_metric_answers_a_question() -> None:
    asked = set().union(*map(named_in, queries()))
    assert asked <= KNOWN
    # What the number of pending grants is made from.
    unasked = {metric.name for metric in TABLE if not series_of(metric) & asked}
    parts = {"deviceflow_grants_live", "deviceflow_grants_decided", "deviceflow_mirror_decisions"}
    assert unasked == parts


def test_labels_in_queries_exist() -> None:
    by_series = {name: metric for metric in TABLE for name in series_of(metric)}
    alerts = ALERTS.read_text(encoding="utf-8")
    for query in [*queries(), *targets(), alerts]:
        for name, inside in re.findall(r"(deviceflow_\w+)\{([^}]*)\}", query):
            metric = by_series[name]
            for label, value in re.findall(r'(\w+)=~?"([^"]*)"', inside):
                values = metric.labels.get(label)
                is_known = values is None or set(value.split("|")) <= set(values)
                assert label in (*metric.label_names, "instance"), query
                assert is_known, query


def test_the_dashboard_shows_metrics_that_there_are() -> None:
    assert len(targets()) >= 20
    for panel in panels():
        assert panel["title"]
        if panel["type"] == "row":
            continue
        assert panel["description"].endswith("."), panel["title"]
        assert panel["targets"], panel["title"]
        for target in panel["targets"]:
            assert named_in(target["expr"]), panel["title"]
            assert named_in(target["expr"]) <= KNOWN, panel["title"]


def test_the_panels_have_ids_and_places_of_their_own() -> None:
    ids = [panel["id"] for panel in panels()]
    assert len(ids) == len(set(ids))
    squares = [
        (x, y)
        for place in (panel["gridPos"] for panel in panels())
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(squares) == len(set(squares))
    assert all(x < 24 for x, _ in squares)


def test_the_alerts_name_metrics_that_there_are() -> None:
    text = ALERTS.read_text(encoding="utf-8")
    names = re.findall(r"- alert: (\w+)", text)
    expressions = re.findall(r"expr: (?:\|\n)?(.*?)\n +(?:for|labels):", text, re.DOTALL)
    assert len(names) == len(expressions) >= 10
    for name, expression in zip(names, expressions, strict=True):
        assert named_in(expression), name
        assert named_in(expression) <= KNOWN, name
    links = set(re.findall(r"docs/operations/metrics\.md#(\w+)", text))
    headings = {
        line[4:].lower() for line in PAGE.read_text("utf-8").splitlines() if line[:4] == "### "
    }
    assert links == {name.lower() for name in names}
    assert links == headings, "each alert has its paragraph on the page"


def test_promtool_reads_the_alerts() -> None:
    said = promtool("check", "rules", "--lint-fatal", str(ALERTS))
    assert "SUCCESS" in said


@pytest.mark.parametrize(
    ("interval", "usual", "is_alarming"),
    [(5, 5, False), (30, 30, False), (7, 5, False), (15, 5, True)],
)
def test_a_long_interval_is_alarming_only_because_of_load(
    tmp_path: Path, interval: int, usual: int, *, is_alarming: bool
) -> None:
    """Not because the settings ask for it, also just after they have begun to."""
    alert = {
        "exp_labels": {"instance": "a", "severity": "warning"},
        "exp_annotations": {
            "summary": f"a is busy, and asks devices to poll every {interval}s.",
            "runbook": "docs/operations/metrics.md#deviceflowasksforfewerpolls",
        },
    }
    series = [
        {"series": f'deviceflow_{name}_seconds{{instance="a", worker="1"}}', "values": values}
        for name, values in (
            ("load_interval", f"5x30 {interval}x30"),
            ("usual_interval", f"5x30 {usual}x30"),
        )
    ]
    expected = {
        "eval_time": "59m",
        "alertname": "DeviceflowAsksForFewerPolls",
        "exp_alerts": [alert] * is_alarming,
    }
    document = {
        "rule_files": [str(ALERTS)],
        "tests": [{"interval": "1m", "input_series": series, "alert_rule_test": [expected]}],
    }
    # Each JSON document is a YAML document, too.
    test_file = tmp_path / "test.yml"
    test_file.write_text(json.dumps(document), encoding="utf-8")
    assert "SUCCESS" in promtool("test", "rules", str(test_file))


def test_promtool_reads_every_query(tmp_path: Path) -> None:
    """As recording rules: what cannot be parsed is an error."""
    lines = ["groups:", "  - name: queries", "    rules:"]
    for number, query in enumerate([*queries(), *targets()]):
        expression = query.replace("$__rate_interval", "5m").replace("$instance", ".*")
        lines += [f"      - record: query:{number}", f"        expr: {json.dumps(expression)}"]
    rules_file = tmp_path / "queries.yml"
    rules_file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert "SUCCESS" in promtool("check", "rules", str(rules_file))
