"""Lines that are chained by hash."""

import hashlib
import json

from deviceflow.audit.chain import Chain, read_line
from deviceflow.audit.events import AuditLine
from deviceflow.core import base64url

LINE = AuditLine(time="2026-11-27T00:00:00.000Z", event="grant.approved", sub="ada")


def test_each_line_has_the_hash_of_the_one_before() -> None:
    """The rule of docs/operations/audit.md, computed without this package's own functions."""
    chain = Chain("1-2-abc")
    first, second = chain.add(LINE), chain.add(LINE)
    body, _, end = first.rpartition(b',"hash":"')
    assert end[43:] == b'"}\n'
    assert base64url.encode(hashlib.sha256(body).digest()).encode() == end[:43]
    members = json.loads(second)
    assert members["previous"] == json.loads(first)["hash"]
    assert (members["chain"], members["sequence"], members["sub"]) == ("1-2-abc", 2, "ada")
    assert "previous" not in json.loads(first)


def test_what_was_written_is_read() -> None:
    text = Chain("c").add(LINE).removesuffix(b"\n")
    read = read_line(text)
    assert read is not None
    assert read.is_sound
    assert str(read.place) == "c:1"
    assert read.line.sub == "ada"


def test_each_changed_byte_shows() -> None:
    text = Chain("c").add(LINE).removesuffix(b"\n")
    for i in range(len(text)):
        changed = text[:i] + bytes([text[i] ^ 1]) + text[i + 1 :]
        read = read_line(changed)
        assert read is None or not read.is_sound, i


def test_what_is_no_line() -> None:
    text = Chain("c").add(LINE).removesuffix(b"\n")
    end = text[-53:]
    for other in (
        b"",
        b"{}",
        text[:-1],
        text + b" ",
        b"no" + end,
        b"\xff" + end,
        b"[" * 9999 + end,
    ):
        assert read_line(other) is None, other


def test_a_member_of_a_later_version_is_covered_and_ignored() -> None:
    body = b'{"time":"t","event":"grant.new","later":1,"chain":"c","sequence":1'
    digest = base64url.encode(hashlib.sha256(body).digest()).encode()
    read = read_line(body + b',"hash":"' + digest + b'"}')
    assert read is not None
    assert read.is_sound
    assert read.line.event == "grant.new"
