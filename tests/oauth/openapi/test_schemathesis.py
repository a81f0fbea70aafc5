"""The OpenAPI document is kept: schemathesis finds no 5xx and no answer that it does not tell.

It reads the document of a running server and makes requests of it, good ones and bad ones, one
by one and along the links: a few each, or with FUZZ_SECONDS as many as fit in (`make fuzz`: ten
minutes), telling on the way how far it is.
"""

import asyncio
import os
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import schemathesis
import schemathesis.hooks
from schemathesis import AuthContext, BaseSchema, Case, HookContext, Response
from schemathesis.core.failures import AcceptedNegativeData, Failure, MalformedJson
from schemathesis.engine import events, from_schema
from schemathesis.openapi.checks import MissingContentType

from deviceflow.core.grant import PollAnswer
from deviceflow.oauth.gateway import METHODS
from deviceflow.policy.rules import CLIENT_FAILURE
from tests.stage.clock import Clock
from tests.stage.lending import FORM, Lender
from tests.stage.oauth import Stage
from tests.stage.program import Notes, Program
from tests.stage.proving import API, INITIAL, SECRET
from tests.stage.valkey import Valkey
from tests.stage.wire import fetch, request_of

SECONDS = int(os.environ.get("FUZZ_SECONDS", "0"))
EXAMPLES = 40
TOLD_EVERY_S = 10

SECRETS = f'secret_sha256 = ["{sha256(SECRET.encode()).hexdigest()}"]'
CONFIG = f"""
[device]
interval_s = 60
max_wait_s = 1
pace_slots = 4096

[log]
format = "json"

[registration]
enabled = true
initial_access_token_sha256 = ["{sha256(INITIAL.encode()).hexdigest()}"]
scopes = ["openid", "profile"]

[[users]]
username = "ada"
sub = "sub-ada"
name = "Ada"
email = "ada@example.com"
password_hash = "$argon2id$none"
"""
SCOPES = 'scopes = ["openid", "profile", "email", "offline_access"]'
CLIENTS = {
    "tv": "",
    "console": f'auth_method = "client_secret_basic"\n{SECRETS}',
    "box": f'auth_method = "client_secret_post"\n{SECRETS}',
    "opaque": 'token_format = "opaque"',
    "bound": 'dpop = "required"',
    "apis": f'resources = ["{API}"]',
    "brief": "lifetime_s = 1",
    "guessed": f'auth_method = "client_secret_post"\n{SECRETS}',
    "rs": f'introspect = true\nauth_method = "client_secret_post"\n{SECRETS}',
    "rs-basic": f'introspect = true\nauth_method = "client_secret_basic"\n{SECRETS}',
}

FORMS = ("device_authorization", "token", "revoke", "introspect", "authorize", "authorize_by_form")
GATEWAY = ("gateway", *(f"gateway_appended_{method.lower()}" for method in METHODS))
CHECKS = {
    "not_a_server_error": {},
    "status_code_conformance": {},
    "content_type_conformance": {},
    "response_schema_conformance": {},
    "response_headers_conformance": {},
    "unsupported_method": {},
    # No header is required but Authorization, and ignored_auth leaves that out.
    "missing_required_header": {},
    "negative_data_rejection": {},
    "positive_data_acceptance": {},
    "use_after_free": {},
    "ensure_resource_availability": {},
    "ignored_auth": {},
    "allow_header_conformance": {},
    # There are no two people whose objects could be mixed up: a registration has a token each.
    "object_level_authorization": {"enabled": False},
}
# Which clients, codes, tokens and scopes there are is more than a document can say: what it
# calls well-formed may be refused with 400.
REFUSABLE = {
    "positive_data_acceptance": {"expected-statuses": ["200", "204", "400", "401", "403", "429"]}
}

# What no request gets at the token endpoint that does not bring something alive.
REACHED = {"200", "400 use_dpop_nonce", *(f"400 {poll}" for poll in PollAnswer)}


