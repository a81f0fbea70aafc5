"""A plugin of pytest: what a test leaves open fails the run, at its end.

uvloop warns of a connection or server that is still open when its loop is closed. As an error,
that warning would keep uvloop from closing it, and uvloop would wait for it for ever (pyproject).
So it is a warning, and this counts it.
"""

import warnings

import pytest

OF_UVLOOP = "unclosed resource <"


class LeftOpen:
    """Notes the tests that left something open."""

    def __init__(self) -> None:
        self._found: list[str] = []

    def pytest_warning_recorded(
        self, warning_message: warnings.WarningMessage, nodeid: str
    ) -> None:
        """Hear a warning. With pytest-xdist, the first process hears those of all others."""
        text = str(warning_message.message)
        if text.startswith(OF_UVLOOP):
            self._found.append(f"{nodeid}: {text}")

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Fail the run if something was left open."""
        if self._found and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say what was left open."""
        if self._found:
            terminalreporter.section("left open", red=True)
            for each in self._found:
                terminalreporter.write_line(each)


def pytest_configure(config: pytest.Config) -> None:
    """Register the plugin."""
    config.pluginmanager.register(LeftOpen())
