"""What binds an answer to its request, and both to one browser."""

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from hypothesis import given
from hypothesis import strategies as st

from deviceflow.core import base64url
from deviceflow.core.clients import Clients
from deviceflow.core.pkce import challenge, proves
from deviceflow.core.user_code import UserCodeFormat
from deviceflow.pages.codes import Codes
from deviceflow.pages.cookie import SessionCookie, new_value
from deviceflow.pages.onward import Onward
from deviceflow.pages.sign_in.upstream.detours import LIFETIME_S, Detours, StateFault
from deviceflow.upstream.authorization import Detour
from tests.stage.clock import Clock

COOKIE = new_value()
ISSUER = "https://login.example.com"
CODES = Codes(UserCodeFormat(), Clients(()))
KEPT_IN = f"{SessionCookie(https=True, issuer=ISSUER).name}-detour"


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


def request_with(cookie: str) -> web.Request:
    """What a browser sends in which this cookie of detours is kept."""
    return make_mocked_request("GET", "/", headers={"Cookie": f"{KEPT_IN}={cookie}"})


def test_where_each_detour_leads_is_kept_in_the_browser(detours: Detours) -> None:
    led = {
        "1" * 60: Onward("BCDF-GHJK", "confirm"),
        "2" * 60: Onward("", "security"),
        "3" * 60: Onward("WDJB-MJHT"),
        "4" * 60: Onward(),
    }
    cookie = ""
    for state, onward in led.items():
        response = web.Response()
        detours.keep(request_with(cookie), response, state, onward)
        cookie = response.cookies[KEPT_IN].value
    found = {state: detours.onward(request_with(cookie), state, CODES) for state in led}
    assert found == led
    detours.forget(request_with(cookie), response, "1" * 60)
    cookie = response.cookies[KEPT_IN].value
    assert detours.onward(request_with(cookie), "1" * 60, CODES) == Onward()
    assert detours.onward(request_with(cookie), "2" * 60, CODES) == Onward("", "security")


@pytest.mark.parametrize("tail", ["~BCDF-GHJK~evil", "~/evil~confirm", "~x~confirm~y", "", "~~"])
def test_a_made_up_cookie_leads_to_no_other_page(detours: Detours, tail: str) -> None:
    made_up = request_with(f"{'1' * 8}{tail}")
    assert detours.onward(made_up, "1" * 60, CODES).path == "/device"


@given(st.text())
def test_any_text_is_foreign(text: str) -> None:
    detours = made(Clock(1_793_887_400.0))
    assert detours.find("acme", text, COOKIE) is StateFault.FOREIGN
