"""An operator in front of the console."""

import pytest

from tests.stage.console import ConsoleBrowser
from tests.stage.oauth import Worker


@pytest.fixture
async def console(worker: Worker) -> ConsoleBrowser:
    """A browser in which an operator has signed in."""
    browser = ConsoleBrowser(worker)
    await browser.sign_in()
    return browser
