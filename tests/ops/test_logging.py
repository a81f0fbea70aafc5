"""The log as a process writes it: JSON for machines, whatever went wrong."""

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.stage.program import environment


def logged(script: str, form: str = "json", addresses: str = "full") -> list[str]:
    """The lines that a process with this log writes to standard error."""
    setup = (
        "import asyncio, logging, warnings, structlog\n"
        "from deviceflow.ops.logging import configure\n"
        f"configure('info', {form!r}, {addresses!r})\n"
        "log = structlog.get_logger()\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", setup + script],
        check=False,
        capture_output=True,
        text=True,
        env=environment(),
    )
    assert ended.stdout == ""
    return ended.stderr.splitlines()


def events(script: str, **options: str) -> list[dict[str, Any]]:
    """The same as events: each line has to be one."""
    return [json.loads(line) for line in logged(script, **options)]


def test_an_exception_that_nothing_catches_is_an_event() -> None:
    (event,) = events("raise ValueError('what happened')")
    assert (event["event"], event["level"]) == ("server.failed", "critical")
    assert event["exception"].startswith("Traceback")
    assert event["exception"].endswith("ValueError: what happened")


def test_what_libraries_log_is_an_event() -> None:
    (event,) = events("logging.getLogger('asyncio').warning('slow %s', 'callback')")
    assert event["event"] == "library.logged"
    assert (event["logger"], event["message"], event["level"]) == (
        "asyncio",
        "slow callback",
        "warning",
    )


def test_an_exception_in_a_task_is_an_event() -> None:
    """That nobody waited for: asyncio logs it when the task is thrown away."""
    (event,) = events(
        "async def fail(): raise ValueError('in a task')\n"
        "async def main():\n"
        "    asyncio.create_task(fail())\n"
        "    await asyncio.sleep(0)\n"
        "asyncio.run(main())\n"
    )
    assert event["logger"] == "asyncio"
    assert event["exception"].endswith("ValueError: in a task")


def test_a_warning_is_an_event() -> None:
    (event,) = events("warnings.warn('old', RuntimeWarning)")
    assert event["logger"] == "py.warnings"


def test_malformed_requests_are_not_logged() -> None:
    """Aiohttp would repeat them, with the codes in them."""
    assert events("logging.getLogger('aiohttp.server').error('a code')") == []


def test_people_read_lines() -> None:
    lines = logged("raise ValueError('what happened')", form="console")
    assert "server.failed" in lines[0]
    assert lines[-1] == "ValueError: what happened"


@pytest.mark.parametrize(
    ("addresses", "shown"),
    [
        ("full", ["192.0.2.77", "2001:db8:1:2::3"]),
        ("network", ["192.0.2.0/24", "2001:db8:1::/48"]),
        ("none", [None, None]),
    ],
)
def test_addresses_are_logged_as_the_settings_allow(
    addresses: str, shown: list[str | None]
) -> None:
    lines = events(
        "log.info('grant.issued', address='192.0.2.77')\n"
        "log.info('grant.issued', address='2001:db8:1:2::3')\n"
        "log.info('server.listening', address='http://127.0.0.1:8628')\n"
        "log.info('sign_in.failed', address='')\n",
        addresses=addresses,
    )
    assert [line.get("address") for line in lines[:2]] == shown
    assert [line["address"] for line in lines[2:]] == ["http://127.0.0.1:8628", ""]
