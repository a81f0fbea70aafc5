"""The API and the console of operators at a server with two workers."""

import json
import re
import subprocess
from contextlib import ExitStack, closing
from http.client import HTTPConnection
from pathlib import Path
from shutil import which
from signal import SIGHUP
from typing import Any
from urllib.request import HTTPRedirectHandler, Request, build_opener

import pytest

from deviceflow.admin.api.problems import PROBLEM_KINDS
from tests.process.test_docs import section
from tests.stage.checkout import DOCS
from tests.stage.process import Command, MakeProgram, NewDevice
from tests.stage.program import Program, environment
from tests.stage.waiting import PATIENCE_S, until_outside
from tests.stage.wire import Answer, Device, fetch, hidden_fields, request_of

TOKEN = "5ec7e7" * 10
NEXT_TOKEN = "0b5e55" * 10
ADA = {"sub": "u-1", "username": "grace", "name": "Grace Hopper"}


def write_tokens(path: Path, *tokens: str) -> Path:
    path.write_text("\n".join(tokens), encoding="ascii")
    path.chmod(0o600)
    return path


@pytest.fixture
def program(make_program: MakeProgram, folder: Path) -> Program:
    path = write_tokens(folder / "tokens", TOKEN)
    variables = {"DEVICEFLOW_ADMIN_TOKEN_FILE": str(path)}
    made = make_program("--workers", "2", variables=variables)
    made.notes.add(TOKEN, NEXT_TOKEN)
    return made


def send(
    program: Program, path: str, body: dict[str, Any] | None = None, token: str = TOKEN
) -> Answer:
    """A GET, or a POST of a JSON body, on a connection of its own: the kernel picks the worker."""
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    return fetch(Request(f"{program.admin_url}/api/v1{path}", data, headers))  # noqa: S310, our own


def find(program: Program, device: Device) -> str:
    found = send(program, "/grants/find", {"user_code": device.user_code})
    assert found.status == 200, found.page
    return str(found.body["id"])


def test_every_worker_takes_decisions(program: Program, device: NewDevice) -> None:
    """Twenty grants, decided over connections that the kernel spreads over both workers."""
    for number in range(20):
        tv = device().authorize()
        path = f"/grants/{find(program, tv)}"
        if number % 2:
            assert send(program, f"{path}/deny", {"sub": "u-1"}).body["state"] == "denied"
            assert tv.wait() == "access_denied"
        else:
            assert send(program, f"{path}/approve", ADA).body["state"] == "approved"
            assert tv.wait() == "tokens"
    people = send(program, "/people?name=grace").body
    assert people["sub"] == "u-1"
    ended = send(program, "/people/u-1/devices/disconnect", {}).body
    assert ended == {"disconnected": 10}
    assert send(program, "/fleet").body["workers"] == 2


def test_a_reload_reads_the_file_again(program: Program, folder: Path, command: Command) -> None:
    def reload() -> tuple[str, int]:
        ended = command("reload", "--data-dir", str(program.data_dir))
        return ended.stderr, ended.returncode

    path = "/clients/tv"
    assert send(program, path).status == 200
    write_tokens(folder / "tokens", TOKEN, NEXT_TOKEN)
    assert send(program, path, token=NEXT_TOKEN).status == 401
    # A connection may still wait in the queue of a worker that is about to close it.
    assert reload() == ("", 0)
    until_outside(lambda: send(program, path, token=NEXT_TOKEN).status == 200)
    write_tokens(folder / "tokens", NEXT_TOKEN)
    assert reload() == ("", 0)
    until_outside(lambda: send(program, path).status == 401)

    (folder / "tokens").chmod(0o644)
    problem, status = reload()
    assert status == 1
    assert "admin.token_file" in problem
    assert "mode 0644" in problem
    assert send(program, path, token=NEXT_TOKEN).status == 200, "nothing has changed"


def test_workers_that_still_serve_devices_take_no_token_of_before(
    program: Program, folder: Path
) -> None:
    """They end each kept connection of a device with its next answer, for which they wait."""

    def ask(connection: HTTPConnection) -> int:
        connection.request("GET", "/.well-known/oauth-authorization-server")
        answer = connection.getresponse()
        answer.read()
        return answer.status

    with ExitStack() as stack:
        kept = [
            stack.enter_context(closing(HTTPConnection("127.0.0.1", program.port)))
            for _ in range(20)
        ]
        assert {ask(each) for each in kept} == {200}
        for each in kept:
            each.auto_open = 0  # ask no other worker
        write_tokens(folder / "tokens", NEXT_TOKEN)
        program.signal(SIGHUP)
        program.wait_for("server.changed")
        until_outside(lambda: {send(program, "/clients/tv").status for _ in range(200)} == {401})
        assert {ask(each) for each in kept} == {200}


