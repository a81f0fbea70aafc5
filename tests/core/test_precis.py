"""Names and passwords in every spelling (RFC 8265)."""

import pytest

from deviceflow.core.precis import prepare_password, prepare_username, spellings


@pytest.mark.parametrize(
    ("typed", "prepared"),
    [
        ("alice", "alice"),
        ("Alice", "alice"),
        ("JOSE\u0301", "jos\u00e9"),
        ("\uff41lice", "alice"),
        ("Ada@Example.com", "ada@example.com"),
        ("Ada  Lovelace", "ada lovelace"),
        (" ada ", "ada"),
        ("\u03a3", "\u03c3"),
        ("", None),
        (" ", None),
        ("ad\u200ba", None),
        ("a\u202eb", None),
        ("\ufb01n", None),
        ("a\x00", None),
    ],
)
def test_names(typed: str, prepared: str | None) -> None:
    assert prepare_username(typed) == prepared


@pytest.mark.parametrize(
    ("typed", "prepared"),
    [
        ("Correct horse", "Correct horse"),
        ("\u30d1", "\u30d1"),
        ("Jose\u0301", "Jos\u00e9"),
        ("a\u3000b", "a b"),
        (" a ", " a "),
        ("\ufb01", "\ufb01"),
        ("", None),
        ("a\tb", None),
    ],
)
def test_passwords(typed: str, prepared: str | None) -> None:
    """Neither case nor width is folded: they make a password stronger."""
    assert prepare_password(typed) == prepared


@pytest.mark.parametrize(
    ("typed", "prepared", "tried"),
    [
        ("alice", "alice", ("alice",)),
        ("Alice", "alice", ("Alice", "alice")),
        ("a\tb", None, ("a\tb",)),
    ],
)
def test_spellings(typed: str, prepared: str | None, tried: tuple[str, ...]) -> None:
    assert spellings(typed, prepared) == tried
