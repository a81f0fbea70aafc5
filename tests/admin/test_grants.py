"""What operators do with grants, on a real store, while devices poll at another worker."""

import asyncio
from collections import Counter
from unittest import mock

import msgspec
import pytest
from structlog.testing import capture_logs

from deviceflow.core.grant import State
from deviceflow.store.errors import StoreUnavailable
from deviceflow.store.keyspace import USERS
from tests.stage.admin import ADA, BOB, TOKENS, Operator
from tests.stage.clock import Clock
from tests.stage.oauth import Stage, Worker

EVE = {"sub": "sub-eve", "username": "eve"}
NEW = {"sub": "u-81", "username": "grace", "name": "Grace Hopper", "email": "g@example.com"}


async def started(worker: Worker, client_id: str = "tv-app", **parameters: str) -> dict[str, str]:
    answer = await worker.authorize(client_id, **parameters)
    assert answer.status == 200
    return answer.body


async def test_find_by_the_code_as_people_type_it(operator: Operator, worker: Worker) -> None:
    code = (await started(worker))["user_code"]
    grant_id = await operator.id_of(code)
    for text in (code.lower(), f" {code.replace('-', ' ')} ", code.replace("-", ""), f"{code}."):
        assert await operator.id_of(text) == grant_id
    for text in ("XXXX-XXXX", "?", "hello world", "W"):
        assert (await operator.find(text)).outcome == (404, "not_found")


async def test_show_says_what_is_known_but_no_code(
    operator: Operator, worker: Worker, clock: Clock
) -> None:
    codes = await started(worker, scope="openid profile")
    grant_id = await operator.id_of(codes["user_code"])
    shown = await operator.get(f"/grants/{grant_id}")
    assert shown.status == 200
    log_id = shown.body.pop("log_id")
    assert len(log_id) == 10
    device = shown.body.pop("device", "")
    assert shown.body == {
        "id": grant_id,
        "state": "pending",
        "client": {"client_id": "tv-app", "name": "Living-room TV", "verified": True},
        "scope": "openid profile",
        "requested_at": int(clock()),
        "expires_at": int(clock()) + 600,
        "address": "127.0.0.1",
    }
    told = str(shown.body) + device
    assert codes["device_code"] not in told
    assert codes["user_code"].replace("-", "") not in told.replace("-", "")


async def test_an_approval_says_the_language_of_the_person(
    operator: Operator, worker: Worker
) -> None:
    """For the notice of the new device; without it, that is in the default of the settings."""
    for more, kept in (({"locale": "de-AT"}, "de-AT"), ({}, "")):
        grant_id = await operator.id_of((await started(worker))["user_code"])
        path = f"/grants/{grant_id}/approve"
        for wrong in ("de_AT", "de\r\n", "x" * 9, "a" + "-b" * 8):
            refused = await operator.post(path, ADA | {"locale": wrong})
            assert refused.outcome == (400, "invalid_request")
        assert (await operator.post(path, ADA | more)).outcome == (200, "approved")
        grant = await worker.parts.grants.get(int(grant_id, 16))
        assert grant is not None
        assert grant.language == kept


@pytest.mark.parametrize("grant_id", ["0" * 16, "f" * 16, "A" * 16, "0", "x" * 16, "%20"])
async def test_a_grant_that_is_not_there(operator: Operator, grant_id: str) -> None:
    path = f"/grants/{grant_id}"
    assert (await operator.get(path)).outcome == (404, "not_found")
    assert (await operator.post(f"{path}/approve", ADA)).outcome == (404, "not_found")
    assert (await operator.post(f"{path}/deny", {"sub": "a"})).outcome == (404, "not_found")
    assert (await operator.post(f"{path}/cancel")).outcome == (404, "not_found")


async def test_an_approval_brings_the_tokens(
    operator: Operator, worker: Worker, other_worker: Worker
) -> None:
    """The person's claims are in them; the device hears of it at another worker."""
    codes = await started(worker, scope="openid profile email")
    grant_id = await operator.id_of(codes["user_code"])
    more = {"amr": ["pwd", "otp"], "acr": "urn:level:2", "auth_time": 1_700_000_000}
    with capture_logs() as logs:
        approved = await operator.post(f"/grants/{grant_id}/approve", NEW | more)
    assert approved.outcome == (200, "approved")
    assert approved.body["claimed_by"] == "u-81"
    assert approved.body["approval"]["username"] == "grace"
    (line,) = [line for line in logs if line["event"] == "grant.decided"]
    assert line["operator"] == TOKENS.names()[0]
    await other_worker.knows(int(grant_id, 16), State.APPROVED)
    tokens = await other_worker.poll(codes["device_code"])
    assert tokens.status == 200
    header = {"Authorization": f"Bearer {tokens.body['access_token']}"}
    claims = (await worker.send("GET", "/oauth2/userinfo", headers=header)).body
    assert (claims["sub"], claims["name"], claims["email"]) == ("u-81", NEW["name"], NEW["email"])
    told = other_worker.parts.signer.verify(tokens.body["access_token"])[1]
    assert (told["amr"], told["acr"], told["auth_time"]) == (*more.values(),)
    assert (await operator.get(f"/grants/{grant_id}")).outcome == (200, "redeemed")


