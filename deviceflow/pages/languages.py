"""The language in which a person reads the pages.

The first of these decides that names a language which this server offers:

1. `ui_locales` in the address (OpenID Connect Core 3.1.2.1), by which a device or an application
   hands its own language on, and a cookie that keeps it until the browser is closed;
2. the person's choice in the menu of a page, in a cookie that is kept for a year;
3. the languages of the browser: `Accept-Language` (RFC 9110 12.5.4);
4. `default_language` of the settings.

A choice in the menu removes the cookie of `ui_locales`, so the last word is the person's. Nothing
of an address or a cookie is repeated but the tag of an offered language.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qsl, urlencode, urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from deviceflow.config import Settings
from deviceflow.core.languages import accepted, is_accepted, listed, lookup
from deviceflow.core.origin import origin_of
from deviceflow.pages.cookie import SessionCookie
from deviceflow.pages.headers import security_headers
from deviceflow.pages.texts import Language, gettext, read_language, speak, speaking

UI_LOCALES = "ui_locales"

_KEPT_S = 365 * 86_400


class MenuItem(NamedTuple):
    """A language, and its name in that language."""

    language: Language
    name: str


@dataclass(frozen=True, kw_only=True)
class Languages:
    """The languages that this server offers, by tag, and the way to choose one.

    `issuer`: the address of this server. `cookie`: the names of the two cookies begin as its name.
    """

    issuer: str
    cookie: SessionCookie
    offered: Mapping[str, Language]
    default: Language

    def routes(self) -> list[web.RouteDef]:
        """List the route of the menu's links."""
        return [web.get("/language", self.choose)]

    async def choose(self, request: web.Request) -> web.Response:
        """Remember a choice in the menu, and lead back to the page that the menu was on.

        The answer changes nothing but a language, so it needs no form with a token.
        """
        headers = security_headers(https=self.cookie.https)
        headers["Location"] = self._page_before(request)
        response = web.Response(status=303, headers=headers)
        tag = request.query.get("to", "")
        if tag in self.offered:
            self._write(response, self._choice_name, tag, _KEPT_S)
            self._write(response, self._locale_name, "", 0)
        return response

    def of(self, request: web.Request) -> Language:
        """Return the language for `request`."""
        if _LANGUAGE not in request:
            request[_LANGUAGE] = self._language(request)
        return request[_LANGUAGE]

    @cached_property
    def menu(self) -> list[MenuItem]:
        """The languages by their names; empty if there is no choice."""
        return [_item(each) for each in self.offered.values()] if len(self.offered) > 1 else []

    def asked(self, request: web.Request) -> str:
        """Return the tag that `ui_locales` in the address asks for, empty if none is offered."""
        return lookup(listed(request.query.get(UI_LOCALES, "")), [*self.offered]) or ""

    def remember(self, request: web.Request, response: web.StreamResponse) -> None:
        """Keep what `ui_locales` asks for, so that the next pages are in that language too."""
        is_page = response.content_type == "text/html" or "Location" in response.headers
        tag = self.asked(request)
        if tag and is_page and not response.prepared:
            self._write(response, self._locale_name, tag, None)

    def of_browser(self, request: web.Request) -> Language | None:
        """Return the language of the browser if the page is in one that the browser does not name.

        An address decides about the language of a page, and a stranger may have sent the address.
        """
        header = request.headers.get("Accept-Language", "")
        if is_accepted(header, self.of(request).tag):
            return None
        tag = accepted(header, [*self.offered], self.default.tag)
        return self.offered[tag] if tag and is_accepted(header, tag) else None

    def _language(self, request: web.Request) -> Language:
        offered, header = self.offered, request.headers.get("Accept-Language", "")
        tags = (
            self.asked(request),
            request.cookies.get(self._locale_name, ""),
            request.cookies.get(self._choice_name, ""),
            accepted(header, [*offered], self.default.tag) or "",
        )
        return next((offered[tag] for tag in tags if tag in offered), self.default)

    def _page_before(self, request: web.Request) -> str:
        """Return the address that the browser comes from, if it is of this server.

        That is the path alone, without slashes that would make a host of it.
        """
        start = f"{self.issuer}/device"
        referrer = request.headers.get("Referer", start)
        try:
            # RFC 3986 2: an address is ASCII, and other bytes could not be sent back.
            if not referrer.isascii() or origin_of(referrer) != origin_of(self.issuer):
                referrer = start
        except ValueError:
            referrer = start
        parts = urlsplit(referrer)
        query = [pair for pair in parse_qsl(parts.query) if pair[0] != UI_LOCALES]
        path = "/" + parts.path.lstrip("/\\")
        return f"{path}?{urlencode(query)}" if query else path

    @property
    def _choice_name(self) -> str:
        return f"{self.cookie.name}-language"

    @property
    def _locale_name(self) -> str:
        return f"{self.cookie.name}-ui-locales"

    def _write(self, response: web.StreamResponse, name: str, tag: str, kept_s: int | None) -> None:
        response.set_cookie(
            name,
            tag,
            max_age=kept_s,
            path="/",
            secure=self.cookie.https,
            httponly=True,
            samesite="Lax",
        )


def _item(language: Language) -> MenuItem:
    with speaking(language):
        return MenuItem(language, gettext("language.name"))


LANGUAGES = web.AppKey("languages", Languages)
_LANGUAGE = web.RequestKey("language", Language)


def read_languages(settings: Settings) -> Languages:
    """Read the texts of all languages that are offered. May raise `TextsError`."""
    pages, issuer = settings.pages, settings.issuer_url
    folder = Path(pages.texts_dir) if pages.texts_dir else None
    offered = {tag: read_language(tag, folder) for tag in pages.languages}
    return Languages(
        issuer=issuer,
        cookie=SessionCookie(https=issuer.startswith("https://"), issuer=issuer),
        offered=offered,
        default=offered[pages.default_language],
    )


def speak_to(request: web.Request) -> None:
    """Look texts up in the language for `request` from now on."""
    speak(request.app[LANGUAGES].of(request))


def answering_in_language(machine_paths: tuple[str, ...] = ()) -> Middleware:
    """Return what answers people in the language for the request.

    It comes before what answers errors with pages. `machine_paths`: where machines call. They get
    no texts of a catalogue, unlike a person who is led there (`authorize.py`).
    """

    def is_for_machine(request: web.Request) -> bool:
        is_there = any(part in request.path for part in machine_paths)
        return is_there and "text/html" not in request.headers.get("Accept", "")

    @web.middleware
    async def answer_in_language(request: web.Request, handler: Handler) -> web.StreamResponse:
        if is_for_machine(request):
            return await handler(request)
        speak_to(request)
        response = await handler(request)
        request.app[LANGUAGES].remember(request, response)
        return response

    return answer_in_language
