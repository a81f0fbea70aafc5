"""Answers of HTTP/1.1, from bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deviceflow.device.transport import MAX_BODY_BYTES
from deviceflow.fleet.http import MAX_HEAD_BYTES, AnswerReader, MalformedHttpError

PENDING = b'{"error":"authorization_pending"}'
PLAIN = (
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nRetry-After: 7\r\n"
    b"Preference-Applied: wait=5\r\nContent-Length: %d\r\n\r\n%s" % (len(PENDING), PENDING)
)
CHUNKED = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    b"5;x=y\r\nhello\r\n1\r\n!\r\n0\r\nTrailer: 1\r\n\r\n"
)
INTERIM = b"HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n"
MANY_INTERIM = 3000
EMPTY = b"HTTP/1.1 204 No Content\r\n\r\n"
WHOLE = [PLAIN, CHUNKED, INTERIM + PLAIN, EMPTY]


@pytest.mark.parametrize("data", WHOLE, ids=["plain", "chunked", "interim", "empty"])
def test_an_answer_is_complete_with_its_last_byte(data: bytes) -> None:
    reader = AnswerReader()
    assert all(reader.read(data[:end]) is None for end in range(len(data)))
    answer = reader.read(data + b"more")
    assert answer is not None
    assert answer.size == len(data)


def test_the_parts_that_matter() -> None:
    answer = AnswerReader().read(PLAIN)
    assert answer is not None
    reply = answer.reply
    assert (reply.status, reply.body, reply.retry_after, reply.held) == (400, PENDING, 7.0, True)
    assert not answer.closes


def test_chunks_are_joined() -> None:
    answer = AnswerReader().read(CHUNKED)
    assert answer is not None
    assert (answer.reply.body, answer.closes) == (b"hello!", True)


def test_a_body_without_a_length_ends_with_the_connection() -> None:
    data = b"HTTP/1.0 302 Found\r\nLocation: https://elsewhere.example/x?code=1\r\n\r\n<html>"
    assert AnswerReader().read(data) is None
    answer = AnswerReader().read(data, at_end=True)
    assert answer is not None
    assert (answer.reply.body, answer.closes) == (b"<html>", True)
    assert answer.reply.redirect == "https://elsewhere.example"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"SSH-2.0-OpenSSH_9\r\n\r\n", "no answer of HTTP/1.1"),
        (b"HTTP/1.1 abc Oh\r\n\r\n", "no answer of HTTP/1.1"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "a length"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n", "a length"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", "a chunk"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nabc\r\n", "too long"),
        (b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (MAX_BODY_BYTES + 1), "too long"),
        (b"x" * (MAX_HEAD_BYTES + 1), "headers without an end"),
    ],
)
def test_what_is_no_answer(data: bytes, reason: str) -> None:
    with pytest.raises(MalformedHttpError, match=reason):
        AnswerReader().read(data)


def test_any_number_of_interim_answers_needs_no_deeper_stack() -> None:
    short = b"HTTP/1.1 102 Go\r\n\r\n"
    answer = AnswerReader().read(short * MANY_INTERIM + PLAIN)
    assert answer is not None
    assert (answer.reply.body, answer.size) == (PENDING, len(short) * MANY_INTERIM + len(PLAIN))
    with pytest.raises(MalformedHttpError, match="interim answers without an end"):
        AnswerReader().read(short * 2 * MANY_INTERIM)


@given(st.binary(max_size=60), st.sampled_from([b"", *WHOLE]), st.booleans())
def test_any_bytes_are_read_or_refused(junk: bytes, before: bytes, at_end: bool) -> None:  # noqa: FBT001
    reader = AnswerReader()
    for data in (before[:-5] + junk, b"HTTP/1.1 200 OK\r\n" + junk + b"\r\n\r\n" + junk):
        try:
            answer = reader.read(data, at_end=at_end)
        except MalformedHttpError as error:
            assert str(error)  # noqa: PT017, most are fine
        else:
            assert answer is None or answer.size <= len(data)
