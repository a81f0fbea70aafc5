"""The log has one line with the cause, and no flood of them."""

from typing import Any

from structlog.testing import capture_logs

from tests.pages.sign_in.upstream.conftest import Person, Site
from tests.stage.provider import Lies


def lines(logs: list[Any], event: str) -> list[tuple[str, int]]:
    return [
        (line.get("cause") or line["reason"], line["times"])
        for line in logs
        if line["event"] == event
    ]


async def test_a_provider_that_is_down_makes_few_lines(site: Site, person: Person) -> None:
    site.provider.lies = Lies(status={"/.well-known/openid-configuration": 500})
    with capture_logs() as logs:
        for _ in range(12):
            await person.leave()
    assert lines(logs, "upstream.failed") == [("unreachable", 1), ("unreachable", 10)]


async def test_made_up_answers_make_few_lines(person: Person) -> None:
    with capture_logs() as logs:
        for number in range(12):
            path = "/login/upstream/acme/callback"
            await person.open(path, params={"code": "x", "state": str(number)})
    assert lines(logs, "upstream.answer_ignored") == [("foreign", 1), ("foreign", 10)]
