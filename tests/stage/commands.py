"""The types of the fixtures that run commands."""

from collections.abc import Callable

from click.testing import Result

from deviceflow.core.client import Client

Clients = Callable[..., Result]


Stored = Callable[[str], Client | None]
