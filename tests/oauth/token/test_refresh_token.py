"""The refresh_token grant type (RFC 6749 6, RFC 9700 4.14.2)."""

import asyncio
from typing import Any

import msgspec
import pytest
from joserfc import jws
from structlog.testing import capture_logs

from deviceflow.config import Settings
from deviceflow.store import scripts
from deviceflow.store.connection import Connection
from deviceflow.store.errors import StoreUnavailable
from deviceflow.store.families import SAME_SUCCESSOR_S
from deviceflow.store.shapes import Command
from tests.stage.clock import Clock
from tests.stage.oauth import Answer, People, Stage, Worker

SECRET = "%:+ é&="
INVALID_GRANT = (400, "invalid_grant")
INVALID_SCOPE = (400, "invalid_scope")
ALL = "openid profile email offline_access"


@pytest.fixture
async def first(worker: Worker, people: People) -> Answer:
    """Return the first tokens of a device that Ada has approved."""
    grant = await worker.authorize()
    await people.approve(grant.body["user_code"])
    answer = await worker.poll(grant.body["device_code"])
    assert answer.status == 200
    return answer


def claims(token: str) -> dict[str, Any]:
    """Return the claims of a token, without a check of its signature (see test_minting)."""
    return dict(msgspec.json.decode(jws.extract_compact(token.encode()).payload))


async def test_rotation(worker: Worker, first: Answer) -> None:
    """6749-6-b, 9700-2.2.2-a: each time a new refresh token, with the same scope."""
    tokens = [first.body["refresh_token"]]
    for _ in range(3):
        answer = await worker.refresh(tokens[-1])
        assert answer.status == 200
        assert answer.body["scope"] == ALL
        assert answer.body["token_type"] == "Bearer"
        tokens.append(answer.body["refresh_token"])
    assert len(set(tokens)) == 4


async def test_the_refreshed_id_token(worker: Worker, first: Answer, clock: Clock) -> None:
    """OIDC-12.2-a: same iss, sub, aud, auth_time; a new iat."""
    clock.advance(100)
    answer = await worker.refresh(first.body["refresh_token"])
    before, after = claims(first.body["id_token"]), claims(answer.body["id_token"])
    for name in ("iss", "sub", "aud", "auth_time"):
        assert after[name] == before[name]
    assert after["iat"] == before["iat"] + 100


async def test_a_replay_ends_the_family(worker: Worker, first: Answer) -> None:
    """9700-2.2.2-a: an old token, after its successor was used, also ends the newest."""
    old = first.body["refresh_token"]
    second = await worker.refresh(old)
    third = await worker.refresh(second.body["refresh_token"])
    assert (await worker.refresh(old)).outcome == INVALID_GRANT
    assert (await worker.refresh(third.body["refresh_token"])).outcome == INVALID_GRANT


async def test_two_refreshes_at_once(worker: Worker, first: Answer) -> None:
    """Both get the same refresh token, so the device is not taken for a thief."""
    old = first.body["refresh_token"]
    answers = await asyncio.gather(*(worker.refresh(old) for _ in range(4)))
    (token,) = {answer.body["refresh_token"] for answer in answers}
    assert len({answer.body["access_token"] for answer in answers}) == 4
    assert (await worker.refresh(token)).status == 200


@pytest.mark.parametrize("kept", [0, 1, 2])
async def test_answers_that_were_lost(
    worker: Worker, first: Answer, clock: Clock, kept: int
) -> None:
    """9700-4.14.2-a: the device goes on with what it got, be it the first answer or the last.

    Whoever comes with one of the others then is somebody else.
    """
    old = first.body["refresh_token"]
    answers = []
    for _ in range(3):
        answers.append((await worker.refresh(old)).body["refresh_token"])
        clock.advance(SAME_SUCCESSOR_S)
    assert len(set(answers)) == 3
    newest = (await worker.refresh(answers.pop(kept))).body["refresh_token"]
    assert (await worker.refresh(answers[0])).outcome == INVALID_GRANT
    assert (await worker.refresh(newest)).outcome == INVALID_GRANT


@pytest.mark.parametrize("is_used", [False, True])
async def test_a_request_that_was_overtaken(
    worker: Worker,
    first: Answer,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    is_used: bool,  # noqa: FBT001, a parameter of the test
) -> None:
    """It arrives after its repetition, even after the successor was used: the login goes on."""
    old = first.body["refresh_token"]
    rotate, held, release = scripts.rotate_refresh_token, asyncio.Event(), asyncio.Event()

    async def stalled(*args: Any, **options: Any) -> bool:  # noqa: ANN401, as it is
        if not held.is_set():
            held.set()
            await release.wait()
        return await rotate(*args, **options)

    monkeypatch.setattr(scripts, "rotate_refresh_token", stalled)
    late = asyncio.create_task(worker.refresh(old))
    await held.wait()
    clock.advance(SAME_SUCCESSOR_S)
    token = (await worker.refresh(old)).body["refresh_token"]
    if is_used:
        token = (await worker.refresh(token)).body["refresh_token"]
    release.set()
    assert (await late).outcome == (INVALID_GRANT if is_used else (200, ""))
    assert (await worker.refresh(token)).status == 200


