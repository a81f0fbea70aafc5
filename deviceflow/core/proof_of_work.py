"""A proof of work: an answer that takes many tries to find, and one to check.

The answer to a challenge is a number, in decimal digits. It is right if the SHA-256 of
`challenge:answer` begins with so many bits of 0. To find one takes 2**bits tries on average.
"""

from hashlib import sha256

MOST_BITS = 24
"""About 17 million tries: a phone needs a minute or more for them."""

_LONGEST_ANSWER = 16


def is_answer(challenge: str, answer: str, bits: int) -> bool:
    """Say whether `answer` is a right one. `bits`: 1 to 256."""
    if not (answer.isascii() and answer.isdigit() and len(answer) <= _LONGEST_ANSWER):
        return False
    digest = sha256(f"{challenge}:{answer}".encode("utf-8", "replace")).digest()
    return int.from_bytes(digest) >> (8 * len(digest) - bits) == 0


def find_answer(challenge: str, bits: int) -> str:
    """Find an answer, as `proof.js` does in a browser. For programs, and for tests."""
    answer = 0
    while not is_answer(challenge, str(answer), bits):
        answer += 1
    return str(answer)
