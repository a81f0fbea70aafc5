"""Keys and clients that an operator changes: every worker knows within a second, no restart."""

import json
import subprocess
import time
from base64 import urlsafe_b64decode
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from deviceflow.core.client import Client
from deviceflow.store import keyspace
from tests.stage.process import Command, MakeProgram, NewBrowser, NewDevice
from tests.stage.program import Program
from tests.stage.valkey import Valkey
from tests.stage.waiting import PATIENCE_S, Stopwatch
from tests.stage.wire import Device, fetch, request_of

PROMISED_S = 1.0
# The timed read is a second after the one before it had ended, and what it finds is read, too.
LOST_MESSAGE_S = PROMISED_S + 0.5
# Each question has a connection of its own, and the kernel chooses the worker: that one of two
# is asked none of these has a probability of one in eight million.
IN_A_ROW = 24
# Fewer questions in the promised time than there are wrong secrets in a minute (RFC 6749 2.3.1).
APART_S = 0.05

Operator = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def operator(command: Command, program: Program) -> Operator:
    """Runs a command of the operator's on the data directory of `program`."""

    def run(group: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        places = ("--config", str(program.config), "--data-dir", str(program.data_dir))
        ended = command(group, *places, *arguments)
        assert ended.returncode == 0, ended
        return ended

    return run


def last_old_answer(is_new: Callable[[], bool], apart_s: float = 0.0) -> float:
    """How long from now on a worker still answers as before (s), 0.0 for never.

    An answer counts from when it was asked for: later than that the worker may have known.
    """
    late, in_a_row = 0.0, 0
    with Stopwatch() as watch:
        while in_a_row < IN_A_ROW:
            before = watch.seconds
            if is_new():
                in_a_row += 1
            else:
                late, in_a_row = before, 0
                assert late < PATIENCE_S, "a worker never heard of it"
            time.sleep(apart_s)
    return late


def published(program: Program) -> set[str]:
    """The ids of the keys that the worker publishes which happens to answer."""
    answer = fetch(request_of(f"{program.url}/oauth2/jwks"))
    return {key["kid"] for key in answer.body["keys"]}


def signed_by(token: str) -> str:
    """The `kid` in the header of a JWT."""
    head = token.partition(".")[0]
    header: dict[str, Any] = json.loads(urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    return str(header["kid"])


def starts(device: Device) -> bool:
    """Whether the client may start the flow."""
    answer = device.request()
    assert answer.status in {200, 401}, answer
    return answer.status == 200


def test_keys(program: Program, operator: Operator, device: NewDevice, browser: NewBrowser) -> None:
    """OIDC-10.1.1-a: a new key is published and signs; a withdrawn one is gone, with its tokens."""
    tv = device().authorize()
    browser().decide(tv.user_code, "approve")
    assert tv.wait() == "tokens"
    before = tv.tokens["access_token"]
    (old,) = published(program)
    assert signed_by(before) == old

    new = operator("keys", "rotate").stdout.split()[0]

    def is_rotated() -> bool:
        assert tv.refresh().status == 200
        signs = signed_by(tv.tokens["access_token"]) == new
        return (published(program) == {old, new}) and signs

    assert last_old_answer(is_rotated) < PROMISED_S
    bearer = {"Authorization": f"Bearer {before}"}
    userinfo = request_of(f"{program.url}/oauth2/userinfo", headers=bearer)
    assert fetch(userinfo).status == 200

    operator("keys", "retire", old)

    def is_retired() -> bool:
        refused = fetch(userinfo).status == 401
        return (published(program) == {new}) and refused

    assert last_old_answer(is_retired) < PROMISED_S


def test_the_keys_of_the_installation(
    operator: Operator, device: NewDevice, browser: NewBrowser
) -> None:
    """What was begun before goes on: codes, an open form, a session, tokens, and what begins."""
    old, signed_in = device().authorize(), browser()
    connected = device().authorize()
    signed_in.decide(connected.user_code, "approve")
    assert connected.wait() == "tokens"
    signed_in.open(f"/device?user_code={old.user_code}")

    printed = operator("keys", "rotate", "--installation").stdout
    assert printed.startswith("new keys of the installation serve from ")

    signed_in.submit("/device", user_code=old.user_code)
    assert old.user_code in signed_in.answer.page, "the form was open, the person is signed in"
    signed_in.submit("/device", user_code=old.user_code, decision="approve")
    new = device().authorize()
    for _ in range(IN_A_ROW):
        assert new.outcome() in {"authorization_pending", "slow_down"}, "every worker knows it"
    assert old.wait() == "tokens"
    signed_in.decide(new.user_code, "approve")
    assert new.wait() == "tokens"
    assert connected.refresh().status == 200


def test_clients(program: Program, operator: Operator, device: NewDevice) -> None:
    """6749-5.2-a: added, given another secret, disabled."""
    radio = device("radio")
    assert not starts(radio)
    operator("clients", "add", "radio", "--name", "Radio", "--scope", "profile")
    assert last_old_answer(lambda: starts(radio)) < PROMISED_S

    secret = operator("clients", "rotate-secret", "console").stdout.strip()
    program.notes.add(secret)
    console = Device(program, "console", secret)
    assert last_old_answer(lambda: starts(console), APART_S) < PROMISED_S
    assert starts(device("console")), "the secret before stays good until the next change"

    operator("clients", "disable", "radio")
    assert last_old_answer(lambda: not starts(radio)) < PROMISED_S


def test_a_change_whose_message_was_lost(
    make_program: MakeProgram, start_valkey: Callable[..., Valkey]
) -> None:
    """Whoever changed something died before it said so: the timed read finds it."""
    store = start_valkey()
    radio = Client(client_id="radio", name="Radio", scopes=("profile",))
    disabled = msgspec.structs.replace(radio, enabled=False)
    with store.client() as client:
        client.hset(keyspace.CLIENTS, "radio", msgspec.json.encode(radio))
        device = Device(make_program("--workers", "2", "--redis-url", store.url), "radio")
        assert last_old_answer(lambda: starts(device)) == 0.0, "both workers have started"
        client.hset(keyspace.CLIENTS, "radio", msgspec.json.encode(disabled))
        client.incr(keyspace.REVISION)
    assert last_old_answer(lambda: not starts(device)) < LOST_MESSAGE_S
