"""A redemption whose answer was lost is repeated, and gives the same tokens."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from structlog.testing import capture_logs

from deviceflow.config import Settings
from deviceflow.core.client import Client
from deviceflow.core.grant import Event, State
from deviceflow.core.messages import DEVICE_CODE_GRANT
from deviceflow.device import DeviceClient, Metadata
from deviceflow.store import keyspace
from deviceflow.tasks import end
from tests.stage.clock import Clock
from tests.stage.oauth import Answer, People, Stage, Worker
from tests.stage.proving import (
    API,
    AUTHORIZE,
    FILES,
    VERIFIER,
    Holder,
    claims_of,
    introspect,
    revoke,
    s256,
    userinfo,
    with_surface,
)
from tests.stage.waiting import until

INVALID = (400, "invalid_grant")
DENIED = (400, "access_denied")
CHALLENGE = {"code_challenge": s256(VERIFIER), "code_challenge_method": "S256"}
ALL = "openid profile offline_access"


def with_grace(settings: Settings, seconds: int) -> Settings:
    device = msgspec.structs.replace(settings.device, redemption_grace_s=seconds)
    return msgspec.structs.replace(settings, device=device)


@pytest.fixture
def settings(settings: Settings) -> Settings:
    surface = with_surface(settings)
    plain = Client(client_id="plain", name="No refresh tokens", scopes=("openid", "profile"))
    return msgspec.structs.replace(surface, clients=(*surface.clients, plain))


async def approved(
    worker: Worker, people: People, client_id: str = "tv-app", **parameters: str
) -> str:
    """Return the device code of an approved grant."""
    grant = await worker.authorize(client_id, **parameters)
    assert grant.status == 200, grant.body
    await people.approve(grant.body["user_code"])
    return str(grant.body["device_code"])


async def seeds(stage: Stage) -> list[str]:
    return await stage.keys(keyspace.redemption("*"))


def content(body: dict[str, Any]) -> dict[str, Any]:
    """What the tokens of an answer say. An ES256 signature is another one each time."""
    said = dict(body)
    for name in ("access_token", "id_token"):
        token = said.get(name)
        if token and not token.startswith("dfa_"):
            said[name] = claims_of(token)
    return said


KINDS: dict[str, tuple[str, dict[str, str], dict[str, str], bool]] = {
    "refresh token": ("tv-app", {"scope": ALL}, {}, False),
    "no refresh token": ("plain", {"scope": "openid profile"}, {}, False),
    "no ID token": ("apis", {"scope": "profile"}, {}, False),
    "opaque": ("opaque", {"scope": ALL}, {}, False),
    "PKCE": ("tv-app", {"scope": ALL} | CHALLENGE, {"code_verifier": VERIFIER}, False),
    "DPoP": ("tv-app", {"scope": ALL}, {}, True),
    "opaque and DPoP": ("opaque", {"scope": ALL}, {}, True),
}


@pytest.mark.parametrize("kind", KINDS)
async def test_the_same_tokens_again(
    stage: Stage,
    worker: Worker,
    other_worker: Worker,
    people: People,
    holder: Holder,
    clock: Clock,
    kind: str,
) -> None:
    """8628-3.5: the device polls again after a lost answer, at any worker."""
    client_id, request, form, has_key = KINDS[kind]
    bound = {"dpop_jkt": holder.jkt} if has_key else {}
    code = await approved(worker, people, client_id, **request, **bound)

    async def poll(at: Worker) -> Answer:
        if has_key:
            return await holder.poll(at, code, client_id)
        return await at.poll(code, client_id, **form)

    with capture_logs() as logs:
        first = await poll(worker)
        assert first.status == 200, first.body
        answers = []
        for at in (worker, other_worker, worker):
            clock.advance(5)
            answers.append(await poll(at))
    assert [answer.status for answer in answers] == [200] * 3
    assert [answer.body.pop("expires_in") for answer in answers] == [1795, 1790, 1785]
    assert first.body.pop("expires_in") == 1800
    assert [content(answer.body) for answer in answers] == [content(first.body)] * 3
    assert len(await stage.keys(keyspace.opaque_token("*"))) == ("opaque" in kind)
    events = [log["event"] for log in logs if log["event"].startswith("grant.redeemed")]
    assert events == ["grant.redeemed"] + ["grant.redeemed_again"] * 3
    again = next(log for log in logs if log["event"] == "grant.redeemed_again")
    first_line = next(log for log in logs if log["event"] == "grant.redeemed")
    assert again == {
        "event": "grant.redeemed_again",
        "grant": first_line["grant"],
        "log_level": "info",
        "client_id": client_id,
        "sub": "sub-ada",
    }


async def test_the_tokens_that_come_again_are_good(
    worker: Worker, other_worker: Worker, people: People
) -> None:
    code = await approved(worker, people, "opaque", scope=ALL)
    await worker.poll(code, "opaque")
    body = (await other_worker.poll(code, "opaque")).body
    assert (await introspect(worker, body["access_token"]))["active"]
    assert (await worker.refresh(body["refresh_token"], "opaque")).status == 200


async def test_an_issuer_with_a_path(stage: Stage, people: People) -> None:
    base = "/tenant"
    settings = msgspec.structs.replace(stage.settings, issuer="http://127.0.0.1:8628" + base)
    tenant = await stage.start_worker(settings)
    start = {"client_id": "tv-app", "scope": ALL}
    grant = await tenant.post(base + "/oauth2/device_authorization", start)
    await people.approve(grant.body["user_code"])
    form = {
        "grant_type": DEVICE_CODE_GRANT,
        "client_id": "tv-app",
        "device_code": grant.body["device_code"],
    }
    bodies = [(await tenant.post(base + "/oauth2/token", form)).body for _ in range(2)]
    assert content(bodies[0]) == content(bodies[1])
    assert claims_of(bodies[1]["access_token"])["iss"].endswith(base)


@pytest.mark.parametrize("client_id", ["tv-app", "opaque", "plain"])
async def test_sixty_at_once_get_the_same_tokens(
    stage: Stage, worker: Worker, other_worker: Worker, people: People, client_id: str
) -> None:
    """8628-3.5-e: redemption is one step, and makes one family and one set of tokens."""
    code = await approved(worker, people, client_id, scope="openid profile")
    third = await stage.start_worker()
    with capture_logs() as logs:
        answers = await asyncio.gather(
            *(
                each.poll(code, client_id)
                for _ in range(20)
                for each in (worker, other_worker, third)
            )
        )
    assert [answer.status for answer in answers] == [200] * 60
    assert all(content(answer.body) == content(answers[0].body) for answer in answers)
    events = [log["event"] for log in logs]
    assert events.count("grant.redeemed") == 1
    assert events.count("grant.redeemed_again") == 59


# The end of it


async def _refresh(worker: Worker, body: dict[str, Any]) -> None:
    assert (await worker.refresh(body["refresh_token"])).status == 200


async def _introspect_access(worker: Worker, body: dict[str, Any]) -> None:
    assert (await introspect(worker, body["access_token"]))["active"]


async def _introspect_refresh(worker: Worker, body: dict[str, Any]) -> None:
    assert (await introspect(worker, body["refresh_token"]))["active"]


async def _userinfo(worker: Worker, body: dict[str, Any]) -> None:
    assert (await userinfo(worker, f"Bearer {body['access_token']}")).status == 200


async def _revoke_access(worker: Worker, body: dict[str, Any]) -> None:
    await revoke(worker, body["access_token"])


async def _revoke_refresh(worker: Worker, body: dict[str, Any]) -> None:
    await revoke(worker, body["refresh_token"])


@pytest.mark.parametrize(
    "use",
    [
        _refresh,
        _introspect_access,
        _introspect_refresh,
        _userinfo,
        _revoke_access,
        _revoke_refresh,
    ],
)
async def test_a_used_token_ends_it(
    stage: Stage,
    worker: Worker,
    other_worker: Worker,
    people: People,
    use: Callable[[Worker, dict[str, Any]], Awaitable[None]],
) -> None:
    """Whoever has a token has had the answer. Of the seed, the store keeps nothing."""
    code = await approved(worker, people, scope=ALL)
    body = (await worker.poll(code)).body
    assert len(await seeds(stage)) == 1
    await use(other_worker, body)
    assert await seeds(stage) == []
    for each in (worker, other_worker):
        assert (await each.poll(code)).outcome == INVALID


async def test_the_grace_ends_it(stage: Stage, worker: Worker, people: People) -> None:
    code = await approved(worker, people)
    await worker.poll(code)
    (key,) = await seeds(stage)
    assert 50_000 < await stage.redis.pttl(key) <= 60_000
    await stage.redis.pexpire(key, 1)
    await asyncio.sleep(0.01)
    assert (await worker.poll(code)).outcome == INVALID


async def test_no_repetition_gives_an_expired_token(stage: Stage, people: People) -> None:
    tokens = msgspec.structs.replace(stage.settings.tokens, access_token_lifetime_s=7)
    worker = await stage.start_worker(msgspec.structs.replace(stage.settings, tokens=tokens))
    await worker.poll(await approved(worker, people))
    (key,) = await seeds(stage)
    assert await stage.redis.pttl(key) <= 7_000


async def test_strictly_once(stage: Stage, people: People) -> None:
    """With a grace of 0, nothing is kept, and a repetition is refused."""
    worker = await stage.start_worker(with_grace(stage.settings, 0))
    code = await approved(worker, people)
    assert (await worker.poll(code)).status == 200
    assert await seeds(stage) == []
    assert (await worker.poll(code)).outcome == INVALID
    code = await approved(worker, people)
    answers = await asyncio.gather(*(worker.poll(code) for _ in range(30)))
    assert [answer.status for answer in answers].count(200) == 1


async def test_afterwards_the_answer_comes_from_memory(
    stage: Stage, worker: Worker, people: People
) -> None:
    """A device that polls on for ever asks the store once."""
    code = await approved(worker, people)
    body = (await worker.poll(code)).body
    await revoke(worker, body["access_token"])
    assert (await worker.poll(code)).outcome == INVALID
    before = await stage.calls()
    for _ in range(30):
        assert (await worker.poll(code)).outcome == INVALID
    assert await stage.calls() - before < 20


async def test_a_token_of_a_refresh_is_another_one(worker: Worker, people: People) -> None:
    """9068-2.2-a."""
    code = await approved(worker, people, scope=ALL)
    body = (await worker.poll(code)).body
    fresh = (await worker.refresh(body["refresh_token"])).body
    ids = [claims_of(each["access_token"])["jti"] for each in (body, fresh)]
    assert ids[0] != ids[1]
    assert body["refresh_token"] != fresh["refresh_token"]


# Who may repeat it


async def test_only_with_the_same_verifier(worker: Worker, people: People) -> None:
    code = await approved(worker, people, **CHALLENGE)
    assert (await worker.poll(code, code_verifier=VERIFIER)).status == 200
    for wrong in ({}, {"code_verifier": "w" * 43}):
        assert (await worker.poll(code, **wrong)).outcome == INVALID
    assert (await worker.poll(code, code_verifier=VERIFIER)).status == 200


@pytest.mark.parametrize("is_bound_from_the_start", [True, False])
async def test_only_with_the_same_key(
    worker: Worker, people: People, holder: Holder, thief: Holder, *, is_bound_from_the_start: bool
) -> None:
    """Also if only the first redemption brought a key."""
    bound = {"dpop_jkt": holder.jkt} if is_bound_from_the_start else {}
    code = await approved(worker, people, **bound)
    assert (await holder.poll(worker, code)).status == 200
    assert (await thief.poll(worker, code)).outcome == INVALID
    assert (await worker.poll(code)).outcome == INVALID
    assert (await holder.poll(worker, code)).status == 200


async def test_a_key_does_not_come_later(worker: Worker, people: People, holder: Holder) -> None:
    code = await approved(worker, people)
    assert (await worker.poll(code)).status == 200
    assert (await holder.poll(worker, code)).outcome == INVALID


async def test_only_for_the_same_resources(worker: Worker, people: People) -> None:
    form = [("client_id", "apis"), ("resource", API), ("resource", FILES)]
    grant = await worker.post(AUTHORIZE, form)
    await people.approve(grant.body["user_code"])
    code = grant.body["device_code"]
    first = await worker.poll(code, "apis", resource=API)
    assert first.status == 200, first.body
    assert (await worker.poll(code, "apis")).outcome == INVALID
    assert (await worker.poll(code, "apis", resource=FILES)).outcome == INVALID
    again = await worker.poll(code, "apis", resource=API)
    assert content(again.body) == content(first.body)


async def test_only_by_the_same_client(worker: Worker, people: People) -> None:
    code = await approved(worker, people)
    assert (await worker.poll(code)).status == 200
    assert (await worker.poll(code, "other-tv")).outcome == INVALID
    assert (await worker.poll(code)).status == 200


async def test_only_while_the_person_is_allowed(worker: Worker, people: People) -> None:
    code = await approved(worker, people)
    assert (await worker.poll(code)).status == 200
    account = await people.users.find("ada")
    assert account is not None
    await people.users.put(msgspec.structs.replace(account, disabled=True))
    assert (await worker.poll(code)).outcome == DENIED
    await people.users.put(account)
    assert (await worker.poll(code)).status == 200


async def test_only_while_the_client_is_allowed(
    stage: Stage, worker: Worker, people: People
) -> None:
    """The client is disabled, or has lost a scope."""
    code = await approved(worker, people, scope=ALL)
    first = await worker.poll(code)
    for changes in ({"enabled": False}, {"scopes": ("openid",)}):
        clients = tuple(
            msgspec.structs.replace(client, **changes) if client.client_id == "tv-app" else client
            for client in stage.settings.clients
        )
        changed = await stage.start_worker(msgspec.structs.replace(stage.settings, clients=clients))
        assert (await changed.poll(code)).status in {400, 401}
    assert content((await worker.poll(code)).body)["refresh_token"] == first.body["refresh_token"]


async def test_settings_that_change_meanwhile_change_no_token(
    stage: Stage, worker: Worker, people: People
) -> None:
    """Two hosts, of which one has newer settings."""
    code = await approved(worker, people, scope=ALL)
    first = await worker.poll(code)
    tokens = msgspec.structs.replace(
        stage.settings.tokens, format="opaque", access_token_lifetime_s=60, id_token_lifetime_s=9
    )
    newer = await stage.start_worker(msgspec.structs.replace(stage.settings, tokens=tokens))
    assert content((await newer.poll(code)).body) == content(first.body)


# What happens meanwhile


async def test_a_worker_that_only_knows_that_something_happened(
    worker: Worker, other_worker: Worker, people: People
) -> None:
    """A hint in the decision log, and no message."""
    grant = await worker.authorize()
    await people.approve(grant.body["user_code"])
    code = grant.body["device_code"]
    first = await worker.poll(code)
    found = await people.find(grant.body["user_code"])
    assert found is not None
    await other_worker.knows(found.id, State.REDEEMED)
    other_worker.mirror.forget_all()
    other_worker.mirror.learn(found.id, None, found.expires_at)
    assert content((await other_worker.poll(code)).body) == content(first.body)


async def test_the_store_has_no_token(stage: Stage, worker: Worker, people: People) -> None:
    """6749-10.3-a: also within the grace."""
    code = await approved(worker, people, "opaque", scope=ALL)
    body = (await worker.poll(code, "opaque")).body
    assert len(await seeds(stage)) == 1
    secrets = [code, body["access_token"][4:], body["refresh_token"].partition(".")[2]]
    for key in await stage.keys("*"):
        stored = key.encode() + (await stage.redis.dump(key) or b"")
        assert not any(secret.encode() in stored for secret in secrets)


class LosingRelay:
    """A path to a worker on which the first answer with tokens is lost.

    It closes the connection, or goes silent with the connection open.
    """

    def __init__(self, port: int, *, is_silent: bool) -> None:
        self.lost = 0
        self.polls = 0
        self._port = port
        self._is_silent = is_silent
        self._carrying: set[asyncio.Task[None]] = set()

    def accept(self, device: asyncio.StreamReader, to_device: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._carry(device, to_device))
        self._carrying.add(task)
        task.add_done_callback(self._carrying.discard)

    async def end(self) -> None:
        """End every connection, also one that is silent."""
        await end(*self._carrying)

    async def _carry(self, device: asyncio.StreamReader, to_device: asyncio.StreamWriter) -> None:
        worker, to_worker = await asyncio.open_connection("127.0.0.1", self._port)
        asking = asyncio.create_task(self._copy(device, to_worker))
        try:
            while answer := await worker.read(65536):
                if b"access_token" in answer and not self.lost:
                    self.lost += 1
                    if self._is_silent:
                        await asking
                    return
                to_device.write(answer)
        finally:
            asking.cancel()
            for writer in (to_device, to_worker):
                writer.close()
            for writer in (to_device, to_worker):
                with suppress(OSError):
                    await writer.wait_closed()

    async def _copy(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        while part := await source.read(65536):
            self.polls += b"device_code=" in part
            target.write(part)


@pytest.mark.parametrize("is_silent", [False, True])
@pytest.mark.parametrize("hold", [False, True])
async def test_the_device_library_gets_over_a_lost_answer(
    worker: Worker, people: People, *, is_silent: bool, hold: bool
) -> None:
    """It polls again, also after a held poll, and has the same tokens."""
    relay = LosingRelay(worker.port, is_silent=is_silent)
    server = await asyncio.start_server(relay.accept, "127.0.0.1", 0)
    address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    metadata = Metadata(
        issuer=address,
        token_endpoint=address + "/oauth2/token",
        device_authorization_endpoint=address + "/oauth2/device_authorization",
        device_poll_max_wait=1 if hold else 0,
    )
    device = DeviceClient(metadata, "tv-app", timeout_s=1.0, jitter=lambda: 0.0, sleep=soon)
    with capture_logs() as logs:
        async with device:
            codes = await device.authorize("openid offline_access")
            polling = asyncio.create_task(device.poll_until_decided(codes))
            await until(lambda: relay.polls)
            grant = await people.find(codes.user_code)
            assert grant is not None
            await people.claim(codes.user_code)
            await people.grants.decide(grant, Event.APPROVE, await people.subject("ada"))
            tokens = await polling
    server.close()
    await relay.end()
    assert relay.lost == 1
    assert tokens.refresh_token is not None
    events = [log["event"] for log in logs if log["event"].startswith("grant.redeemed")]
    assert events[:2] == ["grant.redeemed", "grant.redeemed_again"]
    assert (await worker.refresh(tokens.refresh_token)).status == 200


async def soon(_: float) -> None:
    """Wait for a turn of the loop."""
    await asyncio.sleep(0)
