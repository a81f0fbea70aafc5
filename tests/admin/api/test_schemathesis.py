"""The document is kept: schemathesis finds no 5xx, and no answer that it does not describe.

It makes a bounded number of requests from the document of a running server, good and bad ones, one
by one and along the links. In place of every other name that it makes up it is lent a real one.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.request import Request

import msgspec
import pytest
import schemathesis
import schemathesis.hooks
from schemathesis import Case, HookContext, Response
from schemathesis.engine import events, from_schema

from deviceflow.admin.routes import API
from tests.stage.admin import TOKEN
from tests.stage.program import Notes, Program
from tests.stage.wire import Device, fetch

EXAMPLES = 12
CONFIG = """
[log]
format = "json"

[admin]
token_file = "tokens"

[[clients]]
client_id = "tv"
name = "TV"
scopes = ["openid", "profile"]

[[users]]
username = "ada"
sub = "sub-ada"
password_hash = "$argon2id$none"
"""
CHECKS = {
    "not_a_server_error": {},
    "status_code_conformance": {},
    "content_type_conformance": {},
    "response_schema_conformance": {},
    "response_headers_conformance": {},
    "unsupported_method": {},
    "negative_data_rejection": {},
    "ignored_auth": {},
    "allow_header_conformance": {},
    # Which grants there are, and who has claimed them, is more than a document can say.
    "positive_data_acceptance": {"enabled": False},
    "missing_required_header": {"enabled": False},
    "use_after_free": {"enabled": False},
    "ensure_resource_availability": {"enabled": False},
    "object_level_authorization": {"enabled": False},
}


@pytest.fixture
def program() -> Iterator[Program]:
    with TemporaryDirectory(prefix="df-") as folder:
        made = Program(Path(folder), (), Notes())
        made.config.write_text(CONFIG, encoding="utf-8")
        tokens = Path(folder) / "tokens"
        tokens.write_text(TOKEN, encoding="ascii")
        tokens.chmod(0o600)
        try:
            made.start()
            yield made
        finally:
            made.end()


class Lending:
    """Puts codes and ids that exist into every other request, and counts the answers."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._number = count()
        self._last_id = ""
        self.answers: Counter[tuple[str, int]] = Counter()

    def before_call(self, _: HookContext, case: Case[Any], kwargs: dict[str, object]) -> None:
        del kwargs
        number = next(self._number)
        is_good = case.meta is None or not case.meta.generation.mode.is_negative
        if not is_good or number % 2:
            return
        if isinstance(case.body, dict) and "user_code" in case.body:
            case.body["user_code"] = self._user_code()
        elif case.operation.path == "/people":
            case.query["name"] = "ada"
        elif case.path_parameters and "client_id" in case.path_parameters:
            case.path_parameters["client_id"] = "tv"
        elif case.path_parameters and "sub" in case.path_parameters:
            case.path_parameters["sub"] = "sub-ada"
        elif case.path_parameters and "id" in case.path_parameters:
            case.path_parameters["id"] = self._grant_id(is_new=number % 4 == 0)

    def after_call(self, _: HookContext, case: Case[Any], response: Response) -> None:
        self.answers[case.operation.label, response.status_code] += 1

    def _grant_id(self, *, is_new: bool) -> str:
        """The id of a pending grant, or of the one before, which may be decided by now."""
        if is_new or not self._last_id:
            body = msgspec.json.encode({"user_code": self._user_code()})
            headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
            url = f"{self._program.admin_url}{API}/grants/find"
            self._last_id = fetch(Request(url, body, headers)).body["id"]  # noqa: S310, our own
        return self._last_id

    def _user_code(self) -> str:
        return Device(self._program, "tv").authorize().user_code


@contextmanager
def hooked(schema: Any, lending: Lending) -> Iterator[None]:  # noqa: ANN401, schemathesis'
    # Hooks are functions: schemathesis writes on them.
    def before_call(context: HookContext, case: Case[Any], kwargs: dict[str, object]) -> None:
        lending.before_call(context, case, kwargs)

    def after_call(context: HookContext, case: Case[Any], response: Response) -> None:
        lending.after_call(context, case, response)

    schema.hook(after_call)
    schemathesis.hook(before_call)
    try:
        yield
    finally:
        schemathesis.hooks.unregister(before_call)


def test_the_document_is_kept(program: Program) -> None:
    config = schemathesis.Config.from_dict(
        {
            "seed": 8629,
            "continue-on-failure": True,
            "headers": {"Authorization": f"Bearer {TOKEN}"},
            "generation": {"no-shrink": True, "database": "none", "max-examples": EXAMPLES},
            "checks": CHECKS,
            "cache": {"enabled": False},
        }
    )
    schema = schemathesis.openapi.from_url(f"{program.admin_url}{API}/openapi.json", config=config)
    schema.config.update(base_url=f"{program.admin_url}{API}")
    lending, faults = Lending(program), []
    with hooked(schema, lending):
        for event in from_schema(schema).execute():
            if isinstance(event, events.NonFatalError):
                faults.append(str(event.info.format()))
            elif isinstance(event, events.FatalError):
                raise event.exception
            elif isinstance(event, events.ScenarioFinished):
                faults += [
                    f"{check.name} at {event.recorder.label}: {check.failure_info.failure.message}"
                    f"\n{check.failure_info.code_sample}"
                    for checks in event.recorder.checks.values()
                    for check in checks
                    if check.failure_info is not None
                ]
    assert not faults, "\n".join(faults)
    succeeded = {label for label, status in lending.answers if status == 200}
    assert succeeded == {label for label, _ in lending.answers}, lending.answers
    assert [each for each in program.log if each["level"] in {"error", "critical"}] == []