@pytest.mark.parametrize("scope", ["profile", "openid email", "offline_access", "profile profile"])
async def test_a_narrower_scope(worker: Worker, first: Answer, scope: str) -> None:
    """6749-6-b, 6749-3.3-a: the answer has the scope, and the family keeps the whole grant."""
    answer = await worker.refresh(first.body["refresh_token"], scope=scope)
    narrowed = " ".join(dict.fromkeys(scope.split()))
    assert answer.body["scope"] == narrowed
    assert claims(answer.body["access_token"])["scope"] == narrowed
    assert ("id_token" in answer.body) is ("openid" in scope)
    whole = await worker.refresh(answer.body["refresh_token"])
    assert whole.body["scope"] == ALL


@pytest.mark.parametrize("scope", ["admin", "openid admin", "openid  admin", " ", '"'])
async def test_a_wider_scope(worker: Worker, first: Answer, scope: str) -> None:
    """6749-6-b: refused, and the token is not used up."""
    token = first.body["refresh_token"]
    assert (await worker.refresh(token, scope=scope)).outcome == INVALID_SCOPE
    assert (await worker.refresh(token)).status == 200


async def test_wider_than_granted_though_the_client_may(worker: Worker, people: People) -> None:
    """6749-6-b: the consent of the person is the limit."""
    grant = await worker.authorize(scope="openid offline_access")
    await people.approve(grant.body["user_code"])
    token = (await worker.poll(grant.body["device_code"])).body["refresh_token"]
    assert (await worker.refresh(token, scope="openid email")).outcome == INVALID_SCOPE


async def test_another_clients_token(worker: Worker, first: Answer) -> None:
    """6749-6-a: refused, and the owner can go on."""
    token = first.body["refresh_token"]
    assert (await worker.refresh(token, "other-tv")).outcome == INVALID_GRANT
    assert (await worker.refresh(token, "always")).outcome == INVALID_GRANT
    assert (await worker.refresh(token)).status == 200


async def test_a_confidential_client_authenticates(worker: Worker, people: People) -> None:
    """6749-6-a: the token alone is not enough."""
    secret = {"client_id": "box", "client_secret": SECRET}
    grant = await worker.post("/oauth2/device_authorization", secret)
    await people.approve(grant.body["user_code"])
    answer = await worker.poll(grant.body["device_code"], "box", client_secret=SECRET)
    token = answer.body["refresh_token"]
    assert (await worker.refresh(token, "box")).outcome == (401, "invalid_client")
    wrong = await worker.refresh(token, "box", client_secret="wrong")
    assert wrong.outcome == (401, "invalid_client")
    assert (await worker.refresh(token, "box", client_secret=SECRET)).status == 200


async def test_what_is_no_refresh_token(worker: Worker, first: Answer) -> None:
    """A device code or another token is never accepted as a refresh token."""
    token = first.body["refresh_token"]
    grant = await worker.authorize()
    name, _, secret = token.partition(".")
    wrong = [
        grant.body["device_code"],
        grant.body["user_code"],
        first.body["access_token"],
        first.body["id_token"],
        name,
        secret,
        f"{name}.",
        f"{name}.{secret}x",
        f"{name}.{secret[:-1]}",
        f"{secret[:16]}.{secret}",
        token + "\n",
        token.swapcase(),
        "é" * 60,
    ]
    for text in wrong:
        assert (await worker.refresh(text)).outcome == INVALID_GRANT, text
    assert (await worker.refresh(token)).status == 200


@pytest.mark.parametrize(
    "asked", [{}, {"scope": "nope"}, {"scope": " "}, {"resource": "https://nope.example"}], ids=str
)
@pytest.mark.parametrize("is_guess", [False, True], ids=["used before", "guessed"])
async def test_a_replay_whatever_else_is_asked(
    worker: Worker,
    first: Answer,
    asked: dict[str, str],
    is_guess: bool,  # noqa: FBT001, a parameter of the test
) -> None:
    """9700-2.2.2-a: it ends the family and is told to the operator.

    Who knows a family's name had a token of it: a wrong secret is a replay, too.
    """
    used = first.body["refresh_token"]
    second = await worker.refresh(used)
    third = await worker.refresh(second.body["refresh_token"])
    name, _, _ = used.partition(".")
    with capture_logs() as logs:
        answer = await worker.refresh(f"{name}.{'A' * 43}" if is_guess else used, **asked)
    assert answer.outcome == INVALID_GRANT
    assert [(log["event"], log["client_id"], log["sub"]) for log in logs] == [
        ("refresh_token.replayed", "tv-app", "sub-ada")
    ]
    assert (await worker.refresh(third.body["refresh_token"])).outcome == INVALID_GRANT


