"""POST /oauth2/device_authorization (RFC 8628 3.1, 3.2)."""

import asyncio
import re

import msgspec
import pytest
from structlog.testing import capture_logs

from deviceflow.config import GrantLimits, Server
from deviceflow.core.load_interval import Demand, LoadInterval
from deviceflow.core.user_code import LETTERS
from deviceflow.policy import admission
from tests.stage.clock import Clock
from tests.stage.oauth import Stage, Worker

ISSUER = "http://127.0.0.1:8628"
AUTHORIZE = "/oauth2/device_authorization"


async def test_the_answer(worker: Worker) -> None:
    """8628-3.2-a, 8628-3.3-b, 6749-5.1-a: every member is there; verification_uri has no code."""
    answer = await worker.authorize()
    assert answer.status == 200
    body = answer.body
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", body["device_code"])
    assert re.fullmatch(f"[{LETTERS}]{{4}}-[{LETTERS}]{{4}}", body["user_code"])
    assert body == {
        "device_code": body["device_code"],
        "user_code": body["user_code"],
        "verification_uri": f"{ISSUER}/device",
        "verification_uri_complete": f"{ISSUER}/device?user_code={body['user_code']}",
        "expires_in": 600,
        "interval": 5,
    }


async def test_what_a_client_has_of_its_own(worker: Worker) -> None:
    """Lifetime, interval, format of the code, and no address with the code."""
    body = (await worker.authorize("typed")).body
    assert (body["expires_in"], body["interval"]) == (120, 7)
    assert re.fullmatch(r"\d{3}-\d{3}-\d{3}", body["user_code"])
    assert "verification_uri_complete" not in body


async def test_a_busy_worker_asks_for_fewer_polls(worker: Worker, clock: Clock) -> None:
    """8628-3.2-b, 8628-3.5-b: a longer interval for a new grant, 5 s more for a pending one."""
    before = (await worker.authorize()).body
    intervals = worker.parts.intervals
    intervals.now = LoadInterval(24.0)
    worker.parts.pace.ask_for(Demand.of(intervals.now, intervals.bounds))
    assert 24 <= (await worker.authorize()).body["interval"] <= 30
    assert 24 <= (await worker.authorize("typed")).body["interval"] <= 30
    assert (await worker.poll(before["device_code"])).body["error"] == "authorization_pending"
    clock.advance(5)
    slowed = await worker.poll(before["device_code"])
    assert (slowed.body["error"], slowed.body["interval"]) == ("slow_down", 10)
    assert slowed.headers["Retry-After"] == "10"


async def test_codes_are_unique(worker: Worker) -> None:
    """8628-3.2-a, 8628-5.2-a: the device code does not contain the user code."""
    answers = await asyncio.gather(*(worker.authorize() for _ in range(300)))
    assert {answer.status for answer in answers} == {200}
    devices = {answer.body["device_code"] for answer in answers}
    users = {answer.body["user_code"] for answer in answers}
    assert (len(devices), len(users)) == (300, 300)
    bare = {code.replace("-", "") for code in users}
    assert not any(code in device for device in devices for code in bare)


async def test_every_position_of_a_device_code_varies(worker: Worker) -> None:
    """8628-5.2-a: no part of a code counts or is constant (the last character has 4 bits)."""
    codes = [(await worker.authorize()).body["device_code"] for _ in range(64)]
    for position in range(43):
        assert len({code[position] for code in codes}) > 8


@pytest.mark.parametrize(
    ("asked", "granted"),
    [
        (None, "openid profile email offline_access"),
        ("", "openid profile email offline_access"),
        ("profile", "profile"),
        ("profile openid", "profile openid"),
        ("profile profile", "profile"),
        ("openid  profile", "openid profile"),
        ("  profile ", "profile"),
    ],
)
async def test_the_scope(stage: Stage, worker: Worker, asked: str | None, granted: str) -> None:
    """8628-3.1-b: empty counts as absent; 6749-3.3-a: the default is all scopes of the client."""
    answer = await worker.authorize(**({} if asked is None else {"scope": asked}))
    found = await stage.people.find(answer.body["user_code"])
    assert found is not None
    assert found.scope == granted


