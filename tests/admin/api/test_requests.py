"""Requests of the API: tokens, bodies, and addresses that are none."""

import pytest
from multidict import CIMultiDict
from structlog.testing import capture_logs

from deviceflow.admin.routes import API, MAX_BODY_BYTES
from tests.stage.admin import ADA, NEXT_TOKEN, TOKEN, Operator
from tests.stage.oauth import Stage, Worker

FIND = "/grants/find"
NO_GRANT = "0" * 16


@pytest.mark.parametrize("token", [TOKEN, NEXT_TOKEN])
async def test_each_token_of_the_file(worker: Worker, token: str) -> None:
    answer = await Operator(worker, token).get(f"/grants/{NO_GRANT}")
    assert answer.outcome == (404, "not_found")


async def test_the_scheme_is_in_any_case(worker: Worker) -> None:
    """RFC 9110 11.1."""
    bare = Operator(worker, None)
    headers = {"Authorization": f"bEARER  {TOKEN}"}
    assert (await bare.get(f"/grants/{NO_GRANT}", headers=headers)).status == 404


@pytest.mark.parametrize("path", [f"/grants/{NO_GRANT}", FIND, "/nothing", "/"])
async def test_without_a_token(worker: Worker, path: str) -> None:
    """6750-3-a: the challenge has no error code."""
    answer = await Operator(worker, None).post(path)
    assert answer.outcome == (401, "unauthorized")
    assert answer.response.headers["WWW-Authenticate"] == 'Bearer realm="deviceflow admin"'


@pytest.mark.parametrize(
    "value", [f"Bearer {TOKEN[:-1]}0", "Bearer", f"Basic {TOKEN}", TOKEN, f"Bearer {TOKEN},", ""]
)
async def test_a_token_that_is_none_of_them(worker: Worker, value: str) -> None:
    bare = Operator(worker, None)
    with capture_logs() as logs:
        answer = await bare.get(f"/grants/{NO_GRANT}", headers={"Authorization": value})
    assert answer.outcome == (401, "invalid_token")
    assert 'error="invalid_token"' in answer.response.headers["WWW-Authenticate"]
    (line,) = [line for line in logs if line["event"] == "admin.refused"]
    assert (line["address"], line["times"]) == ("127.0.0.1", 1)
    assert TOKEN[:8] not in str(logs)


async def test_two_tokens_in_one_request(worker: Worker) -> None:
    headers = CIMultiDict([("Authorization", f"Bearer {TOKEN}")] * 2)
    async with worker.admin.get(f"{API}/grants/{NO_GRANT}", headers=headers) as response:
        assert response.status == 401


async def test_without_a_token_file_the_api_is_off(stage: Stage) -> None:
    worker = await stage.start_worker()
    for path in ("/grants/find", "/openapi.json", "/", ""):
        async with worker.admin.post(f"{API}{path}", headers=Operator(worker).headers) as response:
            assert response.status == 404
            problem = await response.json(content_type="application/problem+json")
            assert problem["error"] == "api_off"
            assert "admin.token_file" in problem["detail"]


async def test_the_public_port_has_no_api(worker: Worker) -> None:
    async with worker.client.get(f"{API}/grants/{NO_GRANT}") as response:
        assert response.status == 404


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"user_code": "\xff"}',
        b"{}",
        b'{"user_code": 7}',
        b'{"user_code": ""}',
        b'{"user_code": "A", "sub": "a"}',
        b'{"user_code": "' + b"A" * 257 + b'"}',
        b"[" * 5000,
    ],
)
async def test_a_body_that_cannot_be_read(operator: Operator, sent: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    answer = await operator.post(FIND, data=sent, headers=headers)
    assert answer.outcome == (400, "invalid_request")


async def test_the_member_that_is_wrong_is_named(operator: Operator) -> None:
    answer = await operator.post(f"/grants/{NO_GRANT}/approve", ADA | {"auth_time": "now"})
    assert "$.auth_time" in answer.body["detail"]
    answer = await operator.post(f"/grants/{NO_GRANT}/approve", ADA | {"usernam": "ada"})
    assert "usernam" in answer.body["detail"]


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
async def test_a_body_of_another_type(operator: Operator, kind: str) -> None:
    """So no form of a web page can send one."""
    headers = {"Content-Type": kind}
    answer = await operator.post(FIND, data=b'{"user_code": "A"}', headers=headers)
    assert answer.outcome == (415, "unsupported_media_type")


async def test_a_body_that_is_compressed(operator: Operator) -> None:
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    answer = await operator.post(FIND, data=b"{}", headers=headers, skip_auto_headers=())
    assert answer.outcome == (415, "unsupported_media_type")


async def test_a_body_that_is_too_large(operator: Operator) -> None:
    answer = await operator.post(FIND, {"user_code": "A" * MAX_BODY_BYTES})
    assert answer.outcome == (413, "too_large")


async def test_another_method(operator: Operator) -> None:
    answer = await operator.send("DELETE", FIND)
    assert answer.outcome == (405, "method_not_allowed")
    assert answer.response.headers["Allow"] == "POST"
