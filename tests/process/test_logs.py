"""What an operator finds in the log of a grant, and of those who do what they should not."""

import json
from typing import Any

from tests.stage.process import Command, NewBrowser, NewDevice
from tests.stage.program import Program
from tests.stage.wire import fetch, request_of


def lines(program: Program, name: str) -> list[dict[str, Any]]:
    return [event for event in program.log if event["event"] == name]


def test_the_lines_of_a_grant_share_a_name(
    program: Program, device: NewDevice, browser: NewBrowser
) -> None:
    """From the start to the tokens, on both workers; and no other grant has it."""
    tv, other = device().authorize(), device().authorize()
    browser().decide(tv.user_code, "approve")
    assert tv.wait() == "tokens"
    assert tv.outcome() == "tokens"
    program.wait_for("grant.redeemed_again")
    (decided,) = lines(program, "grant.decided")
    name = decided["grant"]
    assert [event["grant"] == name for event in lines(program, "grant.issued")] == [True, False]
    assert [event["grant"] for event in lines(program, "grant.redeemed")] == [name]
    assert [event["grant"] for event in lines(program, "grant.redeemed_again")] == [name]
    assert len(name) == 10
    for secret in (tv.grant["device_code"], tv.user_code, tv.tokens["refresh_token"]):
        assert name not in secret
    assert other.outcome() == "authorization_pending"


def test_a_grant_is_issued_to_an_address(program: Program, device: NewDevice) -> None:
    device().authorize()
    assert program.wait_for("grant.issued")["address"] == "127.0.0.1"


def test_the_lines_of_a_request_have_the_id_of_its_answer(program: Program) -> None:
    form = {"client_id": "tv"}
    answer = fetch(request_of(f"{program.url}/oauth2/device_authorization", form))
    program.notes.add(answer.body["device_code"], answer.body["user_code"])
    event = program.wait_for("grant.issued")
    assert event["request_id"] == answer.headers["X-Request-ID"]


def test_a_stranger_chooses_no_request_id(program: Program) -> None:
    """Only a proxy of server.trusted_proxies may."""
    answer = fetch(request_of(f"{program.url}/login", headers={"X-Request-ID": "chosen"}))
    assert answer.headers["X-Request-ID"] != "chosen"


def test_a_poll_has_no_line_and_no_id(program: Program, device: NewDevice) -> None:
    tv = device().authorize()
    program.wait_for("grant.issued")
    before = len(program.log)
    answers = [tv.poll() for _ in range(20)]
    assert all("X-Request-ID" not in answer.headers for answer in answers)
    names = [event["event"] for event in program.log[before:]]
    assert [name for name in names if name != "store.reachable"] == [], "a worker starts late"


def test_a_limit_that_refuses_is_logged_with_the_address_and_not_each_time(
    program: Program, browser: NewBrowser
) -> None:
    for _ in range(35):
        person = browser()
        person.open("/login")
        person.submit("/login", username="ada", password="wrong")
    refused = [(event["limit"], event["times"]) for event in lines(program, "limit.refused")]
    counted = [times for limit, times in refused if limit == "sign-in.account-address"]
    assert set(counted) == {1} or set(counted) == {1, 10}, "each worker counts for itself"
    assert {event["address"] for event in lines(program, "limit.refused")} == {"127.0.0.1"}


def test_a_start_that_fails_is_an_event_where_the_log_is_json(command: Command) -> None:
    """With the format named in the settings; otherwise it is a line for a person."""
    arguments = ("--port", "0", "--admin-port", "0", "--redis-url", "redis://127.0.0.1:1/0")
    ended = command("serve", *arguments, variables={"DEVICEFLOW_LOG_FORMAT": "json"})
    events = [json.loads(line) for line in ended.stderr.splitlines()]
    assert ended.returncode == 1
    assert events[-1]["event"] == "server.failed"
    assert "cannot use the store at 127.0.0.1:1" in events[-1]["problem"]


def test_wrong_settings_are_an_event_where_the_log_is_json(command: Command) -> None:
    variables = {"DEVICEFLOW_LOG_FORMAT": "json", "DEVICEFLOW_SERVER_WORKERS": "many"}
    ended = command("serve", variables=variables)
    (event,) = [json.loads(line) for line in ended.stderr.splitlines()]
    assert (ended.returncode, event["event"]) == (1, "server.failed")
    assert "server.workers" in event["problem"]
