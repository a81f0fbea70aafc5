"""The command lines and settings on the pages in docs work as written."""

import json
import re
import shlex
import subprocess
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from shutil import which
from tempfile import TemporaryDirectory
from typing import Any

import jwt
import pytest
from click.testing import CliRunner
from joserfc.jwk import ECKey

from deviceflow.__main__ import main
from deviceflow.core.messages import RegistrationRequest
from tests.stage.checkout import DOCS
from tests.stage.program import Notes, Program, environment
from tests.stage.valkey import Valkey
from tests.stage.waiting import PATIENCE_S
from tests.stage.wire import PASSWORD, Browser, Device, fetch, request_of

SECRET = "5ec7e7" * 10
INITIAL = "1a" * 32
API = "https://api.example.com/readings"
TV = """
[[clients]]
client_id = "tv-app"
name = "Living-room TV"
scopes = ["openid", "profile", "offline_access"]
"""

Shell = Callable[..., str]


def section(page: str, heading: str, language: str) -> list[str]:
    """The blocks of code in one section of a page, in their order."""
    text = (DOCS / page).read_text(encoding="utf-8")
    part = text.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    blocks = re.findall(rf"```{language}\n(.*?)```", part, re.DOTALL)
    assert blocks
    return blocks


def settings() -> str:
    """What the pages say that an operator writes, each with a digest of ours."""
    digests = {"apis.md": sha256(SECRET.encode()), "registration.md": sha256(INITIAL.encode())}
    blocks = {
        "apis.md": [
            *section("apis.md", "Name the API", "toml"),
            *section("apis.md", "Ask the server", "toml"),
        ],
        "registration.md": section("registration.md", "Turn it on", "toml"),
    }
    parts = [
        block.replace("0" * 64, digests[page].hexdigest())
        for page, of_page in blocks.items()
        for block in of_page
    ]
    return '[log]\nformat = "json"\n' + "\n".join([*parts, TV])


@pytest.fixture(scope="module")
def server(user_tables: str) -> Iterator[Program]:
    with TemporaryDirectory(prefix="df-") as name:
        program = Program(Path(name), (), Notes())
        program.config.write_text(settings() + user_tables, encoding="utf-8")
        try:
            program.start()
            yield program
        finally:
            program.end()


@pytest.fixture
def shell(server: Program) -> Shell:
    """Run command lines in a shell that has `ISSUER` and what else is given; what they print."""
    for tool in ("/bin/bash", "curl", "openssl", "sha256sum"):
        if which(tool) is None:
            pytest.skip(f"{tool} is not installed")

    def run(script: str, **variables: str) -> str:
        ended = subprocess.run(
            ["/bin/bash", "-euo", "pipefail", "-c", script],
            check=True,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            env=environment() | {"ISSUER": server.url} | variables,
        )
        return ended.stdout

    return run


def approve(server: Program, user_code: str) -> None:
    person = Browser(server)
    person.open(f"/device?user_code={user_code}")
    person.submit("/login", username="ada", password=PASSWORD)
    person.submit("/device", user_code=user_code)
    assert person.submit("/device", user_code=user_code, decision="approve").status == 200


def tokens(server: Program, client_id: str, scope: str) -> dict[str, Any]:
    device = Device(server, client_id).authorize(scope=scope)
    approve(server, device.user_code)
    assert device.poll().status == 200
    return device.tokens


def test_an_api_that_verifies(server: Program) -> None:
    """9068-4-a: the example takes its own tokens, and neither others nor an ID token."""
    (example,) = section("apis.md", "Verify a token by yourself", "python")
    names: dict[str, Any] = {}
    exec(example.replace("http://127.0.0.1:8628", server.url), names)  # noqa: S102, our own page
    good = tokens(server, "meter", "openid readings")
    assert names["claims_of"](good["access_token"])["scope"] == "openid readings"
    for other in (good["id_token"], tokens(server, "tv-app", "openid")["access_token"]):
        with pytest.raises(jwt.InvalidTokenError):
            names["claims_of"](other)
    names["API"] = "meter"  # for whom the ID token is, so that only its type is wrong
    with pytest.raises(jwt.InvalidTokenError):
        names["claims_of"](good["id_token"])


def test_an_api_that_asks(server: Program, shell: Shell) -> None:
    """The answer has the members that the page shows; another API's token is inactive."""
    (line,) = section("apis.md", "Ask the server", "sh")
    (shown,) = section("apis.md", "Ask the server", "json")
    token = tokens(server, "meter", "readings")["access_token"]
    told = json.loads(shell(line, SECRET=SECRET, TOKEN=token))
    assert told["active"] is True
    assert told["aud"] == API
    assert list(told) == list(json.loads(shown))
    other = tokens(server, "tv-app", "openid")["access_token"]
    assert json.loads(shell(line, SECRET=SECRET, TOKEN=other)) == {"active": False}


def test_a_challenge(server: Program, shell: Shell) -> None:
    """RFC 7636 4.2: what openssl makes of the verifier is the challenge."""
    ask, poll = section("devices.md", "Binding the code", "sh")
    codes, verifier = shell(f'{ask}\necho; printf %s "$code_verifier"').splitlines()
    grant = json.loads(codes)
    approve(server, grant["user_code"])
    variables = {"device_code": grant["device_code"], "code_verifier": "w" * 43}
    assert json.loads(shell(poll, **variables))["error"] == "invalid_grant"
    assert json.loads(shell(poll, **variables | {"code_verifier": verifier}))["access_token"]


