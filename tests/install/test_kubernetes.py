"""config/kubernetes: checked against the schemas of Kubernetes, and against the settings.

No cluster runs here.
"""

from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from deviceflow.cli.check import check
from deviceflow.config import Server, load
from tests.stage.checkout import ROOT
from tests.stage.kubernetes import fault_of

FOLDER = ROOT / "config" / "kubernetes"
KUSTOMIZATION = yaml.safe_load((FOLDER / "kustomization.yaml").read_text(encoding="utf-8"))
VERSIONS = ("1.29", "1.31", "1.34")


def resource(file: str) -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((FOLDER / file).read_text(encoding="utf-8"))
    return read


RESOURCES = {file: resource(file) for file in KUSTOMIZATION["resources"]}
POD = RESOURCES["deployment.yaml"]["spec"]["template"]
(CONTAINER,) = POD["spec"]["containers"]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("file", RESOURCES)
def test_its_schema(file: str, version: str) -> None:
    assert fault_of(RESOURCES[file], version) is None


def test_a_field_that_does_not_exist_is_seen() -> None:
    """The check above can fail."""
    wrong = RESOURCES["service.yaml"] | {"spec": {"selectors": {}}}
    assert "selectors" in str(fault_of(wrong, VERSIONS[-1]))


def test_every_file_is_applied() -> None:
    files = {path.name for path in FOLDER.glob("*.yaml")} - {"kustomization.yaml"}
    assert files == set(RESOURCES)


def test_all_mean_the_same_pods() -> None:
    labels = POD["metadata"]["labels"]
    specs = {file: read["spec"] for file, read in RESOURCES.items()}
    assert specs["deployment.yaml"]["selector"]["matchLabels"] == labels
    assert specs["service.yaml"]["selector"] == labels
    assert specs["disruption-budget.yaml"]["selector"]["matchLabels"] == labels
    assert specs["network-policy.yaml"]["podSelector"]["matchLabels"] == labels
    target = specs["autoscaler.yaml"]["scaleTargetRef"]
    assert target["name"] == RESOURCES["deployment.yaml"]["metadata"]["name"]
    assert "replicas" not in specs["deployment.yaml"], "the autoscaler says how many"


def test_the_ports_and_times_fit_the_server() -> None:
    ports = {port["name"]: port["containerPort"] for port in CONTAINER["ports"]}
    assert ports == {"http": Server().port, "admin": Server().admin_port}
    probes = [CONTAINER[f"{kind}Probe"]["httpGet"] for kind in ("startup", "liveness", "readiness")]
    assert {(probe["path"], probe["port"]) for probe in probes} == {
        ("/healthz", "admin"),
        ("/readyz", "admin"),
    }
    readiness = CONTAINER["readinessProbe"]
    server = load(FOLDER / "deviceflow.toml", environ={}).server
    assert server.lame_duck_s > readiness["periodSeconds"] * readiness["failureThreshold"]
    assert POD["spec"]["terminationGracePeriodSeconds"] > server.lame_duck_s + server.shutdown_s


def test_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is right, and so are the variables.

    The one warning is about the admin port, from which network-policy.yaml keeps others away.
    """
    for variable in CONTAINER["env"]:
        monkeypatch.setenv(variable["name"], variable.get("value", "redis://localhost"))
    monkeypatch.delenv("DEVICEFLOW_CONFIG")
    file = FOLDER / "deviceflow.toml"
    warning, result = CliRunner().invoke(check, [str(file)]).output.splitlines()
    assert warning.startswith(f"{file}: warning: server.admin_host: ")
    assert result == f"{file}: ok (1 client, 0 users)"
    (generated,) = KUSTOMIZATION["configMapGenerator"]
    (mounted,) = [volume for volume in POD["spec"]["volumes"] if "configMap" in volume]
    assert (generated["name"], generated["files"]) == (mounted["configMap"]["name"], [file.name])
