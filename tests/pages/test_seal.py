"""A seal holds for its facts, its cookie and its key only."""

import pytest

from deviceflow.pages.seal import Seal


def _seal(key: bytes = b"k" * 32) -> Seal:
    return Seal(keys=lambda: (key,))


def test_a_seal_holds_for_what_was_sealed() -> None:
    made = _seal().make("cookie", "unusable", "AAAA")
    assert _seal().holds(made, "cookie", "unusable", "AAAA")


@pytest.mark.parametrize(
    "other",
    [
        ("other", "unusable", "AAAA"),
        ("cookie", "claimed", "AAAA"),
        ("cookie", "unusable", "BBBB"),
        ("cookie", "unusableA", "AAA"),
        ("cookie", "unusable"),
        ("cookie", "unusable", "AAAA", ""),
    ],
)
def test_a_seal_holds_for_nothing_else(other: tuple[str, ...]) -> None:
    made = _seal().make("cookie", "unusable", "AAAA")
    assert not _seal().holds(made, *other)
    assert not _seal(b"l" * 32).holds(made, "cookie", "unusable", "AAAA")


@pytest.mark.parametrize("seal", ["", "é", "\udcff", "0" * 32])
def test_anything_else_is_no_seal(seal: str) -> None:
    assert not _seal().holds(seal, "cookie", "unusable")
