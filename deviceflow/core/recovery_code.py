"""Recovery codes: what signs a person in once whose authenticator is lost (NIST SP 800-63B 5.1.2).

A code has 16 letters of the alphabet of user codes, about 69 bits. So a fast keyed hash protects a
stored code: nobody tries 2^69 of them.
"""

from collections.abc import Callable

from deviceflow.core.user_code import LETTERS

NUMBER = 10
LENGTH = 16
_GROUP = 4


def new_codes(choose: Callable[[str], str]) -> tuple[str, ...]:
    """Make the codes of a person, as they are shown. `choose`: a random character of a text."""
    return tuple(_shown("".join(choose(LETTERS) for _ in range(LENGTH))) for _ in range(NUMBER))


def read(text: str) -> str | None:
    """Return the letters of a code that a person has typed, None if it can be no code."""
    letters = "".join(each for each in text.upper() if each not in " -\t\u2010\u2011\u2013")
    return letters if len(letters) == LENGTH and set(letters) <= set(LETTERS) else None


def _shown(letters: str) -> str:
    return "-".join(letters[start : start + _GROUP] for start in range(0, LENGTH, _GROUP))
