"""User names and passwords as people type them (RFC 8265, PRECIS).

One name has many spellings: another case, another width, a letter with its accent or followed by
it. Names are prepared by the profile UsernameCaseMapped, passwords by OpaqueString. Text that a
profile does not allow stays as it was typed: it may be a name or a password of earlier times.
"""

from precis_i18n import get_profile

_USERNAME = get_profile("UsernameCaseMapped")
_PASSWORD = get_profile("OpaqueString")

MIN_PASSWORD = 8
"""The fewest characters of a new password (NIST SP 800-63B 5.1.1.2)."""


def prepare_username(typed: str) -> str | None:
    """Return the prepared name, or None if the profile allows no such name.

    A name may have several parts with spaces between them (RFC 8265 3.5).
    """
    try:
        return " ".join(_USERNAME.enforce(part) for part in typed.split()) or None
    except UnicodeError:
        return None


def prepare_password(typed: str) -> str | None:
    """Return the prepared password, or None if the profile allows no such password."""
    try:
        prepared: str = _PASSWORD.enforce(typed)
    except UnicodeError:
        return None
    return prepared


def spellings(typed: str, prepared: str | None) -> tuple[str, ...]:
    """List what to try for a typed text: as it was typed, and prepared if that differs.

    How many there are depends on the text alone, so it tells nothing about an account.
    """
    return (typed,) if prepared in {None, typed} else (typed, prepared or typed)