def test_a_file_that_is_no_good_is_said_at_the_start(folder: Path, command: Command) -> None:
    write_tokens(folder / "short", "1234")
    variables = {"DEVICEFLOW_ADMIN_TOKEN_FILE": str(folder / "short")}
    ended = command(
        "serve",
        "--port",
        "0",
        "--admin-port",
        "0",
        "--data-dir",
        str(folder / "d"),
        variables=variables,
    )
    assert ended.returncode == 1
    assert "admin.token_file" in ended.stderr
    assert "line 1: shorter than 32 characters" in ended.stderr
    assert "1234" not in ended.stderr


def test_without_a_file_both_are_off(make_program: MakeProgram) -> None:
    program = make_program()
    refused = send(program, "/fleet")
    assert refused.status == 404
    assert "admin.token_file" in refused.page
    console = fetch(request_of(f"{program.admin_url}/"))
    assert (console.status, "The console is off" in console.page) == (403, True)
    assert fetch(request_of(f"{program.admin_url}/healthz")).status == 200


def test_the_console_of_both_workers(program: Program, device: NewDevice) -> None:
    """The session that one worker begins is known to the other; a decision reaches the device."""
    tv = device().authorize()
    grant_id = find(program, tv)
    console = f"{program.admin_url}/console"
    begun = fetch(request_of(f"{console}/sign-in", {"token": TOKEN}), build_opener(_Stay).open)
    assert begun.status == 303
    cookie = begun.headers["Set-Cookie"].partition(";")[0]
    program.notes.add(cookie.partition("=")[2])
    headers = {"Cookie": cookie}
    for _ in range(10):
        assert "Polls by outcome" in fetch(request_of(console, None, headers)).page
    page = fetch(request_of(f"{console}/grants/{grant_id}/cancel", None, headers)).page
    fields = hidden_fields(page)
    assert fetch(request_of(f"{console}/grants/{grant_id}/cancel", fields, headers)).status == 200
    assert tv.wait() == "access_denied"


def test_the_command_lines_of_the_page(program: Program, device: NewDevice) -> None:
    """As written: one grant is approved, one denied, one cancelled; then access ends."""
    for tool in ("/bin/bash", "curl", "openssl"):
        if which(tool) is None:
            pytest.skip(f"{tool} is not installed")
    tv, other, third = [device().authorize() for _ in range(3)]

    def run(script: str, **variables: str) -> list[dict[str, Any]]:
        places = {"ADMIN": f"{program.admin_url}/api/v1", "TOKEN": TOKEN}
        ended = subprocess.run(
            ["/bin/bash", "-euo", "pipefail", "-c", script],
            check=True,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            env=environment() | places | variables,
        )
        decoder, text, answers = json.JSONDecoder(), ended.stdout, []
        while text:
            answer, end = decoder.raw_decode(text)
            answers.append(answer)
            text = text[end:]
        return answers

    ids = {"other": find(program, other), "third": find(program, third)}
    find_it, approve, decide = page("An approval page of your own", "sh")
    (shown,) = page("An approval page of your own", "json")
    (found,) = run(find_it, user_code=tv.user_code.lower())
    assert found.keys() <= json.loads(shown).keys()
    approval = run(approve, id=found["id"])[0]
    assert (approval["state"], approval["scope"]) == ("approved", "openid profile")
    assert tv.wait() == "tokens"
    assert [each["state"] for each in run(decide, **ids)] == ["denied", "cancelled"]

    (script,) = page("People and devices", "sh")
    person, devices, disconnected, ended = run(script)
    assert person["sub"] == "248289761001"
    assert (devices["total"], disconnected, ended) == (1, {"disconnected": 1}, {"ended": 0})
    (script,) = page("Clients", "sh")
    listed, client, _ = run(script.replace("tv-app", "tv"))
    assert client in listed["clients"]
    (script,) = page("The fleet", "sh")
    assert run(script)[0]["workers"] == 2
    (problem,) = page("Errors", "json")
    refused = send(program, f"/grants/{ids['other']}/approve", ADA | {"sub": "248289761001"})
    assert json.loads(refused.page) == json.loads(problem)


def test_the_page_names_every_error() -> None:
    text = (DOCS / "operations/admin-api.md").read_text(encoding="utf-8")
    rows = set(re.findall(r"`(\w+)`", text.partition("| status | `error` |")[2]))
    assert {str(error) for error in PROBLEM_KINDS} <= rows


def page(heading: str, language: str) -> list[str]:
    return section("operations/admin-api.md", heading, language)


class _Stay(HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        """Follow no redirect: the answer is the redirect itself."""
