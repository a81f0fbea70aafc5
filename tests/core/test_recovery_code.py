"""Recovery codes, as they are shown and as people type them."""

import secrets

from hypothesis import given
from hypothesis import strategies as st

from deviceflow.core.recovery_code import LENGTH, NUMBER, new_codes, read


def test_codes_are_shown_in_groups_and_read_in_any_way() -> None:
    codes = new_codes(secrets.choice)
    assert len(set(codes)) == NUMBER
    for code in codes:
        letters = code.replace("-", "")
        assert len(letters) == LENGTH
        dashes = [code.replace("-", dash) for dash in (" ", "\u2013", "")]
        for typed in (code, code.lower(), *dashes):
            assert read(typed) == letters


@given(typed=st.text())
def test_any_text_is_read_or_refused(typed: str) -> None:
    found = read(typed)
    assert found is None or len(found) == LENGTH
