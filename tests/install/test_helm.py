"""config/helm: linted and rendered by Helm, and held to the manifests of config/kubernetes.

To build Helm takes minutes, so what it has rendered is kept in `helm/rendered.json`, with a sum
over the files of the chart: `make helm` writes it anew after a change. No cluster runs here.
"""

import hashlib
import json
import os
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.install.test_kubernetes import FOLDER, RESOURCES, VERSIONS
from tests.stage.checkout import ROOT
from tests.stage.kubernetes import fault_of

CHART = ROOT / "config" / "helm"
HERE = Path(__file__).parent / "helm"
RENDERED = HERE / "rendered.json"
BUILT = HERE / "helm"
HELM = str(BUILT) if BUILT.is_file() else shutil.which("helm")

EVERYTHING = {
    "ingress": {"enabled": True},
    "imagePullSecrets": [{"name": "registry"}],
    "env": [{"name": "DEVICEFLOW_ADMIN_TOKEN_FILE", "value": "/run/admin/tokens"}],
    "volumes": [{"name": "admin", "secret": {"secretName": "deviceflow-admin"}}],
    "volumeMounts": [{"name": "admin", "mountPath": "/run/admin", "readOnly": True}],
    "podAnnotations": {"example.com/team": "identity"},
    "nodeSelector": {"kubernetes.io/os": "linux"},
    "tolerations": [{"key": "dedicated", "operator": "Exists"}],
    "networkPolicy": {"egress": [{"ports": [{"port": 443, "protocol": "TCP"}]}]},
    "autoscaler": {
        "metrics": [
            {
                "type": "Pods",
                "pods": {
                    "metric": {"name": "deviceflow_held_polls"},
                    "target": {"type": "AverageValue", "averageValue": "12000"},
                },
            }
        ]
    },
}

Objects = dict[str, dict[str, Any]]

TEMPLATE = ("template", "deviceflow", str(CHART), "--kube-version", VERSIONS[-1])

with_helm = pytest.mark.skipif(HELM is None, reason="Helm is not here; `make helm` builds it")


def run_helm(*arguments: str) -> subprocess.CompletedProcess[str]:
    assert HELM is not None
    command = [HELM, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)


def chart_sum() -> str:
    """Return a sum over the files of the chart."""
    files = sorted(path for path in CHART.rglob("*") if path.is_file())
    named = b"".join(
        f"{path.relative_to(CHART)}\n".encode() + path.read_bytes() + b"\0" for path in files
    )
    return hashlib.sha256(named).hexdigest()


def render(tmp_path: Path, values: dict[str, Any]) -> Objects:
    """Have Helm render the chart. Return the objects by their kinds."""
    file = tmp_path / "values.yaml"
    file.write_text(yaml.safe_dump(values), encoding="utf-8")
    done = run_helm(*TEMPLATE, "--values", str(file))
    assert done.returncode == 0, done.stderr
    return {each["kind"]: each for each in yaml.safe_load_all(done.stdout) if each}


def rendered(values: str) -> Objects:
    kept: Objects = json.loads(RENDERED.read_text(encoding="utf-8"))[values]
    return kept


def test_what_is_kept_is_of_this_chart(tmp_path: Path) -> None:
    if "HELM_RENDER" in os.environ:
        kept = {
            "chart": chart_sum(),
            "default": render(tmp_path, {}),
            "everything": render(tmp_path, EVERYTHING),
        }
        RENDERED.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    assert json.loads(RENDERED.read_text(encoding="utf-8"))["chart"] == chart_sum(), (
        "the chart has changed: run `make helm`"
    )


def test_the_objects_are_those_of_the_manifests() -> None:
    """But for what names the release, and the sum over the settings."""
    objects = rendered("default")
    assert tomllib.loads(objects.pop("ConfigMap")["data"]["deviceflow.toml"]) == tomllib.loads(
        (FOLDER / "deviceflow.toml").read_text(encoding="utf-8")
    )
    manifests = {each["kind"]: each["spec"] for each in RESOURCES.values()}
    assert {kind: _plain(each["spec"]) for kind, each in objects.items()} == {
        kind: _plain(spec) for kind, spec in manifests.items()
    }


def _plain(spec: object) -> object:
    """Return a specification without what the chart adds or names in its own way."""
    if isinstance(spec, list):
        return [_plain(each) for each in spec]
    if not isinstance(spec, dict):
        return spec
    own = {"app.kubernetes.io/instance", "checksum/settings", "image"}
    return {key: _plain(value) for key, value in spec.items() if key not in own}


@pytest.mark.parametrize("version", VERSIONS)
def test_the_schemas_of_kubernetes_hold_with_everything_on(version: str) -> None:
    objects = rendered("everything")
    assert "Ingress" in objects
    for each in objects.values():
        assert fault_of(each, version) is None
    (container,) = objects["Deployment"]["spec"]["template"]["spec"]["containers"]
    assert container["env"][-1]["name"] == "DEVICEFLOW_ADMIN_TOKEN_FILE"
    assert container["volumeMounts"][-1]["name"] == "admin"
    assert len(objects["HorizontalPodAutoscaler"]["spec"]["metrics"]) == 2


@with_helm
def test_helm_has_no_complaint(tmp_path: Path) -> None:
    done = run_helm("lint", "--strict", str(CHART))
    assert "0 chart(s) failed" in done.stdout, done.stdout + done.stderr
    assert render(tmp_path, {}) == rendered("default")
    assert render(tmp_path, EVERYTHING) == rendered("everything")


@with_helm
def test_new_settings_replace_the_pods(tmp_path: Path) -> None:
    other = render(tmp_path, {"settings": "issuer = 'https://other.example'"})
    template = other["Deployment"]["spec"]["template"]
    assert template != rendered("default")["Deployment"]["spec"]["template"]


@with_helm
@pytest.mark.parametrize("wrong", ["workers=0", "images.tag=1", "image.pullPolicy=Sometimes"])
def test_a_wrong_value_is_refused(wrong: str) -> None:
    done = run_helm(*TEMPLATE, "--set", wrong)
    assert done.returncode != 0
    assert "values don't meet the specifications of the schema" in done.stderr
