"""Facts in words that people use: scopes, times, lifetimes, devices."""

from collections.abc import Mapping
from datetime import UTC, datetime

from babel.dates import format_datetime

from deviceflow.core.device_description import DeviceDescription
from deviceflow.pages.texts import LANGUAGE, gettext, ngettext

_DAY_S = 86_400
_HOUR_S = 3_600
_MINUTE_S = 60
_SHORT_S = 10


def scopes_in_words(scope: str, meanings: Mapping[str, str]) -> list[str]:
    """Say what each of the space-separated scopes allows; an unknown one is named as it is."""
    return [meanings.get(name, name) for name in scope.split()]


def lasting(seconds: int) -> str:
    """Say `seconds` in the largest unit that does not overstate them: `180 days`."""
    if seconds >= _DAY_S:
        return ngettext("words.day", "words.days", seconds // _DAY_S)
    if seconds >= _HOUR_S:
        return ngettext("words.hour", "words.hours", seconds // _HOUR_S)
    if seconds >= _MINUTE_S:
        return ngettext("words.minute", "words.minutes", seconds // _MINUTE_S)
    if seconds >= 1:
        return ngettext("words.second", "words.seconds", seconds)
    return gettext("words.under_a_second")


def ago(then: int, now: int) -> str:
    """Say how long ago `then` was; both in s."""
    seconds = now - then
    if seconds < _SHORT_S:
        return gettext("words.just_now")
    return gettext("words.ago", time=lasting(seconds))


def at(then: int) -> str:
    """Say when `then` (s) was, in UTC: `5 Nov 2026, 14:03 UTC`."""
    moment = datetime.fromtimestamp(then, UTC)
    return format_datetime(moment, gettext("words.moment"), locale=LANGUAGE)


def on(then: int) -> str:
    """Say on which day `then` (s) is, in UTC: `25 May 2027`."""
    moment = datetime.fromtimestamp(then, UTC)
    return format_datetime(moment, gettext("words.day_of_year"), locale=LANGUAGE)


def near(city: str, country: str) -> str:
    """Say about where something is; `city` is empty if only the country is known."""
    if not city or city == country:
        return gettext("words.in_country", country=country)
    return gettext("words.near_city", city=city, country=country)


def device_in_words(stored: str) -> str:
    """Say what a device calls itself, from a stored description; empty if it says nothing."""
    product, system = DeviceDescription.of(stored)
    if product and system:
        return gettext("words.product_on", product=product, system=system)
    return product or system


def iso(then: int) -> str:
    """Write `then` (s) for machines: `2026-11-05T14:03:20Z`."""
    return f"{datetime.fromtimestamp(then, UTC):%Y-%m-%dT%H:%M:%SZ}"
