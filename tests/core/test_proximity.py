"""How near a device is to a person, and what follows."""

from ipaddress import ip_network
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deviceflow.core.proximity import Distance, FarAnswer, Whereabouts, answer_to, is_within
from tests.stage.examples import unless_few

DISTANCES: tuple[Distance, ...] = ("address", "network", "country")
ANSWERS: tuple[FarAnswer, ...] = ("show", "retype", "step_up", "refuse")
PROXIES = [ip_network("203.0.113.80/32")]

# Few of each, so that two are often near each other.
ADDRESSES = st.sampled_from(
    [
        *("203.0.113.7", "203.0.113.9", "203.0.113.80", "198.51.100.1", "8.8.8.8"),
        *("2001:db8::1", "2001:db8::2", "2001:db8:0:1::1", "2001:db8:1::1", "10.0.0.1"),
        *("192.168.1.4", "127.0.0.1", "::1", "fe80::1", "", "unknown"),
    ]
)
PLACES = st.builds(Whereabouts, ADDRESSES, st.sampled_from(["", "DE", "FR"]))


@settings(max_examples=unless_few(200))
@given(device=PLACES, person=PLACES)
def test_what_is_near_is_near_at_every_greater_distance(
    device: Whereabouts, person: Whereabouts
) -> None:
    near = [is_within(distance, device, person, PROXIES) for distance in DISTANCES]
    for nearer, further in pairwise(near):
        assert not nearer or further
    # Only a country can be unknown where addresses tell something.
    assert (near[0] is None) is (near[1] is None)


@settings(max_examples=unless_few(100))
@given(device=PLACES, person=PLACES, distance=st.sampled_from(DISTANCES))
def test_it_is_the_same_from_both_ends(
    device: Whereabouts, person: Whereabouts, distance: Distance
) -> None:
    there, back = (device, person), (person, device)
    assert is_within(distance, *there, PROXIES) is is_within(distance, *back, PROXIES)


@pytest.mark.parametrize(
    ("device", "person", "expected"),
    [
        (("203.0.113.7", ""), ("203.0.113.7", ""), (True, True, True)),
        (("203.0.113.7", ""), ("203.0.113.9", ""), (False, True, True)),
        (("203.0.113.7", "DE"), ("198.51.100.1", "DE"), (False, False, True)),
        (("203.0.113.7", "DE"), ("198.51.100.1", "FR"), (False, False, False)),
        (("203.0.113.7", "DE"), ("198.51.100.1", ""), (False, False, None)),
        (("2001:db8::1", ""), ("2001:db8::2", ""), (True, True, True)),
        (("2001:db8::1", ""), ("2001:db8:0:1::1", ""), (False, True, True)),
        (("2001:db8::1", "DE"), ("203.0.113.7", "DE"), (False, False, True)),
        (("192.168.1.4", ""), ("192.168.1.4", ""), (None, None, None)),
        (("203.0.113.80", ""), ("203.0.113.80", ""), (None, None, None)),
        (("192.168.1.4", ""), ("203.0.113.7", "DE"), (False, False, None)),
        (("", ""), ("203.0.113.7", ""), (None, None, None)),
    ],
)
def test_the_three_distances(
    device: tuple[str, str], person: tuple[str, str], expected: tuple[bool | None, ...]
) -> None:
    pair = Whereabouts(*device), Whereabouts(*person)
    assert tuple(is_within(distance, *pair, PROXIES) for distance in DISTANCES) == expected


@pytest.mark.parametrize("answer", ANSWERS)
def test_what_is_not_shown_to_be_near_gets_the_answer(answer: FarAnswer) -> None:
    """A question alone is not asked where nothing is known: it would always be asked there."""
    assert answer_to(answer, is_near=True) is None
    assert answer_to(answer, is_near=False) == answer
    assert answer_to(answer, is_near=None) == (None if answer == "show" else answer)
