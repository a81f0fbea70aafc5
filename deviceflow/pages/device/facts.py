"""What a person reads before deciding (RFC 8628 5.4, RFC 6749 10.2)."""

from typing import NamedTuple
from urllib.parse import urlsplit

from deviceflow.config import Settings
from deviceflow.core.client import Client
from deviceflow.pages import words
from deviceflow.pages.device.origin import Origin
from deviceflow.pages.device.submission import SCOPE_BOX
from deviceflow.pages.texts import gettext
from deviceflow.store.grant_records import Grant

_DAY_S = 86_400


class ScopeFact(NamedTuple):
    """One scope. `box`: the form's field by which the person grants it, empty for a fixed one."""

    meaning: str
    box: str


class ClientLink(NamedTuple):
    """A page about the client. `host`: where it leads, as people can compare it."""

    words: str
    uri: str
    host: str


class RequestFacts(NamedTuple):
    """The facts about a request, in words.

    `origin`: where the device is, and `near`: that in words, empty if it is not known.
    `optional_scopes`: the scopes with a box, as the form says that it showed them.
    `ends`: the day on which the access ends if it is approved now, empty for less than a day.
    """

    client_id: str
    client_name: str
    publisher: str
    links: list[ClientLink]
    is_verified: bool
    scopes: list[ScopeFact]
    optional_scopes: str
    lasts: str
    ends: str
    ends_iso: str
    device: str
    origin: Origin
    near: str
    requested: str
    requested_ago: str
    requested_iso: str
    expires_in: str


def request_facts(
    grant: Grant, client: Client, settings: Settings, origin: Origin, now: int
) -> RequestFacts:
    """Say what `grant` is; `now` in s."""
    access_s = _access_s(grant, client, settings)
    return RequestFacts(
        client_id=client.client_id,
        client_name=client.name,
        publisher=client.publisher or "",
        links=_links(client),
        is_verified=client.verified,
        scopes=_scopes(grant.scope, client, settings),
        optional_scopes=" ".join(client.optional_in(grant.scope)),
        lasts=words.lasting(access_s),
        ends=words.on(now + access_s) if access_s >= _DAY_S else "",
        ends_iso=words.iso(now + access_s),
        device=words.device_in_words(grant.device),
        origin=origin,
        near=words.near(origin.place.city, origin.place.country) if origin.place else "",
        requested=words.at(grant.requested_at),
        requested_ago=words.ago(grant.requested_at, now),
        requested_iso=words.iso(grant.requested_at),
        expires_in=words.lasting(max(0, grant.expires_at - now)),
    )


def _links(client: Client) -> list[ClientLink]:
    pages = (
        (gettext("device.confirm.link_about"), client.client_uri),
        (gettext("device.confirm.link_privacy"), client.policy_uri),
        (gettext("device.confirm.link_terms"), client.tos_uri),
    )
    return [ClientLink(words, uri, urlsplit(uri).netloc) for words, uri in pages if uri]


def _scopes(scope: str, client: Client, settings: Settings) -> list[ScopeFact]:
    meanings = words.scopes_in_words(scope, settings.scopes)
    return [
        ScopeFact(meaning, SCOPE_BOX + name if name in client.optional_scopes else "")
        for name, meaning in zip(scope.split(), meanings, strict=True)
    ]


def _access_s(grant: Grant, client: Client, settings: Settings) -> int:
    """Return how long the access may last if no one ends it."""
    tokens = settings.tokens
    if client.gets_refresh_token(grant.scope):
        return tokens.refresh_token_lifetime_s
    return tokens.access_token_lifetime_s
