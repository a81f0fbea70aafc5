"""What operators do for a person, through the API and in the console, on a real store."""

import pytest
from structlog.testing import capture_logs

from deviceflow.core.base64url import sha256_digest
from deviceflow.store.sessions import Session
from tests.stage.admin import ADA, BOB, TOKENS, Operator
from tests.stage.console import ConsoleBrowser
from tests.stage.oauth import Answer, Worker
from tests.stage.waiting import until


async def connected(operator: Operator, worker: Worker, person: dict[str, str]) -> Answer:
    """The tokens of a device that a person has approved."""
    codes = (await worker.authorize()).body
    grant_id = await operator.id_of(codes["user_code"])
    assert (await operator.post(f"/grants/{grant_id}/approve", person)).status == 200
    tokens = await worker.poll(codes["device_code"])
    assert tokens.status == 200
    return tokens


async def signed_in(worker: Worker, username: str) -> str:
    session = Session(username, f"sub-{username}", int(worker.parts.clock()))
    return await worker.parts.sessions.start(session)


async def test_find(operator: Operator) -> None:
    for name in ("ada", "sub-ada", "ADA"):
        found = await operator.get("/people", params={"name": name})
        assert found.body == {"sub": "sub-ada", "username": "ada", "disabled": False}
    assert (await operator.get("/people", params={"name": "eve"})).body["disabled"] is True
    for name in ("", "nobody"):
        answer = await operator.get("/people", params={"name": name})
        assert answer.outcome == (404, "not_found")


async def test_list_and_disconnect_one(operator: Operator, worker: Worker) -> None:
    tokens, others = [await connected(operator, worker, ADA) for _ in range(2)]
    await connected(operator, worker, BOB)
    page = (await operator.get("/people/sub-ada/devices")).body
    assert (page["page"], page["total"], page["is_last"]) == (1, 2, True)
    assert {device["has_tokens"] for device in page["devices"]} == {True}
    claims = worker.parts.signer.verify(tokens.body["access_token"])[1]
    path = f"/people/sub-ada/devices/{claims['grant_id']}/disconnect"
    assert claims["grant_id"] in {device["id"] for device in page["devices"]}
    wrong = path.replace("ada", "bob")
    assert (await operator.post(wrong)).body == {"disconnected": 0}, "it is not Bob's"
    with capture_logs() as logs:
        assert (await operator.post(path)).body == {"disconnected": 1}
    (line,) = [line for line in logs if line["event"] == "device.disconnected"]
    assert (line["sub"], line["by"], line["operator"]) == ("sub-ada", "operator", TOKENS.names()[0])
    assert (await operator.post(path)).body == {"disconnected": 0}
    assert (await worker.refresh(tokens.body["refresh_token"])).error == "invalid_grant"
    assert (await worker.refresh(others.body["refresh_token"])).status == 200
    assert (await operator.get("/people/sub-ada/devices")).body["total"] == 1


async def test_disconnect_all(operator: Operator, worker: Worker) -> None:
    mine = [await connected(operator, worker, ADA) for _ in range(3)]
    other = await connected(operator, worker, BOB)
    path = "/people/sub-ada/devices/disconnect"
    assert (await operator.post(path)).body == {"disconnected": 3}
    assert (await operator.post(path)).body == {"disconnected": 0}
    for tokens in mine:
        assert (await worker.refresh(tokens.body["refresh_token"])).error == "invalid_grant"
    assert (await worker.refresh(other.body["refresh_token"])).status == 200


async def test_a_part_of_the_scope_is_what_is_listed(operator: Operator, worker: Worker) -> None:
    await connected(operator, worker, ADA | {"scope": "profile offline_access"})
    page = (await operator.get("/people/sub-ada/devices")).body
    assert page["devices"][0]["scope"] == "profile offline_access"