class Tally:
    """What was answered, by endpoint and status; `faults`: what should not have been."""

    def __init__(self) -> None:
        self.answers: Counter[tuple[str, str]] = Counter()
        self.faults: dict[str, str] = {}
        self.operations: set[str] = set()
        self._started = self._told = time.monotonic()

    def count(self, case: Case[Any], response: Response) -> None:
        self.answers[case.operation.label, outcome_of(response)] += 1
        now = time.monotonic()
        if SECONDS and now - self._told > TOLD_EVERY_S:
            self._told = now
            passed, requests = int(now - self._started), self.answers.total()
            say(f"{passed:5d} s  {requests:8,d} requests  {len(self.faults)} faults")

    def note(self, event: events.EngineEvent) -> None:
        if isinstance(event, events.NonFatalError):
            self._fault(event.label, str(event.info.format()), "")
        elif isinstance(event, events.FatalError):
            raise event.exception
        elif isinstance(event, events.EngineFinished):
            for failure in event.failures:
                self._fault(failure.title, failure.message, "")
        elif isinstance(event, events.ScenarioFinished):
            for checks in event.recorder.checks.values():
                for check in checks:
                    if check.failure_info is not None:
                        info = check.failure_info
                        failure = info.failure
                        name = f"{check.name} at {event.recorder.label}: {failure.title}"
                        self._fault(name, failure.message, info.code_sample)

    def _fault(self, name: str, message: str, sample: str) -> None:
        if name not in self.faults:
            self.faults[name] = f"{name}\n{message}\n{sample}\n"
            if SECONDS:
                say(self.faults[name])

    def outcomes(self, label: str) -> dict[str, int]:
        """How often each answer came from one endpoint."""
        return {told: n for (each, told), n in sorted(self.answers.items()) if each == label}

    def table(self) -> str:
        """The answers, an endpoint after the other."""
        lines = []
        for label in sorted({label for label, _ in self.answers}):
            told = [f"{n:10,d}  {outcome}" for outcome, n in self.outcomes(label).items()]
            lines += [label, *told]
        return "\n".join([*lines, f"{self.answers.total():,} requests"])


def outcome_of(response: Response) -> str:
    """The status, and the error code if there is one."""
    is_json = "json" in response.headers.get("content-type", [""])[0]
    error = response.json().get("error", "") if is_json else ""
    return f"{response.status_code} {error}".strip()


def say(text: str) -> None:
    """For a person who waits."""
    sys.stderr.write(f"{text}\n")


@pytest.fixture
async def program(valkey: Valkey, stage: Stage) -> AsyncIterator[Program]:
    """A server in a process of its own, on the store of the stage's people."""
    assert stage.url == valkey.url
    tables = [
        f'[[clients]]\nclient_id = "{name}"\nname = "{name}"\n{SCOPES}\n{more}\n'
        for name, more in CLIENTS.items()
    ]
    with TemporaryDirectory(prefix="df-") as folder:
        made = Program(Path(folder), ("--redis-url", valkey.url), Notes())
        made.config.write_text(CONFIG + "\n".join(tables), encoding="utf-8")
        try:
            await asyncio.to_thread(made.start)
            yield made
        finally:
            await asyncio.to_thread(made.end)


def configuration() -> schemathesis.Config:
    """What is made, and how it is judged."""
    refusable = [{"include-operation-id": name, "checks": REFUSABLE} for name in (*FORMS, *GATEWAY)]
    return schemathesis.Config.from_dict(
        {
            "continue-on-failure": True,
            "generation": {
                "no-shrink": True,
                "database": "none",
                "max-examples": EXAMPLES,
                # Credentials that are made up are refused, and hide what else is wrong.
                "with-security-parameters": False,
            },
            "checks": CHECKS,
            # What an earlier run has learned makes no difference to this one.
            "cache": {"enabled": False},
            # The secrets are a test's, and a request without them says little.
            "output": {"sanitization": {"enabled": False}},
            "operations": refusable,
        }
        | ({"max-time": SECONDS} if SECONDS else {"seed": 8628})
    )


