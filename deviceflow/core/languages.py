"""Which of the offered languages a person reads best.

Languages are tags such as `de`, `pt-BR` and `zh-Hans` (RFC 5646), compared without regard to case.
"""

import re
from collections.abc import Iterable, Sequence

MOST_RANGES = 32
"""Further ranges of one list are ignored: no person reads so many languages."""

_RANGE = re.compile(r"\*|[A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*")
_WEIGHT = re.compile(r"[qQ]=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)")
_ANY = "*"


def lookup(ranges: Iterable[str], offered: Sequence[str]) -> str | None:
    """Return the offered tag that fits `ranges` best, or None (RFC 4647 3.4).

    `ranges`: the best first. A range that fits nothing loses its subtags one by one, from the end:
    `de-AT` finds `de`. A range of a language alone also finds the first offered tag of that
    language: `zh` finds `zh-Hans`, and so does `zh-CN`.
    """
    tags = {_base(tag): tag for tag in reversed(offered)} | {tag.lower(): tag for tag in offered}
    for each in ranges:
        subtags = each.lower().split("-")
        while subtags:
            if tag := tags.get("-".join(subtags)):
                return tag
            subtags.pop()
            # A single letter says what the next subtag is, and means nothing at the end.
            while subtags and len(subtags[-1]) == 1:
                subtags.pop()
    return None


def accepted(header: str, offered: Sequence[str], default: str) -> str | None:
    """Return the tag that an `Accept-Language` (RFC 9110 12.5.4) asks for, or None.

    `default`: the tag that `*` stands for, unless the header excludes it. An element that is
    malformed is ignored.
    """
    weighted = _weighted(header)
    refused = {tag for each, weight in weighted if not weight for tag in _exactly(each, offered)}
    left = [tag for tag in offered if tag not in refused]
    for each, weight in sorted(weighted, key=lambda pair: -pair[1]):
        if not weight:
            return None
        if each == _ANY and left:
            return default if default in left else left[0]
        if (tag := lookup([each], left)) is not None:
            return tag
    return None


def is_accepted(header: str, tag: str) -> bool:
    """Return whether an `Accept-Language` names the language of `tag`, with or without a region."""
    return any(weight and _base(each) == _base(tag) for each, weight in _weighted(header))


def listed(text: str) -> list[str]:
    """Return the ranges of a list with spaces, such as `ui_locales` (OpenID Connect Core 3.1.2.1).

    What is no range is left out, and so is `*`.
    """
    parts = text[:1_024].split(" ")[:MOST_RANGES]
    return [part for part in parts if part != _ANY and _RANGE.fullmatch(part)]


def _weighted(header: str) -> list[tuple[str, float]]:
    """List the ranges of a header, each with its weight from 0 to 1; 1 if it has none."""
    found = []
    for element in header.split(",")[:MOST_RANGES]:
        each, *parameters = (part.strip(" \t") for part in element.split(";"))
        weight = _WEIGHT.fullmatch(parameters[0]) if len(parameters) == 1 else None
        if _RANGE.fullmatch(each) and (weight or not parameters):
            found.append((each, float(weight[1]) if weight else 1.0))
    return found


def _exactly(each: str, offered: Sequence[str]) -> list[str]:
    """List the offered tags that a range with weight 0 excludes: itself, and what begins with it.

    That is how RFC 4647 3.3.1 filters.
    """
    start = each.lower()
    return [tag for tag in offered if f"{tag.lower()}-".startswith(f"{start}-")]


def _base(tag: str) -> str:
    return tag.lower().partition("-")[0]
