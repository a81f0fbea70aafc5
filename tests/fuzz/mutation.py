"""Inputs made from good examples: a few changes each, so that most get past the first check.

All that is random comes from one generator, so a seed gives the same inputs again.
"""

import re
from collections.abc import Callable, Sequence
from random import Random

LONGEST = 20_000

WORDS: tuple[bytes, ...] = (
    *(b"", b"\x00", b"\xff", b"\xc3\x28", b"\xed\xa0\x80", b"\xf0\x9f\x92\xa9", b"\xe2\x80\xae"),
    *(b"\r\n", b"\n", b"\t", b" ", b"%", b"%00", b"%zz", b"%FF", b"%ed%a0%80", b"+", b"&", b"="),
    *(b'"', b'\\"', b"\\", b"'", b"[", b"]", b"{", b"}", b"[]", b"{}", b"[[", b"#", b";", b","),
    *(b"null", b"true", b"false", b"NaN", b"Infinity", b"-Infinity", b'""', b'"\\ud800"'),
    *(b"0", b"-1", b"1", b"255", b"65536", b"4294967296", b"1e400", b"1e308", b"0.1", b"1" * 30),
    *(b"9" * 4400, b"[" * 3000, b'{"a":' * 1500, b"\xd9\xa3", b"\xe2\x91\xa0", b"0x10", b"1_0"),
    *(b"://", b"//", b"@", b"[::1]", b"[", b"::ffff:1.2.3.4", b"1.2.3.4:99999", b"%eth0", b"*"),
    *(b"\xef\xbc\xa1", b"\xc4\xb0", b"\xc3\x9f", b"\xcc\x88", b"\xe1\x85\x9f", b"\xef\xb7\xba"),
)
"""Texts that are special to some reader: escapes, brackets, numbers, halves of UTF-8, scripts."""

_TOKEN = re.compile(rb'"(?:[^"\\]|\\.){0,200}"|[A-Za-z0-9_.+/=~-]{1,200}')

Change = Callable[[bytes, Random, Sequence[bytes]], bytes]


def mutate(rng: Random, examples: Sequence[bytes]) -> bytes:
    """Make one input. At most LONGEST bytes."""
    data = rng.choice(examples)
    for _ in range(rng.choice((1, 1, 1, 1, 2, 2, 3, 4, 8))):
        data = rng.choice(_CHANGES)(data, rng, examples)
    return data[:LONGEST]


def _span(data: bytes, rng: Random) -> tuple[int, int]:
    start = rng.randrange(len(data) + 1)
    return start, min(len(data), start + rng.choice((1, 1, 2, 4, 8, 16, 64, 256)))


def _flip(data: bytes, rng: Random, _: Sequence[bytes]) -> bytes:
    if not data:
        return data
    at = rng.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :]


def _set(data: bytes, rng: Random, _: Sequence[bytes]) -> bytes:
    start, end = _span(data, rng)
    return data[:start] + rng.randbytes(end - start) + data[end:]


def _insert(data: bytes, rng: Random, _: Sequence[bytes]) -> bytes:
    at = rng.randrange(len(data) + 1)
    return data[:at] + rng.choice(WORDS) + data[at:]


def _remove(data: bytes, rng: Random, _: Sequence[bytes]) -> bytes:
    start, end = _span(data, rng)
    return data[:start] + data[end:]


def _repeat(data: bytes, rng: Random, _: Sequence[bytes]) -> bytes:
    start, end = _span(data, rng)
    times = rng.choice((2, 2, 2, 3, 10, 100, 2000))
    return data[:start] + data[start:end] * times + data[end:]


def _splice(data: bytes, rng: Random, examples: Sequence[bytes]) -> bytes:
    other = rng.choice(examples)
    return data[: rng.randrange(len(data) + 1)] + other[rng.randrange(len(other) + 1) :]


def _replace_token(data: bytes, rng: Random, examples: Sequence[bytes]) -> bytes:
    """Put a special word, or a token of another example, in the place of a token."""
    tokens = list(_TOKEN.finditer(data[:4096]))
    if not tokens:
        return _insert(data, rng, examples)
    token = rng.choice(tokens)
    new = rng.choice(WORDS)
    if rng.random() < 0.3 and (others := _TOKEN.findall(rng.choice(examples)[:4096])):
        new = rng.choice(others)
    return data[: token.start()] + new + data[token.end() :]


_CHANGES: tuple[Change, ...] = (
    *(_flip, _set, _insert, _insert, _remove, _repeat, _splice),
    *(_replace_token, _replace_token, _replace_token),
)
