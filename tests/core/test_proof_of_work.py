"""Proofs of work: hard to find by a known factor, and nothing but a number."""

from hashlib import sha256

import pytest

from deviceflow.core.proof_of_work import find_answer, is_answer

CHALLENGE = "a" * 75


@pytest.mark.parametrize("bits", [1, 5, 9])
def test_an_answer_is_what_the_definition_says(bits: int) -> None:
    answer = find_answer(CHALLENGE, bits)
    digest = sha256(f"{CHALLENGE}:{answer}".encode()).hexdigest()
    assert f"{int(digest, 16):0256b}".startswith("0" * bits)
    assert is_answer(CHALLENGE, answer, bits)
    assert not is_answer(f"{CHALLENGE}b", answer, 60)


def test_each_bit_doubles_the_tries() -> None:
    right = [sum(is_answer(CHALLENGE, str(n), bits) for n in range(4096)) for bits in (2, 4, 6)]
    for number, expected in zip(right, (1024, 256, 64), strict=True):
        assert 0.6 < number / expected < 1.5


@pytest.mark.parametrize("text", ["", "-1", "1.0", " 1", "\u0661", "1" * 17, "\ud800", "0x1"])
def test_an_answer_is_a_number_of_some_digits(text: str) -> None:
    assert not is_answer(CHALLENGE, text, 0)


def test_leading_zeros_are_another_answer() -> None:
    """No answer counts twice: the challenge is used up, whatever the answer looks like."""
    answers = [zeros + find_answer(CHALLENGE, 3) for zeros in ("", "0", "00")]
    assert len({sha256(f"{CHALLENGE}:{each}".encode()).digest() for each in answers}) == 3
