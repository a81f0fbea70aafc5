"""Reading documents into Structs, with all their problems."""

import datetime as dt
from collections.abc import Iterator
from typing import Annotated

import msgspec
import pytest
from msgspec import UNSET, Meta

from deviceflow.config.reading import (
    Finding,
    Reading,
    StringValue,
    expected,
    join,
    shown,
    suggestion,
)


class Wheel(msgspec.Struct, frozen=True, kw_only=True):
    """A Struct with a required field and a secret field."""

    spokes: Annotated[int, Meta(ge=3, le=40)]
    key: Annotated[str, Meta(description="a key", extra={"rule": str.isdigit, "secret": True})] = ""


class Cart(msgspec.Struct, frozen=True, kw_only=True):
    """A Struct with all kinds of fields, and a rule for two of them."""

    name: str = "cart"
    spare: Wheel | None = None
    wheels: tuple[Wheel, ...] = ()
    loads: tuple[int, ...] = ()
    least: int = 1
    most: int = 9


def cart_rules(cart: Cart) -> Iterator[Finding]:
    if cart.least > cart.most:
        yield "least", f"got {cart.least}", f"at most {cart.most}"


def reading(origins: dict[str, str] | None = None) -> Reading:
    return Reading({Cart: cart_rules}, ("name", "wheel.spokes"), "cart.toml", origins or {})


def test_a_right_document() -> None:
    it = reading()
    given = {"spare": {"spokes": 8}, "wheels": [{"spokes": 4, "key": "1"}], "loads": [1, 2]}
    assert it.struct(Cart, given) == Cart(
        spare=Wheel(spokes=8), wheels=(Wheel(spokes=4, key="1"),), loads=(1, 2)
    )
    assert it.problems == {}


def test_wrong_values_leave_their_defaults_and_all_are_told() -> None:
    it = reading({"loads": "LOADS"})
    given = {"name": 5, "loads": [1, "x"], "wheels": [{"spokes": 2}, {}], "most": 3, "least": 4}
    assert it.struct(Cart, given) == Cart(most=3, least=4)
    assert list(it.problems.values()) == [
        "cart.toml: name: got 5; expected a text",
        "cart.toml: wheels[0].spokes: got 2; expected a whole number from 3 to 40",
        "cart.toml: wheels[1].spokes: missing; expected a whole number from 3 to 40",
        'LOADS: loads[1]: got "x"; expected a whole number',
        "cart.toml: least: got 4; expected at most 3",
    ]


def test_below_the_top_values_are_compared_only_where_each_is_right() -> None:
    it = reading()
    it.struct(Cart, {"least": 10, "most": "x"}, "cart")
    assert list(it.problems) == ["cart.most"]
    it = reading()
    it.struct(Cart, {"least": 10}, "cart")
    assert list(it.problems) == ["cart.least"]


def test_without_what_is_required_there_is_nothing() -> None:
    assert reading().struct(Wheel, {}) is UNSET
    assert reading().struct(Wheel, {"spokes": "x"}) is UNSET
    assert reading().struct(Wheel, 5, "wheel") is UNSET


def test_a_path_has_one_problem() -> None:
    it = reading()
    it.refuse("name", "bad", "be good")
    it.refuse("name", "worse", "be better")
    assert it.problems == {"name": "cart.toml: name: bad; be good"}


def test_a_secret_is_checked_by_its_rule_and_not_shown() -> None:
    it = reading()
    it.struct(Wheel, {"spokes": 4, "key": "letmein"})
    assert list(it.problems.values()) == [
        "cart.toml: key: got a value that is not shown here; expected a key"
    ]


def test_text_is_read_as_what_the_type_says_and_other_strings_are_not() -> None:
    it = reading()
    cart = it.struct(
        Cart, {"name": StringValue("7"), "loads": StringValue("1, 2"), "most": StringValue("12")}
    )
    assert cart == Cart(name="7", loads=(1, 2), most=12)
    it.struct(Cart, {"most": "12"})
    assert list(it.problems) == ["most"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a", '"a"'),
        ("Gerät", '"Gerät"'),
        ("a\nb\u2028", '"a\\nb\\u2028"'),
        ("x" * 81, '"' + "x" * 77 + '..."'),
        ("redis://me:pw@host", '"redis://***@host"'),
        (True, "true"),
        (5, "5"),
        (-(2**70), "a number of more than 64 bits"),
        (1.5, "1.5"),
        ({"a": 1}, "a table"),
        ([1], "a list"),
        ((1,), "a list"),
        (dt.date(2026, 11, 23), "2026-11-23"),
    ],
)
def test_shown(value: object, text: str) -> None:
    assert shown(value) == text


def test_paths_stay_on_one_line() -> None:
    assert join("", "a") == "a"
    assert join("a", "b-c") == "a.b-c"
    assert join("a", "b\n.c") == 'a."b\\n.c"'


def test_suggestions() -> None:
    assert suggestion("nmae", ("name", "size")) == 'did you mean "name"?'
    assert suggestion("colour", ("name", "size")) == "expected one of name, size"
    assert suggestion("port", ("name",), ("a.port", "b.port", "a.export")) == (
        "did you mean the setting a.port or b.port?"
    )


def test_types_in_words() -> None:
    assert expected(bool) == "true or false"
    assert expected(Annotated[int, Meta(ge=1, le=5)] | None) == "a whole number from 1 to 5"
    assert expected(Annotated[str, Meta(description="a colour")] | None) == "a colour"