def test_who_approved_and_signing_out(server: Program, shell: Shell) -> None:
    userinfo, revoke = section("devices.md", "Who approved, and signing out", "sh")
    given = tokens(server, "tv-app", "openid profile offline_access")
    variables = {name: given[name] for name in ("access_token", "refresh_token")}
    assert json.loads(shell(userinfo, **variables))["preferred_username"] == "ada"
    assert shell(revoke, **variables) == ""
    assert json.loads(shell(userinfo, **variables))["error"] == "invalid_token"


def test_a_registration(server: Program, shell: Shell) -> None:
    """RFC 7591 3, RFC 7592 2: from the token to the end, as the page tells it."""
    (make,) = section("registration.md", "Turn it on", "sh")
    digest, token = shell(make).splitlines()
    assert digest.split()[0] == sha256(token.encode()).hexdigest()

    (register,) = section("registration.md", "Register", "sh")
    (shown,) = section("registration.md", "Register", "json")
    client = json.loads(shell(register, TOKEN=INITIAL))
    assert client.keys() == json.loads(shown).keys()
    form = {"client_id": client["client_id"], "scope": "openid"}
    assert fetch(request_of(f"{server.url}/oauth2/device_authorization", form)).status == 200

    (manage,) = section("registration.md", "Look, change, delete", "sh")
    look, change, delete = manage.split("\ncurl")
    known = {
        "URI": client["registration_client_uri"],
        "TOKEN": client["registration_access_token"],
    }
    assert json.loads(shell(look, **known)) == client
    change = change.replace(json.loads(shown)["client_id"], client["client_id"])
    changed = json.loads(shell(f"curl{change}", **known))
    assert changed == client | {"client_name": "Garden sensor 2", "scope": "openid"}
    assert shell(f"curl{delete}", **known) == ""
    assert json.loads(shell(look, **known))["error"] == "invalid_token"


def test_the_members_of_a_registration_are_all_there() -> None:
    """Each member that the server understands has its row; the two of RFC 7592 are told."""
    page = (DOCS / "registration.md").read_text(encoding="utf-8")
    rows = set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE))
    assert rows | {"jwks_uri", "client_id", "client_secret"} == {
        *RegistrationRequest.__struct_fields__
    }


def test_a_secret(shell: Shell) -> None:
    """RFC 6749 2.3.1: of characters that a Basic header takes as they are."""
    (recipe,) = section("configuration.md", "A client's secret", "")
    digest, secret = shell(recipe).splitlines()
    assert re.fullmatch("[A-Za-z0-9]{43,}", secret)
    assert digest.split()[0] == sha256(secret.encode()).hexdigest()


def operations(page: str) -> list[str]:
    """The command lines on a page of docs/operations, in their order."""
    text = (DOCS / "operations" / page).read_text(encoding="utf-8")
    blocks = re.findall(r"```\n(.*?)```", text, re.DOTALL)
    assert blocks
    return blocks


@pytest.fixture
def operator(
    start_valkey: Callable[..., Valkey], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Shell:
    """Run command lines of an operator in this process, in a folder that has a client's keys."""
    key, newer = (ECKey.generate_key("P-256", {"kid": kid}) for kid in ("one", "two"))
    for name, keys in (("meter", [key]), ("meter-and-its-new-key", [key, newer])):
        jwks = {"keys": [each.as_dict(private=False) for each in keys]}
        (tmp_path / f"{name}.json").write_text(json.dumps(jwks), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    runner = CliRunner(env={"DEVICEFLOW_REDIS_URL": start_valkey().url})

    def run(script: str) -> str:
        printed = ""
        for line in script.replace("\\\n", " ").splitlines():
            program, *arguments = shlex.split(line)
            assert program == "deviceflow"
            ended = runner.invoke(main, arguments)
            assert ended.exit_code == 0, ended.output
            printed += ended.stdout
        return printed

    return run


def test_the_commands_for_clients(operator: Shell) -> None:
    """Each line works after the one before it."""
    (block,) = operations("clients.md")
    printed = operator(block)
    assert "disabled meter" in printed
    listed = operator("deviceflow clients list").splitlines()
    assert [line.split()[:2] for line in listed] == [["tv", "enabled"], ["tv-box", "enabled"]]


def test_the_commands_after_a_leak(operator: Shell) -> None:
    """The key that signed is no longer published; a secret is changed twice."""
    keys, secret, *_ = operations("incident.md")
    operator("deviceflow keys rotate")
    leaked = operator("deviceflow keys list").split()[0]
    operator(keys.replace("KEY_ID", leaked))
    left = operator("deviceflow keys list").splitlines()
    assert [line.split()[2] for line in left] == ["signs"]
    assert left[0].split()[0] != leaked

    operator("deviceflow clients add box --name Box --auth-method client_secret_basic")
    secrets = operator(secret.replace("CLIENT_ID", "box")).split()
    assert len(set(secrets)) > 1
    assert json.loads(operator("deviceflow clients show box"))["secrets"] == 2