def is_fault(_: HookContext, failure: Failure, case: Case[Any], response: Response) -> bool:
    """The hook filter_failure: what the document says in words only."""
    if response.status_code == 401 and not response.content:
        # RFC 6750 3: who has shown no token gets the challenge, and nothing else.
        return not isinstance(failure, MissingContentType | MalformedJson)
    if isinstance(failure, AcceptedNegativeData) and case.media_type == FORM:
        # RFC 6749 3.2: a parameter without a value is as if it were left out.
        return not (isinstance(case.body, dict) and "" in case.body.values())
    return True


@contextmanager
def lending(schema: BaseSchema, lender: Lender, tally: Tally) -> Iterator[None]:
    """Hook `lender` and `tally` in; the one hook that is everybody's is taken out again."""

    # Hooks are functions: schemathesis writes on them.
    def before_call(_: HookContext, case: Case[Any], kwargs: dict[str, object]) -> None:
        del kwargs
        lender.lend(case)

    def after_call(_: HookContext, case: Case[Any], response: Response) -> None:
        lender.learn(case, response)
        tally.count(case, response)

    class Bearer:
        """An AuthProvider."""

        def get(self, case: Case[Any], _: AuthContext) -> str | None:
            return lender.authorization(case)

        def set(self, case: Case[Any], header: str, _: AuthContext) -> None:
            lender.authorize(case, header)

    schema.hook(after_call)
    schema.hook("filter_failure")(is_fault)
    schema.auth(refresh_interval=None, retry_on=[])(Bearer)
    schemathesis.hook(before_call)
    try:
        yield
    finally:
        schemathesis.hooks.unregister(before_call)


def shut_out(program: Program) -> None:
    """Guess until one client may not any more: its requests get 429 for a minute."""
    form = {"client_id": "guessed", "client_secret": "a guess", "token": "none"}
    for _ in range(CLIENT_FAILURE.limit + 1):
        answer = fetch(request_of(f"{program.url}/oauth2/revoke", form))
    assert answer.status == 429


def run(program: Program, lender: Lender) -> Tally:
    tally = Tally()
    shut_out(program)
    url = f"{program.admin_url}/openapi.json"
    schema = schemathesis.openapi.from_url(url, config=configuration())
    schema.config.update(base_url=program.url)
    tally.operations = {
        f"{method.upper()} {path}"
        for path, item in schema.raw_schema["paths"].items()
        for method in item.keys() & {"get", "post", "put", "patch", "delete", "options"}
    }
    with lending(schema, lender, tally):
        for event in from_schema(schema).execute():
            tally.note(event)
    return tally


@pytest.mark.timeout(SECONDS + 600)
async def test_the_document_is_kept(program: Program, stage: Stage, clock: Clock) -> None:
    people = stage.people
    decisions = [people.approve, people.approve, people.deny, None, people.approve, people.cancel]
    lender = Lender(program.url, clock, decisions, asyncio.get_running_loop())
    tally = await asyncio.to_thread(run, program, lender)
    if SECONDS:
        say(tally.table())
    assert not tally.faults, "\n".join(tally.faults.values())
    succeeded = {label for label, outcome in tally.answers if outcome.startswith("2")}
    # No scope that is made up is one that a token has.
    never = {
        label
        for label in tally.operations
        if label.endswith(" /oauth2/authorize") or " /oauth2/gateway/" in label
    }
    assert succeeded == tally.operations - never, tally.table()
    assert not any(outcome.startswith("5") for _, outcome in tally.answers), tally.table()
    assert tally.outcomes("POST /oauth2/token").keys() >= REACHED, tally.table()
    assert [each for each in program.log if each["level"] in {"error", "critical"}] == []
