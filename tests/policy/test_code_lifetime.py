"""The window for guesses follows the codes that are really handed out."""

import pytest
from msgspec import structs

from deviceflow.core.client import Client
from deviceflow.core.clients import Clients
from deviceflow.policy.code_lifetime import CodeLifetime


def client(lifetime_s: int | None, *, enabled: bool = True) -> Client:
    return Client(client_id=f"c{lifetime_s}", name="TV", lifetime_s=lifetime_s, enabled=enabled)


@pytest.mark.parametrize(
    ("clients", "longest_s"),
    [
        ([], 600),
        ([client(None)], 600),
        ([client(None), client(3600)], 3600),
        ([client(None), client(60)], 600),
        ([client(60), client(120)], 120),
        ([client(60), client(3600, enabled=False)], 60),
    ],
)
def test_the_longest_of_all_clients(clients: list[Client], longest_s: int) -> None:
    assert CodeLifetime(600, Clients(clients)).longest_s == longest_s


@pytest.mark.parametrize("default_s", [600, 60])
def test_it_follows_each_client(default_s: int) -> None:
    """The same as if all of them were read again."""
    clients = Clients([client(None)])
    lifetime = CodeLifetime(default_s, clients)
    for one in (None, client(120), client(3600), client(3600, enabled=False), client(30), None):
        changed = None if one is None else structs.replace(one, client_id="one")
        clients.adopt_one("one", changed)
        assert lifetime.longest_s == CodeLifetime(default_s, clients).longest_s


def test_it_follows_the_clients() -> None:
    clients = Clients([client(None)])
    lifetime = CodeLifetime(600, clients)
    clients.adopt([client(3600)])
    assert lifetime.longest_s == 3600
