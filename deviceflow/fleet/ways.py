"""How people decide, as data: each process of a run opens the way for itself."""

import msgspec

from deviceflow.conformance.browser import InBrowser, Recipe, find_chromium
from deviceflow.conformance.decisions import Decisions, NoDecisions, RunCommand
from deviceflow.fleet.admin_api import CONNECTIONS, AdminApi
from deviceflow.fleet.people import NOBODY

BROWSERS = 1
COMMANDS = 8


class Way(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A way to decide. `at_once`: how many decisions may be under way in a process."""

    at_once: int = 1
    name: str = NOBODY

    def open(self) -> Decisions:
        """Open it. No person decides."""
        return NoDecisions()


class ByAdminApi(Way, frozen=True, kw_only=True, tag=True):
    """By the API of operators. `base`: the address of the admin port."""

    base: str
    token: str
    at_once: int = CONNECTIONS
    name: str = "admin"

    def __repr__(self) -> str:
        return f"ByAdminApi({self.base!r}, ...)"

    def open(self) -> Decisions:
        """Open it. May raise InsecureAddressError."""
        return AdminApi(self.base, self.token)


class ByCommand(Way, frozen=True, kw_only=True, tag=True):
    """By a command for each decision, as in `deviceflow conform`."""

    command: str
    at_once: int = COMMANDS
    name: str = "command"

    def open(self) -> Decisions:
        """Open it. May raise ValueError: unknown braces."""
        return RunCommand(self.command)


class ByBrowser(Way, frozen=True, kw_only=True, tag=True):
    """In Chromium at the server's own pages, by a recipe."""

    recipe: Recipe
    at_once: int = BROWSERS
    name: str = "browser"

    def open(self) -> Decisions:
        """Open it."""
        return InBrowser(self.recipe, find_chromium())


AnyWay = Way | ByAdminApi | ByCommand | ByBrowser
"""All of them, as an order to a process has them."""
