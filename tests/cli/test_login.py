"""`deviceflow login` with a scripted server: its output and its exit status."""

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from deviceflow.cli.login import login
from tests.stage.program import environment
from tests.stage.proxying import certificate_for, proxying, with_tls
from tests.stage.scripted import CODES, TOKENS, FakeTime, Say, ScriptedServer, error, serve


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    async with serve(FakeTime()) as scripted:
        # Held polls start at once, so that no test waits for an interval.
        scripted.metadata = {"device_poll_max_wait": 30}
        scripted.polls = [Say(TOKENS)]
        yield scripted


async def run(server: ScriptedServer, *arguments: str, **environ: str) -> Result:
    """Run the command. The server answers from this thread."""
    return await asyncio.to_thread(
        CliRunner().invoke, login, [server.issuer, *arguments], env=environ
    )


def browser(monkeypatch: pytest.MonkeyPatch, status: int = 0) -> list[str]:
    """Replace the browser by a list."""
    opened: list[str] = []

    def launch(url: str) -> int:
        opened.append(url)
        return status

    monkeypatch.setattr(click, "launch", launch)
    return opened


async def test_tokens_go_to_stdout_and_the_rest_to_stderr(server: ScriptedServer) -> None:
    result = await run(server, "--scope", "openid profile", "--scope", "offline_access")
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "token type     Bearer",
        "lifetime       1 hour (3600 s)",
        "scope          openid",
        "",
        "access token",
        TOKENS["access_token"],
    ]
    assert "https://example.com/device\n" in result.stderr
    assert "WDJB-MJHT\n" in result.stderr
    assert "█" in result.stderr
    (request,) = server.requests("/device_authorization")
    assert request.form == {"client_id": "tv-app", "scope": "openid profile offline_access"}
    assert request.headers["User-Agent"].startswith("deviceflow/")


async def test_json_is_the_servers_answer_and_nothing_else(server: ScriptedServer) -> None:
    server.polls = [Say({**TOKENS, "more": [1]})]
    result = await run(server, "--json")
    assert json.loads(result.stdout) == {**TOKENS, "more": [1]}
    assert result.stdout.count("\n") == 1
    assert result.exit_code == 0


async def test_no_qr(server: ScriptedServer) -> None:
    result = await run(server, "--no-qr")
    assert "scan" not in result.stderr
    assert str(CODES["verification_uri_complete"]) in result.stderr


async def test_no_wait_prints_the_codes_and_does_not_poll(server: ScriptedServer) -> None:
    result = await run(server, "--no-wait", "--json")
    assert json.loads(result.stdout) == CODES
    result = await run(server, "--no-wait")
    assert f"device_code                {CODES['device_code']}\n" in result.stdout
    assert (result.exit_code, server.polled) == (0, [])


async def test_the_secret_comes_from_the_environment(server: ScriptedServer) -> None:
    result = await run(server, "--client-secret-env", "TV_SECRET", TV_SECRET="s3cret")
    assert result.exit_code == 0
    assert server.polled[0].headers["Authorization"].startswith("Basic ")
    assert "s3cret" not in result.output


