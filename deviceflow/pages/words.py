"""Facts in words that people use: scopes, times, lifetimes, devices."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime

SCOPES = {
    "openid": "Know who you are",
    "profile": "See your name",
    "email": "See your e-mail address",
    "offline_access": "Stay signed in without asking you again",
}
"""Words for the scopes that everybody has, where the settings have none."""

_UNITS = ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))
_LONGEST_AGENT = 60
_SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Tizen", "Tizen"),
    ("Web0S", "webOS"),
    ("CrOS", "ChromeOS"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
)
_BROWSERS = (
    ("Edg/", "Edge"),
    ("Firefox/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)


def scopes_in_words(scope: str, configured: Mapping[str, str]) -> list[str]:
    """Say what each of the space-separated scopes allows; an unknown one is named as it is."""
    words = SCOPES | dict(configured)
    return [words.get(name, name) for name in scope.split()]


def lasting(seconds: int) -> str:
    """Say `seconds` in the largest unit that does not overstate them: `180 days`."""
    for size, unit in _UNITS:
        if seconds >= size:
            count = seconds // size
            return f"{count} {unit}" if count == 1 else f"{count} {unit}s"
    return "less than a second"


def ago(then: int, now: int) -> str:
    """Say how long ago `then` was; both in s."""
    seconds = now - then
    if seconds < 10:  # noqa: PLR2004, nobody counts these
        return "just now"
    return f"{lasting(seconds)} ago"


def at(then: int) -> str:
    """Say when `then` (s) was, in UTC: `5 Nov 2026, 14:03 UTC`."""
    moment = datetime.fromtimestamp(then, UTC)
    return f"{moment.day} {moment:%b %Y, %H:%M} UTC"


def device_in_words(user_agent: str) -> str:
    """Say what a device calls itself, in short; empty where it says nothing.

    It is a claim that anybody can make, cut to a length in which no story can be told.
    """
    text = user_agent.encode("utf-8", "replace").decode()
    text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    if not text.startswith("Mozilla/"):
        product = re.sub(r"/(?=\S)", " ", text.partition(" ")[0])
        return product[:_LONGEST_AGENT]
    system = next((name for mark, name in _SYSTEMS if mark in text), "")
    browser = next((name for mark, name in _BROWSERS if mark in text), "A browser")
    return f"{browser} on {system}" if system else browser


def iso(then: int) -> str:
    """Write `then` (s) for machines: `2026-11-05T14:03:20Z`."""
    return f"{datetime.fromtimestamp(then, UTC):%Y-%m-%dT%H:%M:%SZ}"
