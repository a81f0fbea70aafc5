"""User codes: what a person reads off a screen and types (RFC 8628 sections 3.2, 5.1, 6.1).

The default alphabet has no vowels (so no words appear) and no digits (so nothing looks like
something else); a remote control types digits more easily, so an alphabet may be numeric.
What a person types is folded first: case, width, spaces and punctuation do not matter, and a
character outside the alphabet that looks like one inside it is read as that one.
"""

import math
import unicodedata
from collections.abc import Callable

import msgspec

LETTERS = "BCDFGHJKLMNPQRSTVWXZ"
"""RFC 8628 6.1: the base-20 alphabet without vowels, 4.3 bits a letter."""

NUMERIC = "0123456789"
"""RFC 8628 6.1: digits, for remote controls and number pads, 3.3 bits each."""

MAX_GROWTH = 4
"""A code grows by at most this many characters over the configured length."""

SAFETY_BITS = 32
"""With one guess and one live grant, a guess hits with a probability of 2**-32."""

# Each string is one shape; any of its characters stands for the one that the alphabet has.
_LOOK_ALIKES = ("0OQD", "1ILJ", "2Z", "5S", "6G", "8B", "UV")


class UserCodeFormat(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How user codes look.

    `alphabet`: distinct characters; `length`: characters without separators; `group`:
    characters between dashes, 0 for none.
    """

    alphabet: str = LETTERS
    length: int = 8
    group: int = 4

    @property
    def bits(self) -> float:
        """Entropy of a code of the configured length."""
        return self.length * math.log2(len(self.alphabet))


def generate(form: UserCodeFormat, length: int, randbelow: Callable[[int], int]) -> str:
    """A new code of `length` characters, without separators, drawn with `randbelow(n)`."""
    size = len(form.alphabet)
    return "".join(form.alphabet[randbelow(size)] for _ in range(length))


def length_for(form: UserCodeFormat, live_grants: int, guesses: int) -> int:
    """How long a new code has to be while `live_grants` wait and one may guess `guesses` times.

    With N codes waiting a guess hits somebody's N times as often, so the code grows with
    log2 N (RFC 8628 5.1 asks for enough entropy against online guessing).
    """
    bits = SAFETY_BITS + math.log2(max(1, live_grants)) + math.log2(max(1, guesses))
    wanted = math.ceil(bits / math.log2(len(form.alphabet)))
    # A short code is the operator's choice (a fleet behind one wall, a small keypad): it
    # grows only from the point where the fleet makes it weaker than when it was chosen.
    chosen = SAFETY_BITS + math.log2(max(1, guesses)) - form.bits
    if chosen > 0:
        wanted = math.ceil((bits - chosen) / math.log2(len(form.alphabet)))
    return min(max(form.length, wanted), form.length + MAX_GROWTH)


def normalise(text: str, alphabet: str) -> str | None:
    """The code in `text` without separators, or None where it cannot be one.

    RFC 8628 6.1: case is folded, punctuation and spaces are dropped.
    """
    folded = unicodedata.normalize("NFKC", text[:256]).upper()
    read = (_read(character, alphabet) for character in folded if character.isalnum())
    code = "".join(read)
    return None if "?" in code or not code else code


def display(code: str, group: int) -> str:
    """`WDJBMJHT` as a person reads it: `WDJB-MJHT` for groups of four."""
    if group <= 0:
        return code
    return "-".join(code[i : i + group] for i in range(0, len(code), group))


def _read(character: str, alphabet: str) -> str:
    if character in alphabet:
        return character
    for shape in _LOOK_ALIKES:
        if character in shape:
            inside = [other for other in shape if other in alphabet]
            # Two candidates are no reading at all: better to ask again than to guess.
            return inside[0] if len(inside) == 1 else "?"
    return "?"