async def test_open_opens_the_complete_address(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = browser(monkeypatch)
    await run(server, "--open")
    assert opened == [CODES["verification_uri_complete"]]


async def test_open_without_a_browser_goes_on(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser(monkeypatch, status=1)
    result = await run(server, "--open")
    assert "no browser could be opened" in result.stderr
    assert result.exit_code == 0


@pytest.mark.parametrize("address", ["file:///etc/passwd", "-x", "https://a/\x1b"])
async def test_open_opens_only_pages(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    opened = browser(monkeypatch)
    server.codes = Say({**CODES, "verification_uri_complete": address})
    result = await run(server, "--open", "--no-wait")
    assert opened == []
    assert "not a web page's" in result.stderr


@pytest.mark.parametrize(
    ("poll", "status", "words"),
    [
        (error("access_denied"), 3, "the sign-in was denied. Nothing was connected."),
        (error("expired_token"), 4, "the code expired before it was approved."),
        (error("invalid_grant"), 1, "invalid_grant; start again"),
        (Say("<html>", status=404), 1, "HTTP 404 and no JSON object"),
    ],
)
async def test_other_ends(server: ScriptedServer, poll: Say, status: int, words: str) -> None:
    """8628-3.5-c."""
    server.polls = [poll]
    result = await run(server, "--json")
    last = result.stderr.splitlines()[-1]
    assert last.startswith("deviceflow login: ")
    assert words in last
    assert (result.exit_code, result.stdout) == (status, "")


async def test_an_expiry_without_a_word_from_the_server(server: ScriptedServer) -> None:
    server.codes = Say({**CODES, "expires_in": 1})
    server.polls = []
    result = await run(server)
    assert result.exit_code == 4


async def test_a_refused_client(server: ScriptedServer) -> None:
    server.codes = Say({"error": "invalid_client", "error_description": "Unknown."}, status=401)
    result = await run(server, "--client-id", "radio")
    assert result.stderr == (
        'deviceflow login: the server refused the client "radio": invalid_client: Unknown; '
        "check --client-id and the client's secret.\n"
    )
    assert (result.exit_code, result.stdout) == (1, "")


async def test_not_an_oauth_server(server: ScriptedServer) -> None:
    server.well_known = {}
    result = await run(server)
    assert "is not an OAuth server" in result.stderr
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)


async def test_no_device_flow(server: ScriptedServer) -> None:
    server.metadata = {"device_authorization_endpoint": None}
    result = await run(server)
    assert "has no device_authorization_endpoint" in result.stderr
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)


def test_unreachable() -> None:
    result = CliRunner().invoke(login, ["http://127.0.0.1:1"])
    expected = (
        "deviceflow login: Cannot reach http://127.0.0.1:1: connection refused. Is the server "
        "running there, and is the port right?\n"
    )
    assert (result.exit_code, result.stderr) == (1, expected)


@pytest.mark.parametrize(
    "arguments",
    [
        ["a", "b"],
        ["--client-id", ""],
        ["--client-secret-env", "DEVICEFLOW_NOT_SET"],
        ["--nonsense"],
    ],
)
def test_wrong_usage(arguments: list[str]) -> None:
    assert CliRunner().invoke(login, arguments).exit_code == 2


def test_help_tells_the_exit_status() -> None:
    text = " ".join(CliRunner().invoke(login, ["--help"]).stdout.split())
    assert "0 tokens, 1 error, 2 usage, 3 denied, 4 expired, 130 Ctrl-C" in text


async def test_ctrl_c_ends_cleanly(server: ScriptedServer) -> None:
    server.metadata = {}
    server.polls = []  # pending for ever
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "deviceflow", "login", server.issuer, "--no-qr"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        # A shell that starts the tests in the background has them ignore it, and so their children.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stderr is not None
    await process.stderr.readuntil(b"Waiting")
    process.send_signal(signal.SIGINT)
    out, err = await process.communicate()
    assert (process.returncode, out) == (130, b"")
    assert err.endswith(b"stopped. The code expires by itself; nothing was saved.\n")
    assert b"Traceback" not in err


async def test_through_a_proxy_only(server: ScriptedServer, tmp_path: Path) -> None:
    """HTTPS_PROXY leads to a name that this machine cannot look up; NO_PROXY ends that."""
    port = int(server.issuer.rpartition(":")[2])
    server.issuer = "https://login.invalid"
    certificate = certificate_for("login.invalid", tmp_path)

    async def login_with(**environ: str) -> tuple[int | None, str, str]:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "deviceflow", "login", server.issuer, "--no-qr"),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=environment() | {"SSL_CERT_FILE": str(certificate)} | environ,
        )
        out, err = await process.communicate()
        return process.returncode, out.decode(), err.decode()

    async with with_tls(port, certificate) as tls, proxying(tls) as proxy:
        for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
            server.polls = [Say(TOKENS)]
            status, out, err = await login_with(**{name: proxy.url})
            assert (status, str(TOKENS["access_token"]) in out) == (0, True), err
        assert {*proxy.heard} == {"CONNECT login.invalid:443 HTTP/1.1"}
        proxy.heard.clear()
        status, _, err = await login_with(HTTPS_PROXY=proxy.url, NO_PROXY=".invalid")
        assert (status, "no such host" in err, proxy.heard) == (1, True, [])
    status, _, err = await login_with(HTTPS_PROXY="socks5://127.0.0.1:1")
    assert (status, "a proxy must have the form http://host:port" in err) == (1, True)
