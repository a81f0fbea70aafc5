"""The facts about a request, in words."""

import msgspec
import pytest

from deviceflow.config import Settings
from deviceflow.core.client import Client
from deviceflow.core.grant import State
from deviceflow.pages.device.facts import request_facts
from deviceflow.pages.device.origin import Origin
from deviceflow.places import Place
from deviceflow.store.grant_records import Grant

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
ORIGIN = Origin(GRANT.address, is_near=False)


def test_the_facts_are_in_words() -> None:
    facts = request_facts(GRANT, CLIENT, Settings(), ORIGIN, NOW)
    assert facts._asdict() == {
        "client_id": "tv",
        "client_name": "TV",
        "publisher": "",
        "links": [],
        "is_verified": True,
        "scopes": [("Know who you are", "")],
        "optional_scopes": "",
        "lasts": "1 hour",
        "ends": "",
        "ends_iso": "2026-11-05T15:03:20Z",
        "device": "NebulaTV 4.2",
        "origin": ORIGIN,
        "near": "",
        "requested": "5 Nov 2026, 14:01 UTC",
        "requested_ago": "1 minute ago",
        "requested_iso": "2026-11-05T14:01:50Z",
        "expires_in": "10 minutes",
    }


def test_access_lasts_as_long_as_it_can_be_refreshed() -> None:
    grant = msgspec.structs.replace(GRANT, scope="openid offline_access")
    facts = request_facts(grant, CLIENT, Settings(), ORIGIN, NOW)
    assert facts.lasts == "180 days"
    assert (facts.ends, facts.ends_iso) == ("4 May 2027", "2027-05-04T14:03:20Z")


@pytest.mark.parametrize(
    ("place", "near"),
    [
        (Place("Berlin", "Germany", "DE"), "near Berlin, Germany"),
        (Place("", "Germany", "DE"), "in Germany"),
        (Place("Singapore", "Singapore", "SG"), "in Singapore"),
        (None, ""),
    ],
)
def test_a_place_in_words(place: Place | None, near: str) -> None:
    origin = Origin(GRANT.address, is_near=False, place=place)
    assert request_facts(GRANT, CLIENT, Settings(), origin, NOW).near == near


def test_a_request_that_is_over_ends_in_no_time() -> None:
    grant = msgspec.structs.replace(GRANT, expires_at=NOW - 5)
    assert request_facts(grant, CLIENT, Settings(), ORIGIN, NOW).expires_in == "less than a second"