async def test_end_sessions(operator: Operator, worker: Worker) -> None:
    ids = [await signed_in(worker, name) for name in ("ada", "ada", "bob")]
    assert (await operator.post("/people/sub-ada/sessions/end")).body == {"ended": 2}
    assert (await operator.post("/people/sub-ada/sessions/end")).body == {"ended": 0}
    assert [await worker.parts.sessions.get(each) is None for each in ids] == [True, True, False]


async def test_a_person_that_nobody_knows(operator: Operator) -> None:
    assert (await operator.get("/people/no%2Fone/devices")).body["devices"] == []
    assert (await operator.post("/people/x/devices/disconnect")).body == {"disconnected": 0}
    for device in (sha256_digest("x"), "x", "%00"):
        answer = await operator.post(f"/people/x/devices/{device}/disconnect")
        assert answer.body == {"disconnected": 0}


@pytest.mark.parametrize("page", ["0", "-1", "x", "1000000"])
async def test_a_page_that_is_none(operator: Operator, page: str) -> None:
    answer = await operator.get("/people/sub-ada/devices", params={"page": page})
    assert answer.outcome == (400, "invalid_request")


async def test_all_devices_of_a_client(operator: Operator, worker: Worker) -> None:
    tokens = await connected(operator, worker, ADA)
    assert (await operator.post("/clients/nobody/revoke")).outcome == (404, "not_found")
    assert (await operator.post("/clients/other-tv/revoke")).status == 200
    assert (await worker.refresh(tokens.body["refresh_token"])).status == 200
    assert (await operator.post("/clients/tv-app/revoke")).body == {"client_id": "tv-app"}
    await until(lambda: worker.parts.client_revocations.ends("tv-app", 0))
    assert (await worker.refresh(tokens.body["refresh_token"])).error == "invalid_grant"


async def test_all_waiting_grants_of_a_client(operator: Operator, worker: Worker) -> None:
    waiting = (await worker.authorize()).body["device_code"]
    assert (await operator.post("/clients/nobody/cancel")).outcome == (404, "not_found")
    assert (await operator.post("/clients/other-tv/cancel")).status == 200
    await until(lambda: worker.mirror.cancelled_below)
    assert (await worker.poll(waiting)).error == "authorization_pending"
    assert (await operator.post("/clients/tv-app/cancel")).body == {"client_id": "tv-app"}
    await until(lambda: len(worker.mirror.cancelled_below) == 2)
    assert (await worker.poll(waiting)).error == "access_denied"


async def test_in_the_console(operator: Operator, worker: Worker) -> None:
    """One device, then all, then the sessions: each after a question."""
    console = ConsoleBrowser(worker)
    await console.sign_in()
    tokens = [await connected(operator, worker, ADA) for _ in range(3)]
    session = await signed_in(worker, "ada")
    await console.open("/console/people/ada")
    assert "Devices 3" in console.text
    claims = worker.parts.signer.verify(tokens[0].body["access_token"])[1]
    await console.open(f"/console/people/ada/end?device={claims['grant_id']}")
    assert "Disconnect this device?" in console.text
    await console.submit("/console/people/ada/end")
    await console.follow()
    assert "Devices 2" in console.text
    assert (await worker.refresh(tokens[0].body["refresh_token"])).error == "invalid_grant"
    await console.open("/console/people/ada/end?all=devices")
    await console.submit("/console/people/ada/end")
    await console.follow()
    assert "No device has access" in console.text
    assert await worker.parts.sessions.get(session) is not None
    await console.open("/console/people/ada/end?all=sessions")
    await console.submit("/console/people/ada/end")
    assert await worker.parts.sessions.get(session) is None


async def test_what_cannot_be_ended(worker: Worker) -> None:
    console = ConsoleBrowser(worker)
    await console.sign_in()
    for query in ("", "?all=x", "?device=x"):
        assert (await console.open(f"/console/people/ada/end{query}")).status == 404
    await console.open("/console/people/ada/end?all=devices")
    assert (await console.submit("/console/people/ada/end", all="x")).status == 400
    for page in ("0", "x", "-1"):
        assert (await console.open(f"/console/people/ada?page={page}")).status == 400
