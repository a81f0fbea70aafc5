"""User codes, which a person reads from a screen and types (RFC 8628 sections 3.2, 5.1, 6.1).

The default alphabet has no vowels, so that no words appear, and no digits, so that no two
characters look alike. Digits are easier to type with a remote control, so an alphabet may be
numeric. Case, width, spaces and punctuation of the typed code do not matter, nor the script of its
digits. A typed character outside the alphabet is read as the character of the alphabet that looks
like it.
"""

import math
import unicodedata
from collections.abc import Callable
from functools import lru_cache
from itertools import pairwise

import msgspec

LETTERS = "BCDFGHJKLMNPQRSTVWXZ"
"""The base-20 alphabet without vowels (RFC 8628 6.1), 4.3 bits per letter."""

NUMERIC = "0123456789"
"""Digits, for remote controls and number pads (RFC 8628 6.1), 3.3 bits each."""

HITS_PER_DAY = 1 / 1_000
"""The chance that all wrong codes of a day together hit a grant that waits: at most this."""

WRONG_CODES_PER_DAY = 144_000
"""The wrong codes that lengths allow for, 1,000 in ten minutes. More of them lengthen new codes.

Five addresses at the limits of the pages are as many (docs/security.md). A test computes it from
the rules (`policy.rules`), which this room must not know.
"""

GROWTH_BITS = 24
"""A code grows by about so many bits over the configured length: a fleet of 2**24."""

# The characters of each string look alike.
_LOOK_ALIKES = ("0OQD", "1ILJ", "2Z", "5S", "6G", "8B", "UV")


_SAME_SHAPES = str.maketrans(
    "АВЕЗІЈКМНОРЅТСУХΑΒΕΖΗΙΚΜΝΟΡΤΥΧー",
    "ABE3IJKMHOPSTCYXABEZHIKMNOPTYX-",
)
"""Cyrillic and Greek capitals, as the Latin characters that a device shows in the same shape.

The last is the long mark of Japanese, which its keyboards type for a dash.
"""


class UserCodeFormat(msgspec.Struct, frozen=True, kw_only=True):
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

    @property
    def longest(self) -> int:
        """The length beyond which no code grows."""
        return self.length + math.ceil(GROWTH_BITS / math.log2(len(self.alphabet)))


def generate(form: UserCodeFormat, length: int, randbelow: Callable[[int], int]) -> str:
    """Make a code of `length` characters, without dashes. `randbelow(n)` draws 0 to n-1.

    There is one draw for the whole code: one for each character takes several times as long.
    """
    size, characters = len(form.alphabet), []
    number = randbelow(size**length)
    for _ in range(length):
        number, digit = divmod(number, size)
        characters.append(form.alphabet[digit])
    return "".join(characters)


# All grants of one round trip ask with the same arguments.
@lru_cache(maxsize=32)
def length_for(form: UserCodeFormat, live_grants: int, wrong_codes_per_day: float = 0) -> int:
    """Return the length of a new code while `live_grants` wait, the new one among them.

    `wrong_codes_per_day`: as measured; no less than WRONG_CODES_PER_DAY counts. If N codes wait
    and G wrong ones are tried in a day, the chance of a hit is at most G * N / size**length. The
    length keeps that below HITS_PER_DAY (RFC 8628 5.1; the arithmetic is in docs/security.md).
    """
    guesses = max(WRONG_CODES_PER_DAY, wrong_codes_per_day)
    bits_for_one = math.log2(WRONG_CODES_PER_DAY / HITS_PER_DAY)
    growth = math.log2(max(1, live_grants)) + math.log2(guesses / WRONG_CODES_PER_DAY)
    # An operator may choose a short code, for a private network or a small keypad. It grows only
    # when the fleet makes it weaker than it is for a single grant.
    bits = min(bits_for_one, form.bits) + growth
    # Rounding must not add a character: 3 digits have 9.966 bits, and so has one in a thousand.
    length = math.ceil(bits / math.log2(len(form.alphabet)) - 1e-9)
    return min(max(form.length, length), form.longest)


def normalise(text: str, alphabet: str) -> str | None:
    """Return the code in `text` without dashes, or None if `text` cannot be a code.

    Case is folded, punctuation and spaces are dropped (RFC 8628 6.1). A keyboard may be for another
    script than the device's: its full-width letters, its digits (such as Arabic-Indic ones) and
    its capitals that look Latin count as what they stand for.
    """
    folded = _latin(unicodedata.normalize("NFKC", text[:256]).upper())
    code = "".join(_read(character, alphabet) for character in folded if character.isalnum())
    return None if "?" in code or not code else code


def display(code: str, group: int) -> str:
    """Format a code for people: `WDJBMJHT` becomes `WDJB-MJHT` in groups of about four."""
    if group <= 0 or not code:
        return code
    return "-".join([code[start:end] for start, end in _groups(len(code), group)])


@lru_cache(maxsize=256)
def _groups(length: int, group: int) -> tuple[tuple[int, int], ...]:
    """Return where each group of a code begins and ends."""
    count = min(range(1, length + 1), key=lambda n: _unevenness(length, n, group))
    size, longer = divmod(length, count)
    ends = [i * size + min(i, longer) for i in range(count + 1)]
    return tuple(pairwise(ends))


def _unevenness(length: int, count: int, group: int) -> tuple[bool, bool, float, int]:
    """Rate `count` groups: the least is the easiest to read, as 3-3-3 is, and 4-4-1 is not.

    Groups are equal if they can be, with `group` characters or one more or less; otherwise they
    differ by one. None is a single character, unless `group` is 1.
    """
    shortest, longer = divmod(length, count)
    is_sized = min(group, 2) <= shortest and shortest + bool(longer) <= group + 1
    is_equal = longer == 0 and shortest >= min(group, 3)
    return (not is_sized, not is_equal, abs(length / count - group), count)


def _latin(text: str) -> str:
    """Write the digits of every script as 0 to 9, and capitals of a Latin shape as Latin."""
    digits = (unicodedata.decimal(character, None) for character in text)
    plain = (
        character if digit is None else str(digit)
        for character, digit in zip(text, digits, strict=True)
    )
    return "".join(plain).translate(_SAME_SHAPES)


def _read(character: str, alphabet: str) -> str:
    if character in alphabet:
        return character
    for shape in _LOOK_ALIKES:
        if character in shape:
            candidates = [other for other in shape if other in alphabet]
            # With two candidates, ask the person again: a guess could be the wrong code.
            return candidates[0] if len(candidates) == 1 else "?"
    return "?"