async def test_a_part_of_the_scope(operator: Operator, worker: Worker) -> None:
    """RFC 6749 3.3, 5.1: the answer with the tokens says what was granted."""
    codes = await started(worker, scope="openid profile offline_access")
    path = f"/grants/{await operator.id_of(codes['user_code'])}"
    refused = await operator.post(f"{path}/approve", ADA | {"scope": "openid email"})
    assert refused.outcome == (422, "invalid_scope")
    assert (await operator.get(path)).body["state"] == "pending"
    approved = await operator.post(f"{path}/approve", ADA | {"scope": "profile  openid profile"})
    assert approved.body["scope"] == "profile openid"
    again = await operator.post(f"{path}/approve", ADA)
    assert (again.outcome, again.body["scope"]) == ((200, "approved"), "profile openid")
    tokens = (await worker.poll(codes["device_code"])).body
    assert tokens["scope"] == "profile openid"
    assert "refresh_token" not in tokens


async def test_every_decision_may_be_sent_again(operator: Operator, worker: Worker) -> None:
    codes = [await started(worker) for _ in range(3)]
    paths = [f"/grants/{await operator.id_of(each['user_code'])}" for each in codes]
    for _ in range(2):
        assert (await operator.post(f"{paths[0]}/approve", ADA)).outcome == (200, "approved")
        assert (await operator.post(f"{paths[1]}/deny", {"sub": "s"})).outcome == (200, "denied")
        assert (await operator.post(f"{paths[2]}/cancel")).outcome == (200, "cancelled")
    assert (await worker.poll(codes[0]["device_code"])).status == 200
    # The answer to the approval was lost, and the device was faster than the repetition.
    assert (await operator.post(f"{paths[0]}/approve", ADA)).outcome == (200, "redeemed")
    for each in codes[1:]:
        assert (await worker.poll(each["device_code"])).outcome == (400, "access_denied")


async def test_a_decision_is_final(operator: Operator, worker: Worker) -> None:
    denied, cancelled, redeemed = [await started(worker) for _ in range(3)]
    paths = [
        f"/grants/{await operator.id_of(each['user_code'])}"
        for each in (denied, cancelled, redeemed)
    ]
    await operator.post(f"{paths[0]}/deny", {"sub": "sub-ada"})
    await operator.post(f"{paths[1]}/cancel")
    await operator.post(f"{paths[2]}/approve", ADA)
    await worker.poll(redeemed["device_code"])
    for path, state in zip(paths, ("denied", "cancelled", "redeemed"), strict=True):
        refused = await operator.post(f"{path}/approve", BOB)
        assert refused.outcome == (409, "already_decided")
        assert refused.body["state"] == state
    assert (await operator.post(f"{paths[0]}/cancel")).outcome == (409, "already_decided")
    assert (await operator.post(f"{paths[2]}/cancel")).outcome == (409, "already_decided")


async def test_only_the_account_that_has_claimed_it(
    operator: Operator, worker: Worker, stage: Stage
) -> None:
    code = (await started(worker))["user_code"]
    path = f"/grants/{await operator.id_of(code)}"
    await stage.people.claim(code, "bob")
    refused = await operator.post(f"{path}/approve", ADA)
    assert refused.outcome == (409, "claimed_by_another")
    denied = await operator.post(f"{path}/deny", {"sub": "sub-ada"})
    assert denied.outcome == (409, "claimed_by_another")
    assert (await operator.post(f"{path}/approve", NEW)).outcome == (409, "claimed_by_another")
    assert (await operator.post(f"/grants/{'0' * 16}/approve", NEW)).status == 404
    assert await stage.redis.hget(USERS, NEW["username"]) is None, "a refusal makes nobody a user"
    assert (await operator.get(path)).body["claimed_by"] == "sub-bob"
    assert (await operator.post(f"{path}/approve", BOB)).outcome == (200, "approved")


async def test_a_person_who_may_not(operator: Operator, worker: Worker) -> None:
    path = f"/grants/{await operator.id_of((await started(worker))['user_code'])}"
    assert (await operator.post(f"{path}/approve", EVE)).outcome == (403, "user_disabled")
    for taken in (ADA | {"sub": "other"}, ADA | {"username": "lovelace"}):
        assert (await operator.post(f"{path}/approve", taken)).outcome == (409, "subject_taken")
    assert (await operator.get(path)).body["state"] == "pending"


async def test_a_new_person_is_a_user_without_a_password(
    operator: Operator, worker: Worker, stage: Stage
) -> None:
    path = f"/grants/{await operator.id_of((await started(worker))['user_code'])}"
    assert (await operator.post(f"{path}/approve", NEW)).status == 200
    assert await stage.redis.hget(USERS, "grace") is not None
    account = await worker.parts.users.find("grace")
    assert account is not None
    assert (account.sub, account.name, account.email) == ("u-81", NEW["name"], NEW["email"])
    for password in ("", "grace", "none"):
        assert await worker.parts.users.verify("grace", password) is None


