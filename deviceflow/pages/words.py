"""Facts in words that people use: scopes, times, lifetimes, devices."""

from collections.abc import Mapping
from datetime import UTC, datetime

from babel.dates import format_datetime

from deviceflow.config import Pages
from deviceflow.config.sections import DEFAULT_TITLE
from deviceflow.config.settings import DEFAULT_SCOPES
from deviceflow.config.values import Words
from deviceflow.core.device_description import DeviceDescription
from deviceflow.core.languages import lookup
from deviceflow.pages.texts import gettext, language, ngettext

_DAY_S = 86_400
_HOUR_S = 3_600
_MINUTE_S = 60
_SHORT_S = 10


def in_language(words: Words) -> str:
    """Return text of the settings in the language of the request, else the first that is there."""
    if isinstance(words, str):
        return words
    return words[lookup([language().tag], list(words)) or next(iter(words))]


def title_in_words(pages: Pages) -> str:
    """Return the name at the top of each page, translated if it is the default."""
    return gettext("base.title") if pages.title == DEFAULT_TITLE else in_language(pages.title)


def scopes_in_words(scope: str, meanings: Mapping[str, Words]) -> list[str]:
    """Say what each of the space-separated scopes allows; an unknown one is named as it is."""
    return [_scope_in_words(name, meanings.get(name, name)) for name in scope.split()]


def _scope_in_words(name: str, meaning: Words) -> str:
    """Return what `name` allows: in the words of the settings, or translated if they are ours."""
    if meaning != DEFAULT_SCOPES.get(name):
        return in_language(meaning)
    return {
        "openid": gettext("scope.openid"),
        "profile": gettext("scope.profile"),
        "email": gettext("scope.email"),
        "offline_access": gettext("scope.offline_access"),
    }[name]


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
    # Texts of their own: in some languages a time has another form here.
    if seconds >= _DAY_S:
        return ngettext("words.day_ago", "words.days_ago", seconds // _DAY_S)
    if seconds >= _HOUR_S:
        return ngettext("words.hour_ago", "words.hours_ago", seconds // _HOUR_S)
    if seconds >= _MINUTE_S:
        return ngettext("words.minute_ago", "words.minutes_ago", seconds // _MINUTE_S)
    return ngettext("words.second_ago", "words.seconds_ago", seconds)


def at(then: int) -> str:
    """Say when `then` (s) was, in UTC: `5 Nov 2026, 14:03 UTC`."""
    moment = datetime.fromtimestamp(then, UTC)
    return format_datetime(moment, gettext("words.moment"), locale=language().locale)


def on(then: int) -> str:
    """Say on which day `then` (s) is, in UTC: `25 May 2027`."""
    moment = datetime.fromtimestamp(then, UTC)
    return format_datetime(moment, gettext("words.day_of_year"), locale=language().locale)


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
