"""The codes themselves: RFC 8628 5.1, 5.2 and 6.1. Statistics on a sample of 20."""

import asyncio
import math
import re
from collections.abc import Sequence
from itertools import pairwise

from deviceflow.conformance.answers import Started
from deviceflow.conformance.check import Level, check, require
from deviceflow.conformance.site import Site

SAMPLE = 20
MIN_DEVICE_CODE_BITS = 128
MIN_USER_CODE_BITS = 24
"""With five guesses a code, an attacker has one chance in three million (RFC 8628 5.1)."""

_SIZES = ((re.compile(r"[0-9]*"), 10), (re.compile(r"[0-9a-f]*", re.IGNORECASE), 16))


async def _sample(site: Site) -> list[Started]:
    return list(await asyncio.gather(*(site.start() for _ in range(SAMPLE))))


def bits(codes: Sequence[str], alphabet: int) -> float:
    """Return the most randomness that codes can have: a place that never changes has none.

    A place has at most log2 of `alphabet`, and at least two values in the sample.
    """
    shortest = min(map(len, codes))
    places = [{code[place] for code in codes} for place in range(shortest)]
    return sum(math.log2(alphabet) for seen in places if len(seen) > 1)


def alphabet_of(codes: Sequence[str]) -> int:
    """Return how many characters the codes are made of, as far as a sample tells."""
    text = "".join(codes)
    for pattern, size in _SIZES:
        if pattern.fullmatch(text):
            return size
    return max(2, len({*text}))


@check("8628-5.2-a", Level.SHOULD, "RFC 8628 5.2", "Device codes cannot be guessed")
async def device_code_entropy(site: Site) -> str:
    codes = [grant.device_code for grant in await _sample(site)]
    require(len({*codes}) == SAMPLE, "a device code was given twice")
    found = bits(codes, alphabet_of(codes))
    require(found >= MIN_DEVICE_CODE_BITS, f"they have at most {found:.0f} random bits")
    return f"they can have {found:.0f} random bits"


@check("8628-5.1-a", Level.SHOULD, "RFC 8628 5.1", "User codes have enough randomness")
async def user_code_entropy(site: Site) -> str:
    codes = [grant.user_code for grant in await _sample(site)]
    require(len({*codes}) == SAMPLE, "a user code was given twice")
    found = bits(codes, alphabet_of([code.replace("-", "") for code in codes]))
    require(found >= MIN_USER_CODE_BITS, f"they have at most {found:.0f} random bits")
    return f"they can have {found:.0f} random bits"


@check("8628-5.1-b", Level.PRUDENT, "RFC 8628 5.1", "User codes do not follow each other")
async def user_codes_in_order(site: Site) -> str:
    one_by_one = [(await site.start()).user_code for _ in range(SAMPLE // 2)]
    steps = {_distance(*pair) for pair in pairwise(one_by_one)}
    is_regular = len(steps) == 1 and None not in steps
    require(not is_regular, "each is the same step from the one before")
    return "there is no step from one to the next"


@check("8628-6.1-b", Level.SHOULD, "RFC 8628 6.1", "A user code is easy to type")
async def user_code_characters(site: Site) -> str:
    codes = [grant.user_code for grant in await _sample(site)]
    odd = sorted({*"".join(codes)} - {*"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-"})
    require(not odd, f"they have {' '.join(odd)}")
    long = max(len(code.replace("-", "")) for code in codes)
    require(long <= 12, f"they have up to {long} characters")  # noqa: PLR2004
    return f"up to {long} characters: {codes[0]} is one"


@check("8628-5.2-b", Level.PRUDENT, "RFC 8628 5.2", "The device code does not hold the user code")
async def codes_apart(site: Site) -> str:
    grants = await _sample(site)
    inside = [
        grant
        for grant in grants
        if grant.user_code.replace("-", "").upper() in grant.device_code.upper()
    ]
    require(not inside, "the device code holds the user code")
    return "no device code holds its user code"


@check("8628-5.2-c", Level.PRUDENT, "RFC 8628 5.2", "A device code needs no escaping in a form")
async def device_code_characters(site: Site) -> str:
    codes = "".join(grant.device_code for grant in await _sample(site))
    odd = sorted({each for each in codes if not re.fullmatch(r"[A-Za-z0-9._~-]", each)})
    require(not odd, f"they have {' '.join(odd)}")
    return "only unreserved characters"


def _distance(first: str, second: str) -> int | None:
    """Return the step from one code to the next as numbers, None if they are none."""
    pair = [code.replace("-", "") for code in (first, second)]
    base = 10 if all(map(str.isdecimal, pair)) else 36
    try:
        return int(pair[1], base) - int(pair[0], base)
    except ValueError:
        return None
