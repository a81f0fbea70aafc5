"""User codes, which a person reads from a screen and types (RFC 8628 sections 3.2, 5.1, 6.1).

The default alphabet has no vowels, so that no words appear, and no digits, so that no two
characters look alike. Digits are easier to type with a remote control, so an alphabet may be
numeric. Case, width, spaces and punctuation of the typed code do not matter. A typed character
outside the alphabet is read as the character of the alphabet that looks like it.
"""

import math
import unicodedata
from collections.abc import Callable

import msgspec

LETTERS = "BCDFGHJKLMNPQRSTVWXZ"
"""The base-20 alphabet without vowels (RFC 8628 6.1), 4.3 bits per letter."""

NUMERIC = "0123456789"
"""Digits, for remote controls and number pads (RFC 8628 6.1), 3.3 bits each."""

MAX_GROWTH = 4
"""A code grows by at most this many characters over the configured length."""

SAFETY_BITS = 32
"""With a single live grant, a guess hits with a probability of at most 2**-32."""

# The characters of each string look alike.
_LOOK_ALIKES = ("0OQD", "1ILJ", "2Z", "5S", "6G", "8B", "UV")


class UserCodeFormat(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The form of user codes.

    `alphabet`: distinct characters. `length`: characters without dashes. `group`: characters
    between dashes, 0 for no dashes.
    """

    alphabet: str = LETTERS
    length: int = 8
    group: int = 4

    @property
    def bits(self) -> float:
        """Entropy of a code of the configured length."""
        return self.length * math.log2(len(self.alphabet))


def generate(form: UserCodeFormat, length: int, randbelow: Callable[[int], int]) -> str:
    """Make a code of `length` characters, without dashes. `randbelow(n)` draws 0 to n-1."""
    size = len(form.alphabet)
    return "".join(form.alphabet[randbelow(size)] for _ in range(length))


def length_for(form: UserCodeFormat, live_grants: int, guesses: int) -> int:
    """Return the length of a new code, if `live_grants` are waiting and `guesses` are allowed.

    While N codes are waiting, a guess is N times as likely to hit. So the code grows with log2 N
    (RFC 8628 5.1 asks for enough entropy against online guessing).
    """
    bits = SAFETY_BITS + math.log2(max(1, live_grants)) + math.log2(max(1, guesses))
    length = math.ceil(bits / math.log2(len(form.alphabet)))
    # An operator may choose a short code, for a private network or a small keypad. It grows only
    # when the fleet makes it weaker than it is for a single grant.
    missing_bits = SAFETY_BITS + math.log2(max(1, guesses)) - form.bits
    if missing_bits > 0:
        length = math.ceil((bits - missing_bits) / math.log2(len(form.alphabet)))
    return min(max(form.length, length), form.length + MAX_GROWTH)


def normalise(text: str, alphabet: str) -> str | None:
    """Return the code in `text` without dashes, or None if `text` cannot be a code.

    Case is folded, punctuation and spaces are dropped (RFC 8628 6.1).
    """
    folded = unicodedata.normalize("NFKC", text[:256]).upper()
    code = "".join(_read(character, alphabet) for character in folded if character.isalnum())
    return None if "?" in code or not code else code


def display(code: str, group: int) -> str:
    """Format a code for people: `WDJBMJHT` becomes `WDJB-MJHT` in groups of four."""
    if group <= 0:
        return code
    return "-".join(code[i : i + group] for i in range(0, len(code), group))


def _read(character: str, alphabet: str) -> str:
    if character in alphabet:
        return character
    for shape in _LOOK_ALIKES:
        if character in shape:
            candidates = [other for other in shape if other in alphabet]
            # With two candidates, ask the person again: a guess could be the wrong code.
            return candidates[0] if len(candidates) == 1 else "?"
    return "?"