@pytest.mark.parametrize("lost", ["SET", "DEL"])
async def test_the_store_goes_away_in_a_replay(
    stage: Stage,
    worker: Worker,
    first: Answer,
    monkeypatch: pytest.MonkeyPatch,
    lost: str,
) -> None:
    """9700-2.2.2-a: it is logged all the same, and the next request finishes the revocation."""
    used = first.body["refresh_token"]
    second = await worker.refresh(used)
    third = await worker.refresh(second.body["refresh_token"])
    batch = Connection.batch

    async def away(self: Connection, *commands: Command) -> list[Any]:
        if commands[0][0] == lost:
            raise StoreUnavailable
        return await batch(self, *commands)

    with monkeypatch.context() as patched, capture_logs() as logs:
        patched.setattr(Connection, "batch", away)
        answer = await worker.refresh(used)
    assert answer.outcome == (503, "temporarily_unavailable")
    assert "refresh_token.replayed" in [log["event"] for log in logs]
    by = third.body["refresh_token"] if lost == "DEL" else used
    assert (await worker.refresh(by)).outcome == INVALID_GRANT
    assert await stage.keys("df:f:*") == []
    assert len(await stage.keys("df:r:*")) == 1


async def test_a_refresh_token_is_no_device_code(worker: Worker, first: Answer) -> None:
    """Section 3."""
    assert (await worker.poll(first.body["refresh_token"])).outcome == INVALID_GRANT


async def test_the_token_is_required(worker: Worker) -> None:
    assert (await worker.refresh("")).outcome == (400, "invalid_request")


async def test_a_disabled_user(worker: Worker, people: People, first: Answer) -> None:
    """When enabled again, the token is valid again."""
    account = await people.users.find("ada")
    assert account is not None
    await people.users.put(msgspec.structs.replace(account, disabled=True))
    assert (await worker.refresh(first.body["refresh_token"])).outcome == INVALID_GRANT
    await people.users.put(account)
    assert (await worker.refresh(first.body["refresh_token"])).status == 200


async def test_a_client_that_may_less_than_before(stage: Stage, first: Answer) -> None:
    """A scope that was removed from the client cannot be refreshed."""
    clients = tuple(
        msgspec.structs.replace(client, scopes=("openid",))
        if client.client_id == "tv-app"
        else client
        for client in stage.settings.clients
    )
    changed = await stage.start_worker(msgspec.structs.replace(stage.settings, clients=clients))
    assert (await changed.refresh(first.body["refresh_token"])).outcome == INVALID_GRANT


def with_policy(settings: Settings, *, refresh_token: bool | None) -> Settings:
    clients = [
        msgspec.structs.replace(client, refresh_token=refresh_token) for client in settings.clients
    ]
    return msgspec.structs.replace(settings, clients=tuple(clients))


async def test_a_client_that_may_refresh_no_more(stage: Stage, people: People) -> None:
    """6749-5.2-b, 9700-4.14.2-a: by the current policy; the grant is kept."""
    always = await stage.start_worker(with_policy(stage.settings, refresh_token=True))
    grant = await always.authorize(scope="profile")
    await people.approve(grant.body["user_code"])
    token = (await always.poll(grant.body["device_code"])).body["refresh_token"]
    for policy in (False, None):
        changed = await stage.start_worker(with_policy(stage.settings, refresh_token=policy))
        assert (await changed.refresh(token)).outcome == (400, "unauthorized_client")
    assert (await always.refresh(token)).status == 200


async def test_idle_and_absolute_lifetime(stage: Stage, first: Answer) -> None:
    """9700-4.14.2-a: the store deletes an idle family by itself, and every family expires."""
    assert first.status == 200
    (key,) = await stage.keys("df:f:*")
    idle_s = stage.settings.tokens.refresh_token_idle_s
    assert 0 < await stage.redis.ttl(key) <= idle_s + 1
    stage.clock.advance(stage.settings.tokens.refresh_token_lifetime_s - idle_s / 2)
    await stage.workers[0].refresh(first.body["refresh_token"])
    lifetime_s = stage.settings.tokens.refresh_token_lifetime_s
    assert await stage.redis.ttl(key) <= lifetime_s + 1


async def test_the_store_keeps_no_token(stage: Stage, worker: Worker, first: Answer) -> None:
    """6749-10.3-a: the store has only hashes."""
    again = await worker.refresh(first.body["refresh_token"])
    secrets = [answer.body["refresh_token"].partition(".")[2] for answer in (first, again)]
    secrets += [answer.body["access_token"] for answer in (first, again)]
    for key in await stage.keys("*"):
        stored = key.encode() + (await stage.redis.dump(key) or b"")
        assert not any(secret.encode() in stored for secret in secrets)
