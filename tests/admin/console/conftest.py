"""An operator in front of the console."""

import pytest

from deviceflow.admin import fleet_watch
from tests.stage.console import ConsoleBrowser
from tests.stage.oauth import Worker


@pytest.fixture(autouse=True)
def _first_figures_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the overview wait for no second look: `test_fleet_watch.py` holds that it does."""
    monkeypatch.setattr(fleet_watch, "SHORTEST_RATE_S", 0.01)


@pytest.fixture
async def console(worker: Worker) -> ConsoleBrowser:
    """A browser in which an operator has signed in."""
    browser = ConsoleBrowser(worker)
    await browser.sign_in()
    return browser
