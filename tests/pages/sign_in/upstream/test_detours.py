"""What binds an answer to its request, and both to one browser."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deviceflow.core import base64url
from deviceflow.core.pkce import challenge, proves
from deviceflow.pages.cookie import SessionCookie, new_value
from deviceflow.pages.sign_in.upstream.detours import LIFETIME_S, Detours, StateFault
from deviceflow.upstream.authorization import Detour
from tests.stage.clock import Clock

COOKIE = new_value()
ISSUER = "https://login.example.com"


@pytest.fixture
def detours(clock: Clock) -> Detours:
    return made(clock)


def made(clock: Clock, key: bytes = b"k" * 32) -> Detours:
    cookie = SessionCookie(https=True, issuer=ISSUER)
    return Detours(keys=lambda: (key,), issuer=ISSUER, cookie=cookie, clock=clock)


def test_it_is_found_again(detours: Detours, clock: Clock) -> None:
    detour = detours.begin("acme", COOKIE)
    assert detour.redirect_uri == f"{ISSUER}/login/upstream/acme/callback"
    assert len({detour.state, detour.nonce, detour.verifier}) == 3
    assert proves(detour.verifier, challenge(detour.verifier))
    clock.now += LIFETIME_S - 1
    assert detours.find("acme", detour.state, COOKIE) == detour


def test_each_is_another_one(detours: Detours) -> None:
    several = [detours.begin("acme", COOKIE) for _ in range(20)]
    for part in ("state", "nonce", "verifier"):
        assert len({getattr(detour, part) for detour in several}) == 20


def test_it_belongs_to_a_provider_a_browser_a_time_and_a_server(
    detours: Detours, clock: Clock
) -> None:
    state = detours.begin("acme", COOKIE).state
    assert detours.find("other", state, COOKIE) is StateFault.FOREIGN
    assert detours.find("acme", state, new_value()) is StateFault.OTHER_BROWSER
    assert detours.find("acme", state, None) is StateFault.OTHER_BROWSER
    assert made(clock, b"x" * 32).find("acme", state, COOKIE) is StateFault.FOREIGN
    assert detours.fault("acme", state) is None
    clock.now += LIFETIME_S
    assert detours.find("acme", state, COOKIE) is StateFault.LATE
    assert detours.fault("acme", state) is StateFault.LATE


def test_every_bit_counts(detours: Detours) -> None:
    state = detours.begin("acme", COOKIE).state
    data = base64url.decode(state)
    for bit in range(len(data) * 8):
        changed = bytearray(data)
        changed[bit // 8] ^= 1 << bit % 8
        assert not isinstance(
            detours.find("acme", base64url.encode(bytes(changed)), COOKIE), Detour
        )


def test_a_state_has_one_spelling(detours: Detours) -> None:
    """Otherwise an answer could be used again under another one."""
    assert len(base64url.decode(detours.begin("acme", COOKIE).state)) % 3 == 0


@given(st.text())
def test_any_text_is_foreign(text: str) -> None:
    detours = made(Clock(1_793_887_400.0))
    assert detours.find("acme", text, COOKIE) is StateFault.FOREIGN
