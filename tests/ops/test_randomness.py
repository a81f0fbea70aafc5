"""Random bits that are drawn in bulk: none is used twice, in no process."""

import multiprocessing
from multiprocessing.connection import Connection
from unittest import mock

import pytest

from deviceflow.ops.randomness import DRAWN_BYTES, RANDOMNESS, Randomness


def test_every_drawn_byte_is_used_once_and_in_order() -> None:
    drawn = [bytes(range(256)) * (DRAWN_BYTES // 256), bytes(reversed(range(256))) * 8]
    with mock.patch("os.urandom", side_effect=drawn) as urandom:
        own = Randomness()
        numbers = [own.getrandbits(64) for _ in range(DRAWN_BYTES // 8 + 1)]
    assert b"".join(number.to_bytes(8) for number in numbers) == drawn[0] + drawn[1][:8]
    assert [call.args for call in urandom.call_args_list] == [(DRAWN_BYTES,)] * 2


@pytest.mark.parametrize("bits", [1, 7, 8, 9, 24, 35, 64, 8 * DRAWN_BYTES + 1])
def test_a_number_has_so_many_bits(bits: int) -> None:
    own = Randomness()
    numbers = [own.getrandbits(bits) for _ in range(64)]
    assert max(numbers) < 2**bits
    assert max(numbers).bit_length() > bits - 7
    union = 0
    for number in numbers:
        union |= number
    assert union == 2**bits - 1, "every bit varies"


def test_numbers_below_a_limit() -> None:
    own = Randomness()
    assert {own.randrange(20) for _ in range(2000)} == {*range(20)}


def _say(end: Connection) -> None:
    end.send(RANDOMNESS.getrandbits(256))


def test_a_child_draws_anew() -> None:
    RANDOMNESS.getrandbits(8)
    forking = multiprocessing.get_context("fork")
    said = []
    for _ in range(2):
        here, there = forking.Pipe()
        child = forking.Process(target=_say, args=(there,))
        child.start()
        said.append(here.recv())
        child.join()
    assert len({*said, RANDOMNESS.getrandbits(256)}) == 3
