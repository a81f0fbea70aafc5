"""Codes of an authenticator app (TOTP, RFC 6238): six digits, a new one every 30 s, SHA-1.

These are the parameters that every app has. A code of the step before and of the step after is
taken too, since clocks differ (RFC 6238 5.2). A step that was used, and every earlier one, is not
taken again.
"""

from hmac import compare_digest

from pyotp import TOTP, random_base32

STEP_S = 30
DIGITS = 6
_DRIFT = 1


def new_secret() -> str:
    """Make a secret: 160 bits, in base32 (RFC 4226 4)."""
    return random_base32()


def provisioning_uri(secret: str, username: str, issuer: str) -> str:
    """Write the address that an app reads from a QR code (`otpauth://`)."""
    return TOTP(secret).provisioning_uri(name=username, issuer_name=issuer)


def step_of(secret: str, typed: str, now: float, used_step: int = 0) -> int | None:
    """Return the time step that a typed code is of, None if it is wrong, too old or used.

    `now` in s. `used_step`: the newest step of which a code was used.
    """
    code = "".join(typed.split())
    if len(code) != DIGITS or not (code.isascii() and code.isdigit()):
        return None
    totp, current = TOTP(secret), int(now) // STEP_S
    steps = range(max(used_step + 1, current - _DRIFT), current + _DRIFT + 1)
    return next((step for step in steps if compare_digest(totp.generate_otp(step), code)), None)
