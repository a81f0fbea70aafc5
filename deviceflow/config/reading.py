"""Reading a document into Structs, with everything that is wrong with it and not only the first.

The types say what a value must be: bounds, patterns and a description through `msgspec.Meta`,
and in its `extra` a `rule` (a predicate) and `secret` (the value is never shown).
"""

import difflib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar, get_args, get_origin

import msgspec
from msgspec import UNSET, UnsetType, inspect

Finding = tuple[str, str, str]
"""The path of a field below its Struct, what is wrong with it, and what would be right."""

Rules = Mapping[type, Callable[[Any], Iterator[Finding]]]
"""For a Struct's type: what its values must be to each other."""

SHOWN_CHARACTERS = 80
"""More of a wrong value would hide the rest of the line."""

S = TypeVar("S", bound=msgspec.Struct)


class StringValue(str):
    """A value from a source that knows only strings: "9000" is a number, "a, b" is a list."""

    __slots__ = ()


class Reading:
    """One document on its way into Structs. `problems` grows; a path has at most one.

    `places`: the paths of all settings, for a key that stands in the wrong table. `source`
    names the document in each problem; `origins` names the paths that came from elsewhere.
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
        """Note that the value at `path` is `wrong` (a phrase) and what would be right."""
        origin = self._origins.get(path.partition("[")[0], self._source)
        line = f"{path}: {wrong}; {right}"
        self.problems.setdefault(path, f"{origin}: {line}" if origin else line)

    def struct(self, kind: type[S], given: object, path: str = "") -> S | UnsetType:
        """Read a table. UNSET where a field without a default is missing or wrong.

        A wrong field with a default has its default in what is returned: good for looking for
        more problems, and for nothing else.
        """
        if not isinstance(given, Mapping):
            self.refuse(path, f"got {shown(given)}", "expected a table")
            return UNSET
        before = len(self.problems)
        self._unknown_keys(kind, given, path)
        values: dict[str, Any] = {}
        complete = True
        for field in msgspec.structs.fields(kind):
            value = self._field(field, given, join(path, field.name))
            if value is not UNSET:
                values[field.name] = value
            complete = complete and not (field.required and value is UNSET)
        if not complete:
            return UNSET
        read = kind(**values)
        # Values are compared to each other only where each is right by itself. The outermost
        # table has too many to wait for: its rules look at the defaults of what is wrong.
        if len(self.problems) == before or not path:
            for name, wrong, right in self._rules.get(kind, _no_rules)(read):
                self.refuse(f"{path}.{name}" if path else name, wrong, f"expected {right}")
        return read

    def _field(
        self, field: msgspec.structs.FieldInfo, given: Mapping[str, object], path: str
    ) -> object:
        if field.name in given:
            return self._value(field.type, given[field.name], path)
        if field.required:
            self.refuse(path, "missing", f"expected {expected(field.type)}")
        return UNSET

    def _value(self, kind: Any, given: object, path: str) -> object:  # noqa: ANN401 - a type form
        if nested := struct_in(kind):
            return self.struct(nested, given, path)
        if get_origin(kind) is tuple:
            return self._list(get_args(kind)[0], given, path)
        if get_origin(kind) is dict:
            return self._table(kind, given, path)
        try:
            # A bool is an int to Python, but not to msgspec.
            value = msgspec.convert(
                str(given) if isinstance(given, StringValue) else given,
                kind,
                strict=not isinstance(given, StringValue),
            )
        except msgspec.ValidationError:
            value = UNSET
        extra = _extra(kind)
        if value is UNSET or ("rule" in extra and value is not None and not extra["rule"](value)):
            value = UNSET
            got = "a value that is not shown here" if "secret" in extra else shown(given)
            self.refuse(path, f"got {got}", f"expected {expected(kind)}")
        return value

    def _list(self, kind: Any, given: object, path: str) -> object:  # noqa: ANN401 - a type form
        if isinstance(given, StringValue):
            given = [StringValue(part.strip()) for part in given.split(",")]
        elif isinstance(given, str):
            given = [given]  # one text is a list of one
        if not isinstance(given, Sequence):
            self.refuse(path, f"got {shown(given)}", "expected a list")
            return UNSET
        items = [self._value(kind, item, f"{path}[{i}]") for i, item in enumerate(given)]
        return UNSET if UNSET in items else tuple(items)

    def _table(self, kind: Any, given: object, path: str) -> object:  # noqa: ANN401 - a type form
        key_kind, value_kind = get_args(kind)
        if not isinstance(given, Mapping):
            self.refuse(path, f"got {shown(given)}", "expected a table")
            return UNSET
        pairs = [
            (self._value(key_kind, key, at), self._value(value_kind, value, at))
            for key, value in given.items()
            for at in [join(path, key)]
        ]
        return UNSET if any(UNSET in pair for pair in pairs) else dict(pairs)

    def _unknown_keys(
        self, kind: type[msgspec.Struct], given: Mapping[str, object], path: str
    ) -> None:
        known = kind.__struct_fields__
        for key in given:
            if key not in known:
                self.refuse(join(path, key), "unknown key", suggestion(key, known, self._places))


def suggestion(key: str, known: Sequence[str], places: Sequence[str] = ()) -> str:
    """Say which of the `known` names or which other place was meant, or which names there are."""
    if homes := [place for place in places if place.rpartition(".")[2] == key]:
        return f"did you mean the setting {' or '.join(homes)}?"
    # Only the beginning of a long name is compared, for the comparison's time is quadratic.
    near = difflib.get_close_matches(key[:100], known, n=1)
    return f'did you mean "{near[0]}"?' if near else f"expected one of {', '.join(known)}"


def join(path: str, key: str) -> str:
    """Give the path of `key` in the table at `path`."""
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,100}", key):
        key = shown(key)
    return f"{path}.{key}" if path else key


def shown(value: object) -> str:
    """Write a value on one line, shortened, without the password of a URL."""
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


def struct_in(kind: Any) -> type[msgspec.Struct] | None:  # noqa: ANN401 - a type form
    """Find the Struct in `Server` and in `UserCodeFormat | None`, but not in a tuple of Structs."""
    if get_origin(kind) is tuple:
        return None
    for part in (kind, *get_args(kind)):
        if isinstance(part, type) and issubclass(part, msgspec.Struct):
            return part
    return None


def expected(kind: Any) -> str:  # noqa: ANN401 - a type form
    """Say in words what a value of a type is."""
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


def _extra(kind: Any) -> Mapping[str, Any]:  # noqa: ANN401 - a type form
    info = inspect.type_info(kind)
    if isinstance(info, inspect.UnionType):
        info = info.types[0]
    return (info.extra or {}) if isinstance(info, inspect.Metadata) else {}


def _no_rules(_: object) -> Iterator[Finding]:
    return iter(())
