"""The clients that a server knows."""

import msgspec

from deviceflow.core.client import Client
from deviceflow.core.clients import Clients

TV = Client(client_id="tv", name="TV", scopes=("openid", "profile"))


def test_find() -> None:
    clients = Clients((TV, Client(client_id="off", name="Off", enabled=False)))
    assert clients.find("tv") is TV
    off = clients.find("off")
    assert off is not None
    assert not off.enabled
    assert clients.find("TV") is None
    assert clients.find("") is None


def test_above_the_file() -> None:
    """A stored client stands before one of the file, which is there again without it."""
    known = Clients([TV])
    heard: list[bool] = []
    known.on_change(lambda: heard.append(True))
    known.adopt([msgspec.structs.replace(TV, enabled=False), Client(client_id="a", name="A")])
    found = known.find("tv")
    assert found is not None
    assert not found.enabled
    assert len(list(known)) == 2
    known.adopt([])
    assert list(known) == [TV]
    assert heard == [True, True]


def test_one_client_alone() -> None:
    """The others are not looked at, and a listener hears what it was and what it is."""
    known = Clients([TV])
    everything: list[bool] = []
    ones: list[tuple[Client | None, Client | None]] = []
    known.on_change(
        lambda: everything.append(True), lambda before, after: ones.append((before, after))
    )
    other = msgspec.structs.replace(TV, enabled=False)
    new = Client(client_id="a", name="A")
    for client_id, stored in (("tv", other), ("a", new), ("a", None), ("tv", None), ("b", None)):
        known.adopt_one(client_id, stored)
    assert ones == [(TV, other), (None, new), (new, None), (other, TV), (None, None)]
    assert not everything
    assert list(known) == [TV]
    known.on_change(lambda: everything.append(True))
    known.adopt_one("a", new)
    assert everything == [True]
