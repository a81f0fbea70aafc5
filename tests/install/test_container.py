"""config/container: what can be said of the files without a registry of images.

Nothing is built here. The Containerfile is linted, and what it copies is there.
"""

import re

import yaml
from click.testing import CliRunner

from deviceflow.cli.check import check
from deviceflow.config import Server, load
from tests.stage.checkout import ROOT
from tests.stage.tools import output_of

CONTAINER = ROOT / "config" / "container"
CONTAINERFILE = (CONTAINER / "Containerfile").read_text(encoding="utf-8")
COMPOSE = yaml.safe_load((CONTAINER / "compose.yaml").read_text(encoding="utf-8"))


def test_the_linter_has_no_complaint() -> None:
    assert output_of("hadolint", str(CONTAINER / "Containerfile")) == ""


def test_what_it_copies_is_there_and_not_ignored() -> None:
    copies = re.findall(r"^COPY (?!--from)(.+) \S+$", CONTAINERFILE, re.MULTILINE)
    sources = {name for line in copies for name in line.split()}
    assert {"deviceflow", "templates", "config", "pyproject.toml"} <= sources
    assert {name for name in sources if not (ROOT / name).exists()} == set()
    ignored = (CONTAINER / "Containerfile.dockerignore").read_text(encoding="utf-8")
    assert {name for name in sources if f"\n!{name}\n" not in ignored} == set()


def test_it_installs_only_what_is_pinned() -> None:
    """Each file of a package by its hash; and deviceflow itself, for which nothing is fetched."""
    installs = re.findall(r"pip install (.*)", CONTAINERFILE)
    options = "--no-cache-dir --require-hashes --only-binary :all: -r"
    assert [line.removesuffix(" \\") for line in installs] == [
        f"{options} requirements.lock",
        f"{options} requirements-build.lock",
        "--no-cache-dir --no-deps dist/*.whl",
    ]


def test_it_runs_as_no_root_and_writes_to_one_folder() -> None:
    assert re.search(r"^USER [1-9]\d*:[1-9]\d*$", CONTAINERFILE, re.MULTILINE)
    (volume,) = re.findall(r"^VOLUME (\S+)$", CONTAINERFILE, re.MULTILINE)
    assert f"DEVICEFLOW_SERVER_DATA_DIR={volume} " in CONTAINERFILE
    assert f"127.0.0.1:{Server().admin_port}/healthz" in CONTAINERFILE
    assert f"EXPOSE {Server().port}\n" in CONTAINERFILE


def test_the_linter_of_compose_has_no_grave_complaint() -> None:
    """Digests of images, its only complaint, are for the operator to pin."""
    report = output_of("compose-lint", str(CONTAINER / "compose.yaml"))
    assert set(re.findall(r"\bCL-\d+\b(?! +\(e\.g)", report.split("Details on")[0])) == {"CL-0019"}


def test_the_parts_of_compose_fit() -> None:
    """The settings trust its network, the proxy leads to the server, and it alone is public."""
    file = CONTAINER / "deviceflow.toml"
    assert CliRunner().invoke(check, [str(file)]).output == f"{file}: ok (1 client, 0 users)\n"
    (network,) = COMPOSE["networks"]["inside"]["ipam"]["config"]
    assert load(file, environ={}).server.trusted_proxies == (network["subnet"],)
    services = COMPOSE["services"]
    assert [name for name, service in services.items() if "ports" in service] == ["proxy"]
    assert all(service["read_only"] for service in services.values())
    environment = services["deviceflow"]["environment"]
    assert environment["DEVICEFLOW_REDIS_URL"].startswith("redis://store:")
    caddyfile = (CONTAINER / "Caddyfile").read_text(encoding="utf-8")
    assert f"reverse_proxy deviceflow:{Server().port} " in caddyfile


def test_the_proxy_of_compose() -> None:
    arguments = ("validate", "--adapter", "caddyfile", "--config", str(CONTAINER / "Caddyfile"))
    assert "Valid configuration" in output_of("caddy", *arguments)