@pytest.mark.parametrize(
    "scope",
    [
        "admin",
        "openid admin",
        "OPENID",
        " ",
        "openid\tprofile",
        "openid,profile",
        'open"id',
        "openid\\",
        "openid\x00",
        "✓",
    ],
)
async def test_a_scope_that_is_not_allowed(stage: Stage, worker: Worker, scope: str) -> None:
    """8628-3.2-c, 6749-3.3-a: a scope that is unknown, malformed or not allowed is refused."""
    answer = await worker.authorize(scope=scope)
    assert answer.outcome == (400, "invalid_scope")
    assert await stage.keys("df:g:*") == []


@pytest.mark.parametrize(
    ("scope", "named"),
    [
        ("openid admin", "admin"),
        ("root  openid admin", "root admin"),
        ("https://api.example/read", "https://api.example/read"),
        ("x" * 500, "x" * 200 + "..."),
    ],
)
async def test_the_refused_scopes_are_named(worker: Worker, scope: str, named: str) -> None:
    """6749-5.2-a: their characters may stand in a description (3.3)."""
    answer = await worker.authorize(scope=scope)
    assert answer.body["error_description"] == f"This client may not ask for: {named}"


@pytest.mark.parametrize("scope", ['open"id', "openid\\", "a\nb", "✓"])
async def test_what_is_no_scope_is_not_repeated(worker: Worker, scope: str) -> None:
    text = (await worker.authorize(scope=scope)).body["error_description"]
    assert scope not in text
    assert text.isascii()


async def test_a_client_without_scopes(worker: Worker) -> None:
    assert (await worker.authorize("bare")).status == 200
    assert (await worker.authorize("bare", scope="openid")).outcome == (400, "invalid_scope")


async def test_what_is_kept_for_the_person(stage: Stage, worker: Worker) -> None:
    """8628-5.4-a: the address of the request, as far as it can be trusted."""
    headers = {"User-Agent": "NebulaTV/4.2 " + "x" * 2000, "X-Forwarded-For": "203.0.113.9"}
    answer = await worker.post(AUTHORIZE, {"client_id": "tv-app"}, headers=headers)
    found = await stage.people.find(answer.body["user_code"])
    assert found is not None
    assert found.address == "127.0.0.1"
    assert found.device == "NebulaTV 4.2"
    assert found.requested_at == int(stage.clock.now)
    assert found.expires_at == found.requested_at + 600


async def test_a_user_agent_is_read_before_it_is_cut(stage: Stage, worker: Worker) -> None:
    """Browsers name themselves at the end, after more than 64 bytes."""
    agent = (
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)"
        " Chrome/131.0.0.0 Safari/537.36"
    )
    headers = {"User-Agent": agent}
    answer = await worker.post(AUTHORIZE, {"client_id": "tv-app"}, headers=headers)
    found = await stage.people.find(answer.body["user_code"])
    assert found is not None
    assert found.device == "Chrome; Windows"


async def test_a_user_agent_that_is_not_text(stage: Stage, worker: Worker) -> None:
    body = b"client_id=tv-app"
    answer = await worker.raw(
        b"POST %b HTTP/1.1\r\nHost: x\r\nUser-Agent: TV\xff\xfe\xe2\x80\xae!\r\n"
        b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n%b"
        % (AUTHORIZE.encode(), len(body), body)
    )
    found = await stage.people.find(answer.body["user_code"])
    assert found is not None
    assert found.device == "TV"


async def test_the_address_behind_our_own_proxy(stage: Stage) -> None:
    """9700-4.13-a: only the entry that a configured proxy added is believed."""
    server = Server(trusted_proxies=("127.0.0.0/8",))
    worker = await stage.start_worker(msgspec.structs.replace(stage.settings, server=server))
    headers = {"X-Forwarded-For": "198.51.100.1, 203.0.113.9"}
    answer = await worker.post(AUTHORIZE, {"client_id": "tv-app"}, headers=headers)
    found = await stage.people.find(answer.body["user_code"])
    assert found is not None
    assert found.address == "203.0.113.9"


async def test_addresses_come_from_the_issuer_only(worker: Worker) -> None:
    """The verification address is the configured one, whatever Host header a request has."""
    headers = {"Host": "evil.example", "X-Forwarded-Host": "evil.example"}
    answer = await worker.post(AUTHORIZE, {"client_id": "tv-app"}, headers=headers)
    assert answer.body["verification_uri"] == f"{ISSUER}/device"


