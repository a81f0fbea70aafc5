"""Read a document into Structs, and report all problems in it, not only the first.

The types define the valid values: `msgspec.Meta` has bounds, patterns and a description. Its
`extra` may have a `rule` (a predicate) and `secret` (the value is never shown).
"""

import difflib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, TypeVar, get_args, get_origin

import msgspec
from msgspec import UNSET, UnsetType, inspect

Finding = tuple[str, str, str]
"""A problem: the path of a field in its Struct, what is wrong, and what would be right."""

Rules = Mapping[type, Callable[[Any], Iterator[Finding]]]
"""For the type of a Struct: the rules that compare several of its fields."""

SHOWN_CHARACTERS = 80
"""A longer wrong value is cut, so that the rest of the line stays visible."""

S = TypeVar("S", bound=msgspec.Struct)


class StringValue(str):
    """A value from a source that has only strings: "9000" is a number, "a, b" is a list."""

    __slots__ = ()


class Reading:
    """The reading of a document. `problems` has at most a line for each path.

    `places`: the paths of all settings, to suggest the right table for a misplaced key.
    `source`: the document's name in each problem. `origins`: the source of the values that are
    not from the document, by path.
    """

    def __init__(
        self, rules: Rules, places: Sequence[str], source: str, origins: Mapping[str, str]
    ) -> None:
        self.problems: dict[str, str] = {}
        self._rules = rules
        self._places = places
        self._source = source
        self._origins = origins

    def refuse(self, path: str, wrong: str, right: str) -> None:
        """Record a problem: what is wrong with the value at `path`, and what would be right."""
        origin = self._origins.get(path.partition("[")[0], self._source)
        line = f"{path}: {wrong}; {right}"
        self.problems.setdefault(path, f"{origin}: {line}" if origin else line)

    def struct(self, kind: type[S], table: object, path: str = "") -> S | UnsetType:
        """Read a table. Return UNSET if a field without a default is missing or wrong.

        If there are problems, use the result only to look for more of them: a wrong field has
        its default there.
        """
        if not isinstance(table, Mapping):
            self.refuse(path, f"got {shown(table)}", "expected a table")
            return UNSET
        before = len(self.problems)
        self._unknown_keys(kind, table, path)
        values: dict[str, Any] = {}
        complete = True
        for field in _fields(kind):
            if field.name not in table and not field.required:
                continue
            value = self._field(field, table, join(path, field.name))
            if value is not UNSET:
                values[field.name] = value
            complete = complete and not (field.required and value is UNSET)
        if not complete:
            return UNSET
        struct = kind(**values)
        # Compare fields to each other only if each is valid by itself. The outermost table is an
        # exception, because it holds everything: its rules see defaults in place of wrong values.
        if len(self.problems) == before or not path:
            for name, wrong, right in self._rules.get(kind, _no_rules)(struct):
                self.refuse(f"{path}.{name}" if path else name, wrong, f"expected {right}")
        return struct

    def _field(
        self, field: msgspec.structs.FieldInfo, table: Mapping[str, object], path: str
    ) -> object:
        if field.name in table:
            return self._value(field.type, table[field.name], path)
        if field.required:
            self.refuse(path, "missing", f"expected {expected(field.type)}")
        return UNSET

    def _value(self, kind: Any, raw: object, path: str) -> object:  # noqa: ANN401 - a type form
        if nested := struct_in(kind):
            return self.struct(nested, raw, path)
        if get_origin(kind) is tuple:
            return self._list(get_args(kind)[0], raw, path)
        if is_table(kind):
            return self._table(kind, raw, path)
        if table := table_beside(kind):
            if isinstance(raw, Mapping):
                return self._table(table, raw, path)
            kind = get_args(kind)[0]
        try:
            # msgspec, unlike Python, does not accept a bool as an int.
            value = msgspec.convert(
                str(raw) if isinstance(raw, StringValue) else raw,
                kind,
                strict=not isinstance(raw, StringValue),
            )
        except (msgspec.ValidationError, UnicodeEncodeError):
            # A variable of the environment may hold bytes that are not UTF-8.
            value = UNSET
        extra = _extra(kind)
        if value is UNSET or ("rule" in extra and value is not None and not extra["rule"](value)):
            value = UNSET
            got = "a value that is not shown here" if "secret" in extra else shown(raw)
            self.refuse(path, f"got {got}", f"expected {expected(kind)}")
        return value

    def _list(self, kind: Any, raw: object, path: str) -> object:  # noqa: ANN401 - a type form
        if isinstance(raw, StringValue):
            raw = [StringValue(part.strip()) for part in raw.split(",")]
        elif isinstance(raw, str):
            raw = [raw]  # a single text stands for a list with that text
        if not isinstance(raw, Sequence):
            self.refuse(path, f"got {shown(raw)}", "expected a list")
            return UNSET
        items = [self._value(kind, item, f"{path}[{i}]") for i, item in enumerate(raw)]
        return UNSET if UNSET in items else tuple(items)

    def _table(self, kind: Any, raw: object, path: str) -> object:  # noqa: ANN401 - a type form
        key_kind, value_kind = get_args(kind)
        if not isinstance(raw, Mapping):
            self.refuse(path, f"got {shown(raw)}", "expected a table")
            return UNSET
        pairs = [
            (self._value(key_kind, key, at), self._value(value_kind, value, at))
            for key, value in raw.items()
            for at in [join(path, key)]
        ]
        return UNSET if any(UNSET in pair for pair in pairs) else dict(pairs)

    def _unknown_keys(
        self, kind: type[msgspec.Struct], table: Mapping[str, object], path: str
    ) -> None:
        known = kind.__struct_fields__
        for key in table:
            if key not in known:
                self.refuse(join(path, key), "unknown key", suggestion(key, known, self._places))


