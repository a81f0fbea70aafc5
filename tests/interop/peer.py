"""Other people's client libraries, each as a program of its own that plays a device.

A program is asked with one JSON object (`issuer`, `client_id`, `scope`, ... and what only some
libraries can do), and tells a line of JSON for each step: `discovered`, `authorized`, `tokens`,
`userinfo`, `refreshed`, `revoked`, and at the end `done` or `failed` with the `error`.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from shutil import which
from typing import Any, NamedTuple

import pytest

from tests.stage.program import Notes

HERE = Path(__file__).parent
SPRING = HERE / "spring_security/target"
SECRETS = ("device_code", "user_code", "access_token", "id_token", "secret")

Step = dict[str, Any]


class Library(NamedTuple):
    """A library. `command` runs its program, `made` is there when it has been installed."""

    name: str
    tool: str
    made: Path
    command: tuple[str, ...]

    def check(self) -> None:
        """Skip where it cannot be run, and say why; where everything has to run, fail."""
        if which(self.tool) is None:
            _leave_out(f"{self.name} is not tried: {self.tool} is not installed")
        if not self.made.exists():
            _leave_out(f"{self.name} is not tried: `make interop` installs it, or says why not")


OPENID_CLIENT = Library(
    "openid-client",
    "node",
    HERE / "openid_client/node_modules",
    ("node", str(HERE / "openid_client/client.mjs")),
)
OIDC_PROVIDER = Library(
    "oidc-provider",
    "node",
    HERE / "oidc_provider/node_modules",
    ("node", str(HERE / "oidc_provider/provider.mjs")),
)
GO_PROVIDER = Library(
    "the provider of zitadel/oidc",
    "go",
    HERE / "go_provider/provider",
    (str(HERE / "go_provider/provider"),),
)
GO_OAUTH2 = Library(
    "golang.org/x/oauth2",
    "go",
    HERE / "go_oauth2/client",
    (str(HERE / "go_oauth2/client"),),
)
REQUESTS_OAUTHLIB = Library(
    "requests-oauthlib",
    sys.executable,
    HERE / "requests_oauthlib/client.py",
    (sys.executable, str(HERE / "requests_oauthlib/client.py")),
)
AUTHLIB = Library(
    "Authlib",
    sys.executable,
    HERE / "authlib_requests/client.py",
    (sys.executable, str(HERE / "authlib_requests/client.py")),
)
JAVA = ("java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
"""It runs for seconds, too short for the best code to be worth its making."""

SPRING_SECURITY = Library(
    "Spring Security",
    "java",
    HERE / "spring_security/target/classes",
    (
        *JAVA,
        "-cp",
        f"{HERE}/spring_security/target/classes:{HERE}/spring_security/target/dependency/*",
        "Peer",
    ),
)
RUST_OPENIDCONNECT = Library(
    "openidconnect",
    "cargo",
    HERE / "rust_openidconnect/target/debug/client",
    (str(HERE / "rust_openidconnect/target/debug/client"),),
)
GO_ZITADEL = Library(
    "zitadel/oidc",
    "go",
    HERE / "go_zitadel/client",
    (str(HERE / "go_zitadel/client"),),
)
JAVA_NIMBUS = Library(
    "Nimbus",
    "java",
    HERE / "java_nimbus/target/classes",
    (
        *JAVA,
        "-cp",
        f"{HERE}/java_nimbus/target/classes:{HERE}/java_nimbus/target/dependency/*",
        "Peer",
    ),
)
MSAL = Library(
    "MSAL for Python",
    sys.executable,
    HERE / "msal_python/client.py",
    (sys.executable, str(HERE / "msal_python/client.py")),
)
JOSE = Library(
    "jose",
    "node",
    HERE / "node_jose/node_modules",
    ("node", str(HERE / "node_jose/client.mjs")),
)
CLIENTS = (
    OPENID_CLIENT,
    GO_OAUTH2,
    REQUESTS_OAUTHLIB,
    RUST_OPENIDCONNECT,
    GO_ZITADEL,
    JAVA_NIMBUS,
)
LIBRARIES = (*CLIENTS, AUTHLIB, MSAL, JOSE, SPRING_SECURITY)


class Peer:
    """A program that runs. Every secret that it tells is noted."""

    def __init__(self, library: Library, asked: dict[str, Any], notes: Notes) -> None:
        library.check()
        self._notes = notes
        self._process = subprocess.Popen(
            [*library.command, json.dumps(asked)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=_environment(),
        )

    def step(self, name: str) -> Step:
        """The next step, which has to be this one."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            assert self._process.stderr is not None
            pytest.fail(f"it ended before {name}: {self._process.stderr.read()}")
        said: Step = json.loads(line)
        self._note(said)
        assert said["step"] == name, said
        return said

    def fails(self) -> str:
        """The error that it ends with."""
        return str(self.step("failed")["error"])

    def end(self) -> None:
        """Leave no process behind."""
        self._process.kill()
        self._process.communicate()

    def _note(self, said: Step) -> None:
        self._notes.add(*(str(said.get(name) or "") for name in SECRETS))
        # Only the secret part: the store keeps the name of a family.
        self._notes.add(str(said.get("refresh_token") or "").partition(".")[2])


def _leave_out(reason: str) -> None:
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def _environment() -> dict[str, str]:
    """Ours, without proxies: the server is on loopback."""
    return {
        name: text
        for name, text in os.environ.items()
        if not name.startswith("DEVICEFLOW_") and not name.lower().endswith("_proxy")
    }
