"""config/helm: linted by Helm itself, and held to the manifests of config/kubernetes.

`tests/interop/install` builds Helm. No cluster runs here.
"""

import os
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes_validate.utils import validate

from tests.install.test_kubernetes import FOLDER, RESOURCES, VERSIONS
from tests.stage.checkout import ROOT

CHART = ROOT / "config" / "helm"
BUILT = Path(__file__).parent / "helm" / "helm"
HELM = str(BUILT) if BUILT.is_file() else shutil.which("helm")

ABSENT = "Helm is not here; tests/interop/install builds it"

pytestmark = pytest.mark.skipif(HELM is None and "CI" not in os.environ, reason=ABSENT)


def run_helm(*arguments: str) -> subprocess.CompletedProcess[str]:
    assert HELM is not None, ABSENT
    command = [HELM, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)


def helm(*arguments: str) -> str:
    done = run_helm(*arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def rendered(*options: str) -> dict[str, dict[str, Any]]:
    """Return the objects of the chart by their kinds."""
    text = helm("template", "deviceflow", str(CHART), *options)
    return {each["kind"]: each for each in yaml.safe_load_all(text) if each}


def test_helm_has_no_complaint() -> None:
    assert "0 chart(s) failed" in helm("lint", "--strict", str(CHART))


def test_the_objects_are_those_of_the_manifests() -> None:
    """But for what names the release, and the sum over the settings."""
    objects = rendered()
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
    dropped = {"app.kubernetes.io/instance", "checksum/settings", "image"}
    return {key: _plain(value) for key, value in spec.items() if key not in dropped}


def test_the_schemas_of_kubernetes_hold_with_everything_on(tmp_path: Path) -> None:
    values = {
        "ingress": {"enabled": True},
        "imagePullSecrets": [{"name": "registry"}],
        "env": [{"name": "DEVICEFLOW_ADMIN_TOKEN_FILE", "value": "/run/admin/tokens"}],
        "volumes": [{"name": "admin", "secret": {"secretName": "deviceflow-admin"}}],
        "volumeMounts": [{"name": "admin", "mountPath": "/run/admin", "readOnly": True}],
        "podAnnotations": {"example.com/team": "identity"},
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "tolerations": [{"key": "dedicated", "operator": "Exists"}],
        "networkPolicy": {"egress": [{"ports": [{"port": 443, "protocol": "TCP"}]}]},
    }
    file = tmp_path / "values.yaml"
    file.write_text(yaml.safe_dump(values), encoding="utf-8")
    objects = rendered("--values", str(file), "--namespace", "tv")
    assert "Ingress" in objects
    for each in objects.values():
        for version in VERSIONS:
            validate(each, version, strict=True)
    (container,) = objects["Deployment"]["spec"]["template"]["spec"]["containers"]
    assert container["env"][-1]["name"] == "DEVICEFLOW_ADMIN_TOKEN_FILE"
    assert container["volumeMounts"][-1]["name"] == "admin"


def test_new_settings_replace_the_pods() -> None:
    def pods(*options: str) -> dict[str, str]:
        template = rendered(*options)["Deployment"]["spec"]["template"]
        return dict(template["metadata"]["annotations"])

    assert pods() == pods() != pods("--set", "settings=issuer = 'https://other.example'")


@pytest.mark.parametrize("wrong", ["workers=0", "images.tag=1", "image.pullPolicy=Sometimes"])
def test_a_wrong_value_is_refused(wrong: str) -> None:
    done = run_helm("template", "deviceflow", str(CHART), "--set", wrong)
    assert done.returncode != 0
    assert "values don't meet the specifications of the schema" in done.stderr
