"""The types of the fixtures that run commands."""

from collections.abc import Callable

from click.testing import Result

from deviceflow.core.client import Client
from deviceflow.store.accounts import Account

Clients = Callable[..., Result]


Stored = Callable[[str], Client | None]

Users = Callable[..., Result]
"""Runs `deviceflow users` with arguments, and `given` as its standard input."""

StoredUser = Callable[[str], Account | None]
"""Reads an account from the store, by its username."""