def suggestion(key: str, known: Sequence[str], places: Sequence[str] = ()) -> str:
    """Suggest the setting or the `known` name that `key` may mean, or list the known names."""
    if homes := [place for place in places if place.rpartition(".")[2] == key]:
        return f"did you mean the setting {' or '.join(homes)}?"
    # Compare only the beginning of a long name: the comparison takes quadratic time.
    near = difflib.get_close_matches(key[:100], known, n=1)
    return f'did you mean "{near[0]}"?' if near else f"expected one of {', '.join(known)}"


def join(path: str, key: str) -> str:
    """Return the path of `key` in the table at `path`."""
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,100}", key):
        key = shown(key)
    return f"{path}.{key}" if path else key


def shown(value: object) -> str:
    """Format a value on a single line, shortened, without the password of a URL."""
    if isinstance(value, Mapping):
        return "a table"
    if isinstance(value, str):
        bare = re.sub(r"//[^/]*@", "//***@", value)
        bare = bare if len(bare) <= SHOWN_CHARACTERS else f"{bare[: SHOWN_CHARACTERS - 3]}..."
        return json.dumps(bare, ensure_ascii=not bare.isprintable())
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int) and value.bit_length() > 64:  # noqa: PLR2004 - as it says
        return "a number of more than 64 bits"
    return "a list" if isinstance(value, Sequence) else str(value)


# What the types say does not change, and costs three times as much as the reading itself.


@cache
def _fields(kind: type[msgspec.Struct]) -> tuple[msgspec.structs.FieldInfo, ...]:
    return msgspec.structs.fields(kind)


def struct_in(kind: Any) -> type[msgspec.Struct] | None:  # noqa: ANN401 - a type form
    """Return the Struct in `Server` or `UserCodeFormat | None`, but None for a tuple of Structs."""
    if get_origin(kind) is tuple:
        return None
    for part in (kind, *get_args(kind)):
        if isinstance(part, type) and issubclass(part, msgspec.Struct):
            return part
    return None


def is_table(kind: Any) -> bool:  # noqa: ANN401 - a type form
    """Return whether the values of a type are tables, such as those of `Mapping[str, int]`."""
    return get_origin(kind) in {dict, Mapping}


def table_beside(kind: Any) -> Any:  # noqa: ANN401 - a type form
    """Return the table in `str | dict[str, str]`, None for a type that is only one of the two."""
    return next(filter(is_table, get_args(kind)[1:]), None)


def expected(kind: Any) -> str:  # noqa: ANN401 - a type form
    """Describe the valid values of a type in words."""
    return _words(inspect.type_info(kind))


def _words(info: inspect.Type) -> str:
    match info:
        case inspect.Metadata(extra_json_schema={"description": str(description)}):
            words = description
        case inspect.Metadata(type=plain) | inspect.UnionType(types=(plain, *_)):
            words = _words(plain)
        case inspect.IntType(ge=low, le=high):
            words = f"a whole number from {low} to {high}" if low is not None else "a whole number"
        case inspect.BoolType():
            words = "true or false"
        case inspect.LiteralType(values=values):
            words = "one of " + ", ".join(f'"{value}"' for value in values)
        case _:
            words = "a text"
    return words


def is_valid(kind: Any, value: object) -> bool:  # noqa: ANN401 - a type form
    """Return whether one value has the type `kind`, and keeps its rule."""
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError:
        return False
    rule = _extra(kind).get("rule")
    return rule is None or value is None or bool(rule(value))


@cache
def _extra(kind: Any) -> Mapping[str, Any]:  # noqa: ANN401 - a type form
    info = inspect.type_info(kind)
    if isinstance(info, inspect.UnionType):
        info = info.types[0]
    return (info.extra or {}) if isinstance(info, inspect.Metadata) else {}


def _no_rules(_: object) -> Iterator[Finding]:
    return iter(())
