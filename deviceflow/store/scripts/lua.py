"""The text of the scripts, for the functions of this package only.

In a text `{{TRANSITIONS}}` and `{{CLAIM_RULES}}` become the tables of core/grant.py.
"""

from collections.abc import Iterable
from functools import cache
from importlib.resources import files

from deviceflow.core.grant import CLAIM_RULES, TRANSITIONS


@cache
def source(name: str) -> str:
    """Return the text of `<name>.lua` with the tables in it."""
    text = files(__package__).joinpath(f"{name}.lua").read_text(encoding="utf-8")
    return text.replace("{{TRANSITIONS}}", _transitions()).replace(
        "{{CLAIM_RULES}}", _claim_rules()
    )


def _transitions() -> str:
    rows = (f"['{state}:{event}'] = '{after}'" for (state, event), after in TRANSITIONS.items())
    return _table(rows)


def _claim_rules() -> str:
    pairs = ((event, whose) for event, allowed in CLAIM_RULES.items() for whose in sorted(allowed))
    return _table(f"['{event}:{whose}'] = true" for event, whose in pairs)


def _table(rows: Iterable[str]) -> str:
    return "{ " + ", ".join(rows) + " }"
