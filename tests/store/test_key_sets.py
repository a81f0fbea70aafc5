"""The keys of an installation as fields of a hash."""

import msgspec
import pytest

from deviceflow.store.envelope import NO_ENVELOPE, Envelope, EnvelopeError
from deviceflow.store.errors import RecordUnreadable
from deviceflow.store.key_sets import are_sealed, new_keys, new_set, read_fields, write_fields

SEALING = Envelope(lambda: [bytes(32)])


def test_what_is_written_is_read() -> None:
    one = new_keys()
    two = msgspec.structs.replace(one, sets=(new_set(7), *one.sets))
    for keys in (one, two):
        for envelope in (NO_ENVELOPE, SEALING):
            fields = write_fields(keys, envelope)
            assert read_fields(fields, envelope) == keys
            assert are_sealed(fields) is envelope.can_seal


def test_version_1_is_written_as_long_as_it_can_say_it() -> None:
    one = new_keys()
    two = msgspec.structs.replace(one, sets=(new_set(7), *one.sets))
    assert b"v" not in write_fields(one)
    assert write_fields(two)[b"v"] == b"2"
    assert write_fields(one, SEALING)[b"v"] == b"2"


def test_what_cannot_be_read() -> None:
    plain, sealed = write_fields(new_keys()), write_fields(new_keys(), SEALING)
    for damaged in (
        {},
        plain | {b"v": b"3"},
        {name: value for name, value in plain.items() if name != b"name_key"},
        sealed | {b"epoch": bytes(32)},
        sealed | {b"keys": b"{}"},
    ):
        with pytest.raises(RecordUnreadable) as raised:
            read_fields(damaged, SEALING)
        assert not isinstance(raised.value, EnvelopeError)
    with pytest.raises(EnvelopeError):
        read_fields(sealed, NO_ENVELOPE)
