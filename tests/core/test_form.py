"""Forms, read strictly (RFC 6749 3.2, appendix B)."""

from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deviceflow.core.form import MAX_FIELDS, FormError, decode_component, parse_form

texts = st.text(st.characters(codec="utf-8"), max_size=20)


@given(st.dictionaries(texts.filter(bool), texts, max_size=MAX_FIELDS))
def test_what_a_client_encodes_is_what_is_read(fields: dict[str, str]) -> None:
    """8628-3.1-b: an empty parameter counts as omitted."""
    expected = {name: value for name, value in fields.items() if value}
    assert parse_form(urlencode(fields).encode()).fields == expected


@given(st.binary(max_size=200))
def test_any_body_is_read_or_refused(body: bytes) -> None:
    try:
        fields, _ = parse_form(body)
    except FormError as error:
        assert str(error)  # noqa: PT017, both outcomes are right
    else:
        assert all(fields.values())


@pytest.mark.parametrize("body", [b"", b"&", b"&&&", b"scope=", b"scope", b"scope&x=&"])
def test_an_empty_parameter_counts_as_omitted(body: bytes) -> None:
    """8628-3.1-b."""
    assert parse_form(body) == ({}, {})


@pytest.mark.parametrize(
    "body",
    [
        b"client_id=a&client_id=b",
        b"client_id=a&client_id=a",
        b"client_id=a&client_id=",
        b"client_id=&client_id=",
        b"client_id=a&client%5Fid=b",
        b"a+b=1&a%20b=2",
    ],
)
def test_a_parameter_given_twice_is_refused(body: bytes) -> None:
    """8628-3.1-d: also if its name is encoded in another way."""
    with pytest.raises(FormError, match="more than once"):
        parse_form(body)


@pytest.mark.parametrize("raw", [b"%", b"%4", b"%G0", b"a%2", b"%%41", b"%-1", b"% 1"])
def test_a_broken_escape_is_refused(raw: bytes) -> None:
    for body in (b"a=" + raw, raw + b"=a"):
        with pytest.raises(FormError, match="percent-encoding"):
            parse_form(body)


@pytest.mark.parametrize("raw", [b"\xff", b"%FF", b"%C3", b"%C0%AF", b"%ED%A0%80", b"a%E2%82"])
def test_what_is_not_utf_8_is_refused(raw: bytes) -> None:
    for body in (b"a=" + raw, raw + b"=a"):
        with pytest.raises(FormError, match="UTF-8"):
            parse_form(body)
    with pytest.raises(FormError, match="UTF-8"):
        decode_component(raw)


@pytest.mark.parametrize(
    ("body", "values"),
    [
        (b"r=a&r=b&r=a", ["a", "b", "a"]),
        (b"r=a+b", ["a b"]),
        (b"r=%20", [" "]),
        (b"r=&r=a&r", ["a"]),
        (b"r=", []),
    ],
)
def test_one_that_may_be_given_several_times(body: bytes, values: list[str]) -> None:
    """8707-2-a, 8628-3.1-b: a value is never split, and an empty value is left out."""
    assert parse_form(b"x=1&" + body, {"r"}) == ({"x": "1"}, {"r": values})


def test_too_many_fields_are_refused() -> None:
    most = b"&".join(b"f%d=1" % number for number in range(MAX_FIELDS))
    assert len(parse_form(most).fields) == MAX_FIELDS
    assert len(parse_form(most + b"&&").fields) == MAX_FIELDS
    with pytest.raises(FormError, match="too many"):
        parse_form(most + b"&more=1")
    with pytest.raises(FormError, match="too many"):
        parse_form(b"&".join([b"r=1"] * (MAX_FIELDS + 1)), {"r"})


def test_only_the_first_equals_sign_parts_name_and_value() -> None:
    assert parse_form(b"a=b=c&d==").fields == {"a": "b=c", "d": "="}


def test_a_plus_is_a_space_and_an_escaped_plus_is_a_plus() -> None:
    """6749-2.3.1-a: the encoding of Basic credentials."""
    assert parse_form(b"s=a+b%2Bc%20d%3A%25").fields == {"s": "a b+c d:%"}
    assert decode_component(b"%25%3A%2B+%C3%A9") == "%:+ é"


def test_an_error_does_not_repeat_what_was_sent() -> None:
    """6749-5.2-c."""
    for body in (b"hunter2=%", b"hunter2=\xff", b"hunter2=1&hunter2=2"):
        with pytest.raises(FormError) as refused:
            parse_form(body)
        assert "hunter2" not in str(refused.value)
