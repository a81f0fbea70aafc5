"""From Disconnect on the page to no access: over two hosts with two workers each.

Nothing is kept in a worker's memory about a device, so the first request after the answer to the
form is refused already, wherever it arrives. Each request has a connection of its own, and the
kernel chooses the worker.
"""

import re
import urllib.request
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.process.conftest import CONFIG
from tests.stage.ports import free_port
from tests.stage.process import Command
from tests.stage.program import Notes, Program
from tests.stage.valkey import Valkey
from tests.stage.waiting import until_outside
from tests.stage.wire import Answer, Browser, Device, fetch, request_of

API_SECRET = "secret of the API"
API = f"""
[[clients]]
client_id = "api"
name = "API"
scopes = []
auth_method = "client_secret_post"
secret_sha256 = "{sha256(API_SECRET.encode()).hexdigest()}"
introspect = true
"""
IN_A_ROW = 8
"""That one of two workers is asked none of these has a probability of one in 128."""


@pytest.fixture
def hosts(valkey: Valkey, notes: Notes, user_tables: str) -> Iterator[list[Program]]:
    """Two hosts of one issuer, with two workers each."""
    with valkey.client() as client:
        client.flushall()
    ports = free_port(), free_port()
    issuer = {"DEVICEFLOW_ISSUER": f"http://127.0.0.1:{ports[0]}"}
    with TemporaryDirectory(prefix="df-") as name:
        programs = []
        for port in ports:
            folder = Path(name) / str(port)
            folder.mkdir()
            (folder / "deviceflow.toml").write_text(CONFIG + API + user_tables, encoding="utf-8")
            arguments = ("--redis-url", valkey.url, "--workers", "2")
            program = Program(folder, arguments, notes)
            program.variables = issuer
            programs.append(program)
        try:
            for program, port in zip(programs, ports, strict=True):
                # Each on a port of its own, whatever address it announces.
                program.url = url = f"http://127.0.0.1:{port}"
                program.start()
                program.url = url
            yield programs
        finally:
            for program in programs:
                program.end()


@pytest.fixture
def store(valkey: Valkey) -> dict[str, str]:
    """The environment in which a command finds the store of the hosts."""
    return {"DEVICEFLOW_REDIS_URL": valkey.url}


@pytest.fixture
def browser(hosts: list[Program]) -> Browser:
    return Browser(hosts[0])


@pytest.fixture
def device(hosts: list[Program], browser: Browser) -> Device:
    """A device that Ada has connected."""
    device = Device(hosts[1]).authorize(scope="openid profile offline_access")
    browser.decide(device.user_code, "approve")
    assert device.wait() == "tokens"
    return device


def introspect(program: Program, token: str) -> bool:
    form = {"client_id": "api", "client_secret": API_SECRET, "token": token}
    answer = fetch(request_of(f"{program.url}/oauth2/introspect", form))
    assert answer.status == 200, answer
    return bool(answer.body["active"])


def userinfo(program: Program, token: str) -> int:
    url, headers = f"{program.url}/oauth2/userinfo", {"Authorization": f"Bearer {token}"}
    return fetch(urllib.request.Request(url, headers=headers)).status  # noqa: S310, a URL of ours


def is_over(hosts: list[Program], device: Device) -> bool:
    """Whether both hosts refuse everything that the device has."""
    access, refresh = device.tokens["access_token"], device.tokens["refresh_token"]
    return all(
        not introspect(host, access)
        and not introspect(host, refresh)
        and userinfo(host, access) == 401
        and device.at(host).refresh().body.get("error") == "invalid_grant"
        for host in hosts
    )


def press_disconnect(browser: Browser, path: str = "/account") -> Answer:
    """Go from a page to the question of the first device, and press the button."""
    browser.open(path)
    found = re.search(r"/account/disconnect\?device=[\w-]+", browser.answer.page)
    assert found is not None, browser.answer.page
    browser.open(found[0])
    return browser.submit("/account/disconnect")


def test_disconnecting_ends_the_access_everywhere(
    hosts: list[Program], browser: Browser, device: Device
) -> None:
    for host in hosts:
        assert introspect(host, device.tokens["access_token"])
        assert userinfo(host, device.tokens["access_token"]) == 200
    answer = press_disconnect(browser)
    assert "The device is disconnected." in answer.page
    until_outside(lambda: is_over(hosts, device))
    assert all(is_over(hosts, device) for _ in range(IN_A_ROW))
    assert "No device is connected" in browser.open("/account").page


def test_an_approval_is_taken_back_everywhere(hosts: list[Program], browser: Browser) -> None:
    device = Device(hosts[1]).authorize()
    browser.decide(device.user_code, "approve")
    press_disconnect(browser, browser.answer.url.removeprefix(hosts[0].url))
    for host in hosts * IN_A_ROW:
        assert device.at(host).outcome() == "access_denied"


def test_the_operator_revokes_a_client_everywhere(
    hosts: list[Program], device: Device, command: Command, store: dict[str, str]
) -> None:
    ended = command("clients", "--config", str(hosts[0].config), "revoke", "tv", variables=store)
    assert ended.returncode == 0, ended.stderr
    until_outside(lambda: is_over(hosts, device))


def test_the_operator_revokes_a_person_everywhere(
    hosts: list[Program], device: Device, command: Command, store: dict[str, str]
) -> None:
    users = ("users", "--config", str(hosts[0].config))
    listed = command(*users, "devices", "ada", variables=store)
    assert listed.returncode == 0, listed.stderr
    assert "tv " in listed.stdout
    ended = command(*users, "revoke", "ada", "--all", variables=store)
    assert ended.stdout == "disconnected 1 of ada\n"
    until_outside(lambda: is_over(hosts, device))
