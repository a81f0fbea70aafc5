"""The keys that a host keeps for a start without the store."""

from pathlib import Path

import msgspec
import pytest
from structlog.testing import capture_logs

from deviceflow.core.client import Client
from deviceflow.store.envelope import Envelope, EnvelopeError
from deviceflow.store.installation import Installation
from deviceflow.store.kept_keys import KEPT_KEYS_NAME, KeptKeys, keep, keep_new_keys, read_kept
from deviceflow.store.key_sets import key_fields_of, new_keys

RADIO = Client(client_id="radio", name="Radio", scopes=("profile",))
FIELDS = {
    name: bytes([number] * 32)
    for number, name in enumerate((b"epoch", b"device_code_key", b"name_key", b"challenge_key"))
}


def test_what_is_kept_is_read_again(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    keep(folder, KeptKeys(Installation(FIELDS), [RADIO]))
    kept = read_kept(folder)
    assert kept is not None
    assert kept.installation.fields() == FIELDS
    assert kept.clients == [RADIO]
    assert (folder / KEPT_KEYS_NAME).stat().st_mode & 0o777 == 0o600
    assert [path.name for path in folder.iterdir()] == [KEPT_KEYS_NAME], (
        "nothing half written is left"
    )


def test_a_device_code_of_before_is_known(tmp_path: Path) -> None:
    before = Installation(FIELDS)
    code = before.codes.seal(7, 2**31, 5, "tv").encode()
    keep(tmp_path, KeptKeys(before, []))
    kept = read_kept(tmp_path)
    assert kept is not None
    opened = kept.installation.codes.open(code, b"tv")
    assert opened is not None
    assert opened.grant_id == 7


@pytest.mark.parametrize(
    "data",
    [
        *(b"", b"{}", b'{"format": 2, "keys": {}, "clients": []}', b'{"keys": {}, "clients": []}'),
        *(b'{"\xff": 1}', b'{"a":' * 5000),
    ],
)
def test_a_file_that_is_no_good_counts_as_none(tmp_path: Path, data: bytes) -> None:
    (tmp_path / KEPT_KEYS_NAME).write_bytes(data)
    assert read_kept(tmp_path) is None


def test_there_is_no_file(tmp_path: Path) -> None:
    assert read_kept(tmp_path) is None


def test_sealed_keys_are_kept_sealed(tmp_path: Path) -> None:
    """Also those that were kept before they were sealed."""
    envelope = Envelope(lambda: [bytes(32)])
    keys = new_keys()
    keep(tmp_path, KeptKeys(Installation(key_fields_of(keys)), [RADIO]))
    plain = (tmp_path / KEPT_KEYS_NAME).read_bytes()
    secret = msgspec.json.encode(keys.sets[0].name).strip(b'"')
    assert secret in plain
    installation = Installation(key_fields_of(keys, envelope), envelope)
    keep_new_keys(tmp_path, installation)
    assert secret not in (tmp_path / KEPT_KEYS_NAME).read_bytes()
    kept = read_kept(tmp_path, envelope)
    assert kept is not None
    assert (kept.installation.keys, kept.clients) == (keys, [RADIO])
    with pytest.raises(EnvelopeError):
        read_kept(tmp_path)


def test_where_nothing_is_kept_new_keys_are_not_kept_either(tmp_path: Path) -> None:
    keep_new_keys(tmp_path, Installation(FIELDS))
    assert list(tmp_path.iterdir()) == []
    (tmp_path / KEPT_KEYS_NAME).write_text("{", "utf-8")
    with capture_logs() as logs:
        keep_new_keys(tmp_path, Installation(FIELDS))
    assert [line["event"] for line in logs] == ["keys.not_kept"]
