"""The audit of a server with two workers: what is in the file, who wrote it, and that it is whole.

That no secret is in it, and that it is whole, is looked at after every test of this folder.
"""

import json
import os
import signal
from collections import Counter
from typing import Any

from deviceflow.audit.system_user import system_user
from tests.stage.process import Command, NewBrowser, NewDevice
from tests.stage.program import Program
from tests.stage.waiting import until_outside

Line = dict[str, Any]


def lines(program: Program, event: str = "") -> list[Line]:
    path = program.data_dir / "audit.jsonl"
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    found = [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]
    return [line for line in found if event in {"", line["event"]}]


def wait_for(program: Program, event: str) -> Line:
    until_outside(lambda: lines(program, event))
    return lines(program, event)[-1]


def test_a_grant_from_its_start_to_the_end_of_the_device(
    program: Program, device: NewDevice, browser: NewBrowser
) -> None:
    tv = device().authorize()
    for _ in range(5):
        tv.poll()
    browser().decide(tv.user_code, "approve")
    assert tv.wait() == "tokens"
    redeemed = wait_for(program, "grant.redeemed")
    started, approved = wait_for(program, "grant.started"), wait_for(program, "grant.approved")
    assert started["grant"] == approved["grant"] == redeemed["grant"]
    assert approved["sub"] == redeemed["sub"]
    assert approved["address"] == started["address"] == "127.0.0.1"
    old = tv.tokens["refresh_token"]
    for _ in range(2):
        assert tv.refresh().status == 200
    assert tv.refresh(refresh_token=old).status == 400
    replayed = wait_for(program, "refresh_token.replayed")
    assert (replayed["grant_id"], replayed["sub"]) == (redeemed["grant_id"], redeemed["sub"])
    counted = Counter(line["event"] for line in lines(program))
    assert counted == {
        "chain.started": 2,
        "grant.started": 1,
        "sign_in.succeeded": 1,
        "grant.approved": 1,
        "grant.redeemed": 1,
        "refresh_token.replayed": 1,
    }, "polls are no events"


def test_each_process_has_a_chain_and_ends_it_unless_it_is_killed(
    program: Program, command: Command
) -> None:
    """And a reload is recorded, with the user who gave the command."""
    until_outside(lambda: len(lines(program, "chain.started")) == 2)
    os.kill(program.workers[0], signal.SIGKILL)
    until_outside(lambda: len(lines(program, "chain.started")) == 3)
    before, after = lines(program)[-2:]
    assert after["follows"] == f"{before['chain']}:{before['sequence']}"
    places = ("--config", str(program.config), "--data-dir", str(program.data_dir))
    assert command("reload", *places).returncode == 0
    changed = wait_for(program, "server.changed")
    assert (changed["way"], changed["by"]) == ("reload", system_user())
    program.end()
    counted = Counter(line["event"] for line in lines(program))
    assert counted == {"chain.started": 6, "chain.ended": 5, "server.changed": 1}
    ended = command("audit", "verify", str(program.data_dir / "audit.jsonl"))
    assert ended.returncode == 0
    assert ended.stdout.endswith("whole: 12 lines, 6 chains\n")
    assert ended.stdout.count("open: it runs, was killed, or its end was cut off") == 1
