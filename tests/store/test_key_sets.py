"""The keys of an installation as fields of a hash."""

import msgspec
import pytest

from deviceflow.store.envelope import NO_ENVELOPE, Envelope, EnvelopeError
from deviceflow.store.errors import RecordUnreadable
from deviceflow.store.key_sets import (
    are_sealed,
    key_fields_of,
    keys_in_fields,
    new_keys,
    new_set,
)

SEALING = Envelope(lambda: [bytes(32)])


def test_what_is_written_is_read() -> None:
    one = new_keys()
    two = msgspec.structs.replace(one, sets=(new_set(7), *one.sets))
    for keys in (one, two):
        for envelope in (NO_ENVELOPE, SEALING):
            fields = key_fields_of(keys, envelope)
            assert keys_in_fields(fields, envelope) == keys
            assert are_sealed(fields) is envelope.can_seal


def test_version_1_is_written_as_long_as_it_can_say_it() -> None:
    one = new_keys()
    two = msgspec.structs.replace(one, sets=(new_set(7), *one.sets))
    assert b"v" not in key_fields_of(one)
    assert key_fields_of(two)[b"v"] == b"2"
    assert key_fields_of(one, SEALING)[b"v"] == b"2"


def test_what_cannot_be_read() -> None:
    plain, sealed = key_fields_of(new_keys()), key_fields_of(new_keys(), SEALING)
    for damaged in (
        {},
        plain | {b"v": b"3"},
        {name: value for name, value in plain.items() if name != b"name_key"},
        sealed | {b"epoch": bytes(32)},
        sealed | {b"keys": b"{}"},
        sealed | {b"keys": b'{"a":' * 5000},
    ):
        with pytest.raises(RecordUnreadable) as raised:
            keys_in_fields(damaged, SEALING)
        assert not isinstance(raised.value, EnvelopeError)
    with pytest.raises(EnvelopeError):
        keys_in_fields(sealed, NO_ENVELOPE)
