"""The Lua scripts and their loading.

A script is one file; `{{TRANSITIONS}}` in it becomes the grant's table (core/grant.py) and
`{{NEEDS_CLAIM}}` the events that need a claim, so the rule has one home.
"""

from importlib.resources import files

from deviceflow.core.grant import NEEDS_CLAIM, TRANSITIONS


def load(name: str) -> str:
    """The text of script `name`, rendered."""
    text = files(__package__).joinpath(f"{name}.lua").read_text(encoding="utf-8")
    return text.replace("{{TRANSITIONS}}", _transitions()).replace("{{NEEDS_CLAIM}}", _claims())


def _transitions() -> str:
    rows = (f"['{state}:{event}'] = '{after}'" for (state, event), after in TRANSITIONS.items())
    return "{ " + ", ".join(rows) + " }"


def _claims() -> str:
    return "{ " + ", ".join(f"['{event}'] = true" for event in sorted(NEEDS_CLAIM)) + " }"
