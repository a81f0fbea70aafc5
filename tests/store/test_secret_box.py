"""Secrets that are needed again, encrypted."""

from hypothesis import given
from hypothesis import strategies as st

from deviceflow.store.secret_box import decrypt, encrypt

KEY, OTHER = b"k" * 32, b"o" * 32


@given(secret=st.binary(), context=st.text(st.characters(codec="utf-8")))
def test_a_secret_comes_back_in_its_context_only(secret: bytes, context: str) -> None:
    encrypted = encrypt(KEY, secret, context)
    assert decrypt(KEY, encrypted, context) == secret
    assert decrypt(KEY, encrypted, f"{context}x") is None
    assert decrypt(OTHER, encrypted, context) is None
    assert encrypt(KEY, secret, context) != encrypted


@given(encrypted=st.binary(max_size=80))
def test_anything_else_is_refused(encrypted: bytes) -> None:
    assert decrypt(KEY, encrypted, "") is None


def test_a_changed_byte_is_noticed() -> None:
    encrypted = encrypt(KEY, b"secret", "ada")
    for place in range(len(encrypted)):
        changed = bytearray(encrypted)
        changed[place] ^= 1
        assert decrypt(KEY, bytes(changed), "ada") is None
