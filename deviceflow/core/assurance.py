"""How well a sign-in proves who a person is: `amr`, `acr`, and what a client asks for at least.

`amr` names the methods (RFC 8176), `acr` the level that they reach (OpenID Connect Core 2):

| the person signed in by | amr | acr |
|---|---|---|
| a password | pwd | |
| a password and a code of an app | pwd, otp, mfa | SECOND_FACTOR |
| a password and a passkey | pwd, pop, user, mfa | PHISHING_RESISTANT |
| a passkey | pop, user, mfa | PHISHING_RESISTANT |

A passkey is `pop`, the proof that a key is at hand, and neither `hwk` nor `swk`: without
attestation nobody knows where the key lives, and many passkeys are copied between devices. It is
`mfa` too, because the person was verified: a device that they have, and its PIN or their finger.
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import Literal

BY_PASSWORD = ("pwd",)
ONE_TIME_CODE = ("otp",)
PASSKEY = ("pop", "user", "mfa")

SECOND_FACTOR = "https://refeds.org/profile/mfa"
"""The `acr` of two factors (REFEDS MFA Profile)."""

PHISHING_RESISTANT = "phr"
"""The `acr` of a sign-in that nobody can relay (OpenID Connect EAP ACR Values 1.0)."""

_HARDWARE = "phrh"
_ENOUGH_BY_ACR = {
    "second_factor": frozenset({SECOND_FACTOR, PHISHING_RESISTANT, _HARDWARE}),
    "phishing_resistant": frozenset({PHISHING_RESISTANT, _HARDWARE}),
}

SignInMinimum = Literal["any", "second_factor", "phishing_resistant"]


class Shortfall(StrEnum):
    """The reasons why a sign-in is not enough for a client."""

    SECOND_FACTOR = "second_factor"
    PHISHING_RESISTANT = "phishing_resistant"
    TOO_OLD = "too_old"


def joined(first: Iterable[str], second: Iterable[str]) -> tuple[str, ...]:
    """Return the `amr` of a sign-in by two methods, which makes it `mfa`; each value once."""
    methods = dict.fromkeys([*first, *second])
    methods.pop("mfa", None)
    return (*methods, "mfa")


def way_of(amr: Iterable[str]) -> str:
    """Name the methods for people who operate the server; "proxy" if only a proxy knows them."""
    words = {"pwd": "password", "otp": "one_time_code", "pop": "passkey"}
    return "+".join(words[method] for method in amr if method in words) or "proxy"


def acr_of(amr: Iterable[str]) -> str | None:
    """Return the level of a sign-in at this server, None for a single factor."""
    methods = set(amr)
    if "pop" in methods:
        return PHISHING_RESISTANT
    return SECOND_FACTOR if "mfa" in methods else None


def shortfall(
    minimum: SignInMinimum,
    max_age_s: int | None,
    *,
    amr: Iterable[str],
    acr: str | None,
    age_s: float,
) -> Shortfall | None:
    """Say what a sign-in lacks for a client, None if it is enough.

    `acr` decides, since another identity provider may use the same words of `amr` for weaker
    methods. Only `mfa` in `amr` also stands for a second factor. `age_s`: of the sign-in.
    """
    if minimum == "phishing_resistant" and acr not in _ENOUGH_BY_ACR[minimum]:
        return Shortfall.PHISHING_RESISTANT
    if minimum == "second_factor" and "mfa" not in amr and acr not in _ENOUGH_BY_ACR[minimum]:
        return Shortfall.SECOND_FACTOR
    if max_age_s is not None and age_s > max_age_s:
        return Shortfall.TOO_OLD
    return None
