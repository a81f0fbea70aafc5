"""The window for guesses follows the codes that are really handed out."""

import pytest

from deviceflow.core.client import Client, Clients
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


def test_it_follows_the_clients() -> None:
    clients = Clients([client(None)])
    lifetime = CodeLifetime(600, clients)
    clients.adopt([client(3600)])
    assert lifetime.longest_s == 3600