async def test_the_store_keeps_no_code(stage: Stage, worker: Worker) -> None:
    """6749-10.3-a: no key and no value in the store has it."""
    body = (await worker.authorize()).body
    for key in await stage.keys("df:[gu]:*"):
        stored = key.encode() + (await stage.redis.dump(key) or b"")
        for code in (body["device_code"], body["user_code"].replace("-", "")):
            assert code.encode() not in stored


async def test_a_short_address(stage: Stage) -> None:
    """8628-3.2-a: an address of the operator's own, in both members, and for all clients."""
    device = msgspec.structs.replace(
        stage.settings.device, verification_uri="https://tv.example/go"
    )
    worker = await stage.start_worker(msgspec.structs.replace(stage.settings, device=device))
    body = (await worker.authorize()).body
    assert body["verification_uri"] == "https://tv.example/go"
    complete = f"https://tv.example/go?user_code={body['user_code']}"
    assert body["verification_uri_complete"] == complete


@pytest.fixture
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answer a refusal at once."""
    monkeypatch.setattr(admission, "HOLD_BACK_S", 0.0)


@pytest.mark.usefixtures("no_pause")
async def test_too_many_starts(stage: Stage) -> None:
    """RFC 6585 4: 429 with Retry-After, before the request is looked at; polls go on."""
    limits = GrantLimits(starts_per_address=2)
    worker = await stage.start_worker(msgspec.structs.replace(stage.settings, limits=limits))
    codes = (await worker.authorize()).body
    assert (await worker.authorize(scope="admin")).error == "invalid_scope", "is no start"
    assert (await worker.authorize()).status == 200
    with capture_logs() as lines:
        answers = [await worker.authorize(scope="admin"), await worker.authorize()]
    assert answers[0].error == "invalid_scope", "the store has refused nothing yet"
    assert answers[1].outcome == (429, "temporarily_unavailable")
    assert answers[1].headers["Retry-After"] == "60"
    assert answers[1].body["error_description"] == (
        "Too many devices of this client start at this address."
        " Try again after the time in Retry-After."
    )
    assert [line["limit"] for line in lines if line["event"] == "limit.refused"] == [
        "start.address"
    ]
    assert (await worker.authorize(scope="admin")).status == 429, "from memory"
    assert (await worker.authorize("other-tv")).status == 200, "other clients go on"
    assert (await worker.poll(codes["device_code"])).error == "authorization_pending"
    await stage.people.approve(codes["user_code"])
    assert (await worker.poll(codes["device_code"])).status == 200


@pytest.mark.usefixtures("no_pause")
async def test_a_client_with_too_many_live_grants(stage: Stage) -> None:
    tv = msgspec.structs.replace(stage.settings.clients[0], live_grants=1)
    worker = await stage.start_worker(msgspec.structs.replace(stage.settings, clients=(tv,)))
    assert (await worker.authorize()).status == 200
    answer = await worker.authorize()
    assert answer.outcome == (429, "temporarily_unavailable")
    assert "at this address" not in answer.body["error_description"]
    assert 1 <= int(answer.headers["Retry-After"]) <= 60
    stage.clock.advance(661)
    assert (await worker.authorize()).status == 200


@pytest.mark.usefixtures("no_pause")
async def test_a_store_that_is_nearly_full(stage: Stage, worker: Worker) -> None:
    """New grants are refused early, as if the store was away; whoever has a code goes on."""
    codes = (await worker.authorize()).body
    await stage.redis.config_set("maxmemory", 2**20)
    try:
        await worker.parts.load.look()
    finally:
        await stage.redis.config_set("maxmemory", 0)
    answer = await worker.authorize()
    assert answer.outcome == (503, "temporarily_unavailable")
    assert 15 <= int(answer.headers["Retry-After"]) < 30
    assert (await worker.readiness())[1] == {
        "status": "degraded",
        "store": "pressed",
        "reason": "nearly full",
    }
    await stage.people.approve(codes["user_code"])
    assert (await worker.poll(codes["device_code"])).status == 200
    await worker.parts.load.look()
    assert (await worker.authorize()).status == 200
