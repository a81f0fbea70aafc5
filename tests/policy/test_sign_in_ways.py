"""Which ways are on: by the settings, and by what the issuer's host allows."""

import pytest

from deviceflow.config import Settings
from deviceflow.config.sections import SignIn
from deviceflow.policy.sign_in_ways import SignInWays
from deviceflow.store.factors import Authenticator, Factors, Passkey

APP = Authenticator(secret=b"", added_at=1, used_step=0)
PASSKEY = Passkey(id="x", public_key=b"", sign_count=0, name="Phone", added_at=1)


@pytest.mark.parametrize(
    ("issuer", "has_passkeys"),
    [
        ("https://login.example.com", True),
        ("https://login.example.com:8443/tenant", True),
        ("http://localhost:8628", True),
        ("http://127.0.0.1:8628", False),
        ("http://[::1]:8628", False),
        ("https://192.0.2.1", False),
    ],
)
def test_passkeys_need_a_host_name(issuer: str, *, has_passkeys: bool) -> None:
    assert SignInWays.of(Settings(issuer=issuer)).passkeys is has_passkeys


@pytest.mark.parametrize("totp", [True, False])
@pytest.mark.parametrize("passkeys", [True, False])
def test_only_factors_of_a_way_that_is_on_are_asked_for(*, passkeys: bool, totp: bool) -> None:
    settings = Settings(
        issuer="https://login.example.com", sign_in=SignIn(passkeys=passkeys, totp=totp)
    )
    ways = SignInWays.of(settings)
    assert not ways.has_second_factor(Factors())
    assert not ways.has_second_factor(Factors(recovery=("x",)))
    assert ways.has_second_factor(Factors(authenticator=APP)) is totp
    assert ways.has_second_factor(Factors(passkeys=(PASSKEY,))) is passkeys
