"""Device codes: sealed, opened, and bound to their client (RFC 8628 3.2, 5.2)."""

import re
import statistics
import string

from hypothesis import assume, given
from hypothesis import strategies as st

from deviceflow.core.device_code import (
    KEY_BYTES,
    NONCE_BITS,
    SLOT_BITS,
    DeviceCode,
    DeviceCodeKey,
    DeviceCodes,
)

ALPHABET = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"
KEY = DeviceCodeKey(7, b"k" * KEY_BYTES)
CODES = DeviceCodes([KEY])

grant_ids = st.integers(0, (1 << SLOT_BITS + NONCE_BITS) - 1)
seconds = st.integers(0, (1 << 32) - 1)
intervals = st.integers(0, (1 << 16) - 1)
client_ids = st.text(st.characters(codec="utf-8"), min_size=1, max_size=100)
secrets = st.binary(min_size=KEY_BYTES, max_size=KEY_BYTES)


def seal(grant_id: int = 1, expires_at: int = 2_000_000_000, client_id: str = "tv-app") -> str:
    return CODES.seal(grant_id, expires_at, 5, client_id)


@given(grant_ids, seconds, intervals, client_ids, st.integers(0, 255), secrets)
def test_what_was_sealed_is_what_is_opened(
    grant_id: int, expires_at: int, interval: int, client_id: str, key_id: int, secret: bytes
) -> None:
    codes = DeviceCodes([DeviceCodeKey(key_id, secret)])
    code = codes.seal(grant_id, expires_at, interval, client_id)
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", code)
    opened = codes.open(code.encode(), client_id.encode())
    assert opened == DeviceCode(grant_id, expires_at, interval, key_id, client_id.encode())
    assert opened.slot == grant_id >> NONCE_BITS


@given(grant_ids, seconds, st.integers(0, 42), st.sampled_from(ALPHABET))
def test_any_other_character_anywhere_opens_nothing(
    grant_id: int, expires_at: int, position: int, other: str
) -> None:
    code = seal(grant_id, expires_at)
    assume(code[position] != other)
    changed = code[:position] + other + code[position + 1 :]
    assert CODES.open(changed.encode(), b"tv-app") is None


@given(grant_ids, st.integers(0, 43 * 8 - 1))
def test_any_flipped_bit_opens_nothing(grant_id: int, bit: int) -> None:
    code = bytearray(seal(grant_id).encode())
    code[bit // 8] ^= 1 << bit % 8
    assert CODES.open(bytes(code), b"tv-app") is None


@given(grant_ids)
def test_a_code_has_one_spelling(grant_id: int) -> None:
    """The two spare bits of the last character must be zero."""
    code = seal(grant_id)
    last = ALPHABET.index(code[-1])
    spellings = [code[:-1] + ALPHABET[last ^ spare] for spare in (0, 1, 2, 3)]
    opened = [CODES.open(spelling.encode(), b"tv-app") for spelling in spellings]
    assert [each is not None for each in opened] == [True, False, False, False]


@given(grant_ids, st.integers(0, 42), st.sampled_from([b"=", b"A", b"\n", b" ", b"\0"]))
def test_a_shorter_or_longer_code_opens_nothing(grant_id: int, kept: int, more: bytes) -> None:
    code = seal(grant_id).encode()
    for changed in (code[:kept], code + more, more + code, code + code):
        assert CODES.open(changed, b"tv-app") is None


@given(st.binary(max_size=64))
def test_noise_opens_nothing(noise: bytes) -> None:
    assert CODES.open(noise, b"tv-app") is None


@given(
    st.binary(min_size=43, max_size=43).map(lambda raw: bytes(ord(ALPHABET[b % 64]) for b in raw))
)
def test_noise_of_the_right_shape_opens_nothing(noise: bytes) -> None:
    assert CODES.open(noise, b"tv-app") is None


@given(client_ids, client_ids)
def test_a_code_is_bound_to_its_client(ours: str, theirs: str) -> None:
    """6749-5.2-b, and the first of the mistakes in section 3: client B cannot redeem A's code."""
    assume(ours != theirs)
    code = CODES.seal(1, 2_000_000_000, 5, ours)
    assert CODES.open(code.encode(), theirs.encode()) is None


@given(secrets)
def test_another_key_opens_nothing(secret: bytes) -> None:
    assume(secret != KEY.secret)
    foreign = DeviceCodes([DeviceCodeKey(KEY.key_id, secret)])
    assert foreign.open(seal().encode(), b"tv-app") is None


def test_an_older_key_still_opens_its_codes() -> None:
    newer = DeviceCodes([DeviceCodeKey(8, b"n" * KEY_BYTES), KEY])
    assert newer.open(seal().encode(), b"tv-app") == DeviceCode(1, 2_000_000_000, 5, 7, b"tv-app")
    assert CODES.open(newer.seal(1, 2, 5, "tv-app").encode(), b"tv-app") is None


def test_a_lost_key_s_codes_have_expired() -> None:
    lost = DeviceCodes([DeviceCodeKey(KEY.key_id, KEY.secret, until=0)])
    opened = lost.open(seal().encode(), b"tv-app")
    assert opened is not None
    assert opened.expires_at == 0


def test_without_keys_nothing_opens() -> None:
    assert DeviceCodes(()).open(seal().encode(), b"tv-app") is None


def test_codes_look_random() -> None:
    """8628-5.2-a: codes do not repeat, do not reveal their order, and are evenly distributed."""
    count = 4096
    codes = [seal(number << NONCE_BITS) for number in range(count)]
    assert len(set(codes)) == count
    # Each bit of the 32 bytes is set in about half of the codes (5 sigma of a fair coin).
    for position in range(42):
        for bit in range(6):
            ones = sum(ALPHABET.index(code[position]) >> bit & 1 for code in codes)
            assert abs(ones - count / 2) < 5 * (count**0.5) / 2
    # Codes that were made one after the other share nothing, and their order is random.
    ranks = {code: rank for rank, code in enumerate(sorted(codes))}
    order = [ranks[code] for code in codes]
    assert abs(statistics.correlation(order, list(range(count)))) < 5 / count**0.5


def test_one_payload_bit_changes_the_whole_code() -> None:
    """8628-5.2-a: the payload is not visible, and the mask depends on all of it."""
    first, second = seal(1 << NONCE_BITS), seal(2 << NONCE_BITS)
    alike = sum(a == b for a, b in zip(first, second, strict=True))
    assert alike < 8
