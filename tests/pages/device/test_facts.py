"""The facts about a request, in words."""

import msgspec
import pytest

from deviceflow.config import Server, Settings
from deviceflow.core.client import Client
from deviceflow.core.grant import State
from deviceflow.pages.device.facts import request_facts
from deviceflow.store.grants import Grant

NOW = 1_793_887_400
CLIENT = Client(client_id="tv", name="TV", scopes=("openid", "offline_access"))
GRANT = Grant(
    id=1,
    state=State.PENDING,
    client_id="tv",
    scope="openid",
    requested_at=NOW - 90,
    expires_at=NOW + 600,
    address="2001:db8::1",
    device="NebulaTV 4.2",
)


def test_the_facts_are_in_words() -> None:
    facts = request_facts(GRANT, CLIENT, Settings(), "192.0.2.1", NOW)
    assert facts._asdict() == {
        "client_name": "TV",
        "is_verified": True,
        "scopes": [("Know who you are", "")],
        "optional_scopes": "",
        "lasts": "1 hour",
        "ends": "",
        "ends_iso": "2026-11-05T15:03:20Z",
        "device": "NebulaTV 4.2",
        "address": "2001:db8::1",
        "is_near": False,
        "requested": "5 Nov 2026, 14:01 UTC",
        "requested_ago": "1 minute ago",
        "requested_iso": "2026-11-05T14:01:50Z",
        "expires_in": "10 minutes",
    }


def test_access_lasts_as_long_as_it_can_be_refreshed() -> None:
    grant = msgspec.structs.replace(GRANT, scope="openid offline_access")
    facts = request_facts(grant, CLIENT, Settings(), "", NOW)
    assert facts.lasts == "180 days"
    assert (facts.ends, facts.ends_iso) == ("4 May 2027", "2027-05-04T14:03:20Z")


@pytest.mark.parametrize(
    ("address", "visitor", "is_near"),
    [
        ("127.0.0.1", "127.0.0.1", None),
        ("192.168.1.4", "192.168.1.4", None),
        ("192.168.1.4", "192.168.1.5", None),
        ("100.64.9.9", "100.64.9.9", None),
        ("fe80::1", "fe80::1", None),
        ("fd00::1", "fd00::2", None),
        ("::1", "::1", None),
        ("203.0.113.80", "203.0.113.80", None),
        ("", "", None),
        ("203.0.113.7", "203.0.113.7", True),
        ("203.0.113.7", "127.0.0.1", False),
        ("192.168.1.4", "203.0.113.7", False),
    ],
)
def test_a_shared_address_is_nowhere(address: str, visitor: str, *, is_near: bool | None) -> None:
    """A private, loopback or proxy address is a stranger's too: nothing is said of it."""
    settings = Settings(server=Server(trusted_proxies=("203.0.113.80/32",)))
    grant = msgspec.structs.replace(GRANT, address=address)
    assert request_facts(grant, CLIENT, settings, visitor, NOW).is_near is is_near


@pytest.mark.parametrize(
    ("address", "is_near"), [("2001:db8::2", True), ("2001:db8:0:1::1", False), ("", None)]
)
def test_an_address_of_the_same_network_is_near(address: str, *, is_near: bool | None) -> None:
    assert request_facts(GRANT, CLIENT, Settings(), address, NOW).is_near is is_near


def test_a_request_that_is_over_ends_in_no_time() -> None:
    grant = msgspec.structs.replace(GRANT, expires_at=NOW - 5)
    assert request_facts(grant, CLIENT, Settings(), "", NOW).expires_in == "less than a second"
