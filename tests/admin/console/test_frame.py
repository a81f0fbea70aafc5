"""What all pages of the console have in common: headers, hosts, forms, errors."""

from unittest import mock

import msgspec
import pytest

from deviceflow.config import Admin
from deviceflow.store.errors import StoreUnavailable
from tests.stage.admin import TOKENS
from tests.stage.console import ConsoleBrowser
from tests.stage.oauth import Stage, Worker

POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; script-src 'self'; connect-src 'self'"
)


@pytest.mark.parametrize("path", ["/", "/console", "/console/clients", "/console/nothing"])
async def test_headers(console: ConsoleBrowser, path: str) -> None:
    answer = await console.open(path)
    assert answer.headers["Content-Security-Policy"] == POLICY
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert answer.headers["Cache-Control"] == "no-store"
    assert "<style" not in console.page
    assert " style=" not in console.page
    assert "<script>" not in console.page


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1:8629", "localhost", "LOCALHOST:80", "[::1]:8629", "10.1.2.3", "ops.example.com"],
)
async def test_names_that_are_ours(stage: Stage, host: str) -> None:
    admin = Admin(hosts=("ops.example.com",))
    settings = msgspec.structs.replace(stage.settings, admin=admin)
    worker = await stage.start_worker(settings, admin_tokens=TOKENS)
    assert (await ConsoleBrowser(worker, host).sign_in()).status == 200


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil", "x"])
async def test_a_strangers_name(console: ConsoleBrowser, host: str) -> None:
    """DNS rebinding: even with the cookie, which a browser would not send there."""
    console.host = host
    for path in ("/console", "/console/sign-in", "/console/fleet", "/console/static/console.css"):
        assert (await console.open(path)).status == 403
        assert "admin.hosts" in console.text


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:9999"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
async def test_a_form_of_another_site(console: ConsoleBrowser, headers: dict[str, str]) -> None:
    await console.open("/console")
    fields = console.hidden | {"text": "ada"}
    answer = await console.send("POST", "/console/search", data=fields, headers=headers)
    assert answer.status == 403
    assert "not from here" in console.text


@pytest.mark.parametrize("token", ["", "0" * 64])
async def test_a_form_without_the_token_of_the_session(console: ConsoleBrowser, token: str) -> None:
    await console.open("/console")
    assert (await console.submit("/console/search", text="a", form_token=token)).status == 403
    assert (await console.submit("/console/sign-out", form_token=token)).status == 403


async def test_a_form_of_another_session(console: ConsoleBrowser, worker: Worker) -> None:
    other = ConsoleBrowser(worker)
    await other.sign_in()
    await console.open("/console")
    assert (await console.submit("/console/search", text="a", **other.hidden)).status == 403


async def test_what_is_no_form(console: ConsoleBrowser) -> None:
    await console.open("/console")
    answer = await console.send("POST", "/console/search", json={"text": "ada"})
    assert answer.status == 400
    answer = await console.send("POST", "/console/search", data={"text": "x" * 20_000})
    assert answer.status == 413


async def test_addresses_that_lead_nowhere(console: ConsoleBrowser) -> None:
    for path in ("/console/x", "/console/grants/1", f"/console/grants/{'0' * 16}"):
        assert (await console.open(path)).status == 404
        assert "Nothing is here" in console.text
    assert (await console.open("/console/sign-out")).status == 405


async def test_the_store_is_away(console: ConsoleBrowser, worker: Worker) -> None:
    """The figures are shown all the same."""
    gone = mock.AsyncMock(side_effect=StoreUnavailable("gone"))
    with mock.patch.object(worker.parts.connection, "batch", gone):
        assert (await console.open("/console/people/nobody")).status == 503
        assert "The store is away" in console.text
        assert (await console.open("/console")).status == 200


async def test_a_mistake_of_the_server(console: ConsoleBrowser, worker: Worker) -> None:
    wrong = mock.Mock(side_effect=RuntimeError)
    with mock.patch.object(worker.parts.users, "find", wrong):
        assert (await console.open("/console/people/nobody")).status == 500
    assert "Traceback" not in console.page