async def test_a_client_that_is_disabled(operator: Operator, worker: Worker) -> None:
    path = f"/grants/{await operator.id_of((await started(worker))['user_code'])}"
    clients = worker.parts.clients
    client = clients.find("tv-app")
    assert client is not None
    clients.adopt_one("tv-app", msgspec.structs.replace(client, enabled=False))
    assert (await operator.post(f"{path}/approve", ADA)).outcome == (409, "client_disabled")
    assert (await operator.post(f"{path}/deny", {"sub": "s"})).outcome == (200, "denied")


async def test_a_grant_that_has_ended(operator: Operator, worker: Worker, stage: Stage) -> None:
    codes = await started(worker, "brief")
    grant_id = await operator.id_of(codes["user_code"])
    grant = await worker.parts.grants.get(int(grant_id, 16))
    assert grant is not None
    key = worker.parts.grants._key(grant.id)
    await stage.redis.hset(key, "expires", grant.requested_at - 1)
    path = f"/grants/{grant_id}"
    assert (await operator.get(path)).outcome == (200, "expired")
    assert (await operator.post(f"{path}/approve", ADA)).outcome == (410, "expired")
    assert (await operator.post(f"{path}/cancel")).outcome == (410, "expired")
    assert (await operator.find(codes["user_code"])).outcome == (404, "not_found")


async def test_the_newest_decisions(operator: Operator, worker: Worker) -> None:
    """One line for each grant, with what it is now; a grant that waits is not there."""
    assert (await operator.get("/decisions")).body == {"decisions": []}
    codes = [await started(worker) for _ in range(4)]
    ids = [await operator.id_of(each["user_code"]) for each in codes]
    await operator.post(f"/grants/{ids[0]}/deny", {"sub": "sub-ada"})
    await operator.post(f"/grants/{ids[1]}/approve", ADA)
    await operator.post(f"/grants/{ids[2]}/cancel")
    await worker.poll(codes[1]["device_code"])
    await operator.post(f"/grants/{ids[3]}/approve", EVE)  # who is disabled
    newest = (await operator.get("/decisions")).body["decisions"]
    assert [(each["grant"]["id"], each["grant"]["state"]) for each in newest] == [
        (ids[1], "redeemed"),
        (ids[2], "cancelled"),
        (ids[0], "denied"),
    ]
    times = [each["at"] for each in newest]
    assert times == sorted(times, reverse=True)


@pytest.mark.parametrize("wrong", ["a\u202eb", "\u200b", " a", "a" * 101])
async def test_a_name_that_misleads(operator: Operator, worker: Worker, wrong: str) -> None:
    path = f"/grants/{await operator.id_of((await started(worker))['user_code'])}"
    for member in ("username", "name"):
        answer = await operator.post(f"{path}/approve", ADA | {member: wrong})
        assert answer.outcome == (400, "invalid_request")
        assert member in answer.body["detail"]


async def test_approve_against_deny(
    operator: Operator, other_operator: Operator, worker: Worker
) -> None:
    """Many at once, at two workers, by two people: each grant ends once, and all hear the same."""
    ended: Counter[str] = Counter()
    for _ in range(15):
        codes = await started(worker)
        path = f"/grants/{await operator.id_of(codes['user_code'])}"
        answers = await asyncio.gather(
            operator.post(f"{path}/approve", ADA),
            other_operator.post(f"{path}/deny", {"sub": "sub-ada"}),
            other_operator.post(f"{path}/approve", BOB),
            operator.post(f"{path}/cancel"),
        )
        final = (await operator.get(path)).body
        changed = [each for each in answers if each.status == 200]
        assert changed
        assert {each.status for each in answers} <= {200, 409}
        # Cancelling is the only decision that may come after another one: the approval.
        states = [each.body["state"] for each in changed]
        assert final["state"] in states
        assert set(states) - {final["state"]} <= {"approved"}
        ended[final["state"]] += 1
        outcome = (await worker.poll(codes["device_code"])).outcome
        expected = (200, "") if final["state"] == "approved" else (400, "access_denied")
        assert outcome == expected
    assert ended.total() == 15


async def test_the_store_is_away(operator: Operator, worker: Worker) -> None:
    path = f"/grants/{await operator.id_of((await started(worker))['user_code'])}"
    gone = mock.AsyncMock(side_effect=StoreUnavailable("gone"))
    with mock.patch.object(worker.parts.connection, "batch", gone):
        answer = await operator.post(f"{path}/approve", ADA)
    assert answer.outcome == (503, "temporarily_unavailable")
    assert answer.response.headers["Retry-After"] == "5"
    assert (await operator.post(f"{path}/approve", ADA)).outcome == (200, "approved")
