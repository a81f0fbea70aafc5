"""Reading the answers of a server."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deviceflow.device.answers import (
    Reply,
    StillPending,
    Tokens,
    TooFast,
    check_revocation,
    printable,
    read_authorization,
    read_poll,
    read_refresh,
)
from deviceflow.device.errors import DeviceFlowError, MalformedAnswerError
from tests.stage.scripted import CODES, TOKENS

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=6,
)
names = st.sampled_from(["error", "error_description", "interval", *CODES, *TOKENS])
bodies = st.binary() | st.dictionaries(names, json_values).map(lambda d: json.dumps(d).encode())


def reply(body: object, status: int = 200) -> Reply:
    return Reply(status=status, body=json.dumps(body).encode())


@given(bodies, st.integers(100, 599))
def test_nothing_but_our_own_errors_comes_of_any_answer(body: bytes, status: int) -> None:
    for read in (read_authorization, read_poll, read_refresh, check_revocation):
        try:
            result: object = read(Reply(status=status, body=body))
        except DeviceFlowError as error:
            result = str(error)
        assert result or read is check_revocation


def test_numbers_may_be_strings_and_null_is_absent() -> None:
    codes = read_authorization(reply({**CODES, "expires_in": "600", "interval": None}))
    assert (codes.expires_in, codes.interval) == (600, 5)
    tokens = read_poll(reply({**TOKENS, "expires_in": "60", "refresh_token": None}))
    assert isinstance(tokens, Tokens)
    assert (tokens.expires_in, tokens.refresh_token) == (60, None)


def test_google_says_url() -> None:
    old = {k: v for k, v in CODES.items() if k != "verification_uri"}
    assert read_authorization(reply({**old, "verification_url": "https://g/"})).verification_uri


@pytest.mark.parametrize("wrong", [{"expires_in": 0}, {"expires_in": -1}, {"interval": -5}])
def test_times_below_zero_are_malformed(wrong: dict[str, int]) -> None:
    with pytest.raises(MalformedAnswerError, match="below zero"):
        read_authorization(reply({**CODES, **wrong}))


def test_an_interval_that_is_no_number_is_left_out() -> None:
    answer = read_poll(reply({"error": "slow_down", "interval": "soon"}, 400))
    assert answer == TooFast(interval=None, retry_after=None)


def test_pending_with_the_status_200_is_pending() -> None:
    """GitHub does this."""
    assert read_poll(reply({"error": "authorization_pending"})) == StillPending(held=False)


def test_the_servers_own_answer_member_is_no_special_case() -> None:
    tokens = read_poll(reply({**TOKENS, "answer": 42}))
    assert isinstance(tokens, Tokens)
    assert tokens.answer == {**TOKENS, "answer": 42}


def test_printable_takes_the_terminals_orders_out() -> None:
    assert printable("a\x1b]0;t\x07b\u202ec\nd") == "a ]0;t b c d"


def test_a_byte_order_mark_is_ignored() -> None:
    marked = Reply(status=200, body=b"\xef\xbb\xbf" + json.dumps(TOKENS).encode())
    assert isinstance(read_poll(marked), Tokens)


def test_a_list_of_scopes_is_a_scope() -> None:
    """Twitch does this."""
    assert read_refresh(reply({**TOKENS, "scope": ["a", "b"]})).scope == "a b"


def test_the_body_of_a_reply_is_not_shown() -> None:
    assert str(TOKENS["access_token"]) not in f"{reply(TOKENS)!r} {reply(TOKENS)}"
