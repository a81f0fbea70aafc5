"""How the functions hand values to a script."""

from collections.abc import Mapping

from deviceflow.store.shapes import Value


def flat(fields: Mapping[str, Value]) -> list[Value]:
    """Return fields and values in turns, as HSET takes them."""
    return [part for pair in fields.items() for part in pair]
