"""What the operator reads of clients that were refused, and what nobody may make him read."""

from typing import Any

import pytest
from aiohttp.test_utils import make_mocked_request
from structlog.testing import capture_logs

from deviceflow.audit.journal import Audit
from deviceflow.callers import Callers
from deviceflow.config import Settings
from deviceflow.oauth.clients.refusals import NOT_SHOWN, OTHERS, RefusalLog
from deviceflow.ops.metrics.recorder import Recorder
from deviceflow.ops.thinned_log import KINDS_PER_WINDOW, WINDOW_S
from deviceflow.policy.rules import CLIENT_FAILURE
from tests.oauth.clients.test_authentication import basic
from tests.stage.clock import Clock
from tests.stage.oauth import SECRET, Stage, Worker
from tests.stage.proving import (
    AUTHORIZE,
    DN_HEADER,
    INTROSPECT,
    assertion,
    with_certificates,
    with_surface,
)

Log = list[dict[str, Any]]

REQUEST = make_mocked_request("POST", "/")
"""Of whatever kind: only its address is noted."""


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return with_surface(settings)


@pytest.fixture
def refusals(clock: Clock) -> RefusalLog:
    recorder = Recorder.alone()
    return RefusalLog(Callers(()), clock, recorder, Audit(recorder=recorder))


def refuse(refusals: RefusalLog, client_id: str = "tv", reason: str = "is unknown") -> Log:
    """The lines for one refusal."""
    with capture_logs() as logs:
        refusals.note(REQUEST, client_id, reason, known=False)
    return [dict(line) for line in logs]


@pytest.mark.parametrize(
    ("form", "authorization", "client_id", "reason"),
    [
        ({"client_id": "nobody"}, "", "nobody", "is unknown"),
        ({"client_id": "off"}, "", "off", "is disabled"),
        ({}, basic("console", "guessed"), "console", "has a wrong secret"),
        ({"client_id": "box", "client_secret": "guessed"}, "", "box", "has a wrong secret"),
        (
            {"client_id": "console"},
            "",
            "console",
            "authenticates with none, is registered with client_secret_basic",
        ),
        (
            {"client_id": "tv-app", "client_secret": "guessed"},
            "",
            "tv-app",
            "authenticates with client_secret_post, is registered with none",
        ),
        (
            {"client_id": "asserting"},
            "",
            "asserting",
            "authenticates with none, is registered with private_key_jwt",
        ),
        ({}, "Bearer guessed", NOT_SHOWN, "sends an Authorization header that is not HTTP Basic"),
        ({"client_id": "a" * 41}, "", NOT_SHOWN, "is unknown"),
        ({"client_id": "two\nlines"}, "", NOT_SHOWN, "is unknown"),
    ],
)
async def test_the_reason(
    worker: Worker, form: dict[str, str], authorization: str, client_id: str, reason: str
) -> None:
    """One line with what an operator needs; never a secret, nor what may be one by mistake."""
    headers = {"Authorization": authorization} if authorization else {}
    with capture_logs() as logs:
        answer = await worker.post(AUTHORIZE, form, headers=headers)
    assert answer.outcome == (401, "invalid_client")
    assert logs == [
        {
            "event": "client.refused",
            "log_level": "warning",
            "client_id": client_id,
            "address": "127.0.0.1",
            "reason": reason,
            "times": 1,
        }
    ]


async def test_the_fault_of_an_assertion(worker: Worker, clock: Clock) -> None:
    good = assertion(clock)
    with capture_logs() as logs:
        for form in (
            good,
            good,
            assertion(clock, exp=1),
            good | {"client_assertion": "x", "client_id": "asserting"},
        ):
            await worker.post(AUTHORIZE, form)
    assert [line["reason"] for line in logs if line["event"] == "client.refused"] == [
        "has an assertion that was used before",
        "has an assertion with wrong claims, or of another time",
        "has an assertion that none of its keys signed",
    ]


async def test_the_fault_of_a_certificate(stage: Stage) -> None:
    worker = await stage.start_worker(with_certificates(stage.settings))
    form = {"client_id": "tls"}
    with capture_logs() as logs:
        for headers in ({}, {DN_HEADER: "CN=another"}):
            assert (await worker.post(AUTHORIZE, form, headers=headers)).status == 401
    assert [line["reason"] for line in logs] == [
        "shows no certificate",
        "has a certificate of another name",
    ]


async def test_where_nobody_may_be_public(worker: Worker) -> None:
    with capture_logs() as logs:
        await worker.post(INTROSPECT, {"token": "x"})
        await worker.post(INTROSPECT, {"token": "x", "client_id": "tv-app"})
    assert [(line["client_id"], line["reason"]) for line in logs] == [
        ("", "names no client"),
        ("tv-app", "is public, which this endpoint does not allow"),
    ]


async def test_guessing(worker: Worker) -> None:
    """A flood of guesses is a few lines; that the guesser is shut out is told too."""
    headers = {"Authorization": basic("console", "guessed")}
    with capture_logs() as logs:
        for _ in range(CLIENT_FAILURE.limit + 12):
            await worker.post(AUTHORIZE, {}, headers=headers)
    assert [(line["reason"].split()[1], line["times"]) for line in logs] == [
        ("a", 1),
        ("a", 10),
        ("shut", 1),
        ("shut", 10),
    ]
    assert SECRET not in str(logs)


async def test_nothing_is_said_of_those_who_are_let_in(worker: Worker) -> None:
    with capture_logs() as logs:
        answer = await worker.authorize("tv-app")
        await worker.poll(answer.body["device_code"])
    assert {line["event"] for line in logs} == {"grant.issued"}


def test_once_in_a_while(refusals: RefusalLog, clock: Clock) -> None:
    """Each client and reason by itself; anew after a minute."""
    told = [line["times"] for _ in range(1000) for line in refuse(refusals)]
    assert told == [1, 10, 100, 1000]
    assert len(refuse(refusals, "radio")) == 1
    assert len(refuse(refusals, reason="is disabled")) == 1
    clock.advance(WINDOW_S)
    assert [line["times"] for line in refuse(refusals)] == [1]


def test_ever_new_names_fill_no_log_and_no_memory(refusals: RefusalLog) -> None:
    with capture_logs() as lines:
        for number in range(5000):
            refusals.note(REQUEST, f"guess-{number}", "is unknown", known=False)
    assert len(lines) == KINDS_PER_WINDOW + 4
    assert (lines[-1]["client_id"], lines[-1]["times"]) == (OTHERS[0], 1000)
    assert len(refusals._thinned._times) == KINDS_PER_WINDOW + 1
