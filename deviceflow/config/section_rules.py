"""Rules between the values of one section, which the type of one value cannot express."""

import math
import re
from collections.abc import Iterator
from ipaddress import ip_network
from urllib.parse import urlsplit

from deviceflow.config.reading import Finding, shown
from deviceflow.config.sections import (
    SHIPPED_LANGUAGES,
    AuditSettings,
    Device,
    Keys,
    Notices,
    Pages,
    Redis,
    Registration,
    Section,
    SecurityEvents,
    Server,
)
from deviceflow.config.settings import DEFAULT_SCOPES
from deviceflow.config.upstreams import Upstream
from deviceflow.config.values import NO_PROXIES
from deviceflow.core.client import MAX_OPTIONAL_SCOPES, OFFLINE_ACCESS, Client
from deviceflow.core.colour import LIGHT_GROUND, MIN_CONTRAST, contrast, readable_on
from deviceflow.core.public_key import fault
from deviceflow.core.resources import ProtectedResource
from deviceflow.core.store_url import StoreUrl, StoreUrlError
from deviceflow.core.user_code import UserCodeFormat

MIN_USER_CODE_BITS = 20
"""The least entropy of a user code. RFC 8628 6.1 weighs it against the number of guesses: with
five guesses, 20 bits leave a chance of one in 200,000 for each pending code. NIST SP 800-63B
accepts no look-up secret with less. The examples of RFC 8628 6.1 have 34.5 and 29.9 bits.
"""

MAX_USER_CODE_LENGTH = 32
"""The greatest length that can be set: people type no longer code."""


MAX_LINKS = 8
"""The most links at the foot of a page: a phone shows them in a few lines."""


def user_code_rules(code: UserCodeFormat) -> Iterator[Finding]:
    """Check the format of user codes (RFC 8628 6.1)."""
    if not re.fullmatch(r"[A-Z0-9]{10,36}", code.alphabet) or len(set(code.alphabet)) < len(
        code.alphabet
    ):
        yield (
            "alphabet",
            f"got {shown(code.alphabet)}",
            'at least 10 different capital letters or digits, or "letters" or "numeric"',
        )
        return
    least = math.ceil(MIN_USER_CODE_BITS / math.log2(len(code.alphabet)))
    if not least <= code.length <= MAX_USER_CODE_LENGTH:
        size = f"with {len(code.alphabet)} different characters"
        right = f"a whole number from {least} to {MAX_USER_CODE_LENGTH} {size}"
        yield "length", f"got {shown(code.length)}", right
    if not 0 <= code.group <= MAX_USER_CODE_LENGTH:
        yield (
            "group",
            f"got {shown(code.group)}",
            f"a whole number from 0 to {MAX_USER_CODE_LENGTH}",
        )


def client_rules(client: Client) -> Iterator[Finding]:
    """Check one client of the file."""
    method = f'auth_method "{client.auth_method}"'
    if client.is_public and client.secret_sha256:
        yield (
            "secret_sha256",
            f"set for a client with {method}",
            "no secret, or another auth_method",
        )
    if (credential := client.method.credential) and client.lacks_credential:
        yield credential.field, credential.fault, f"{credential.expected} for {method}"
    for i, key in enumerate(client.public_keys):
        if key_fault := fault(key):
            yield f"jwks.keys[{i}]", *key_fault
    if (number := len(client.optional_scopes)) > MAX_OPTIONAL_SCOPES:
        yield "optional_scopes", f"got {number}", f"at most {MAX_OPTIONAL_SCOPES}"
    for i, scope in enumerate(client.optional_scopes):
        if scope not in client.scopes:
            yield f"optional_scopes[{i}]", f"got {shown(scope)}", "one of the client's scopes"
        elif scope == OFFLINE_ACCESS and client.refresh_token:
            wrong = f"got {shown(scope)}, with refresh_token = true"
            yield f"optional_scopes[{i}]", wrong, "no refresh_token = true, which gives one anyway"
    if client.introspect and client.is_public:
        yield "introspect", "set for a public client", "a client that authenticates (RFC 7662 2.1)"


def resource_rules(resource: ProtectedResource) -> Iterator[Finding]:
    """Check one API of the file."""
    if not resource.scopes:
        yield "scopes", "missing", "at least one scope that belongs to this API"
    for i, scope in enumerate(resource.scopes):
        if scope in DEFAULT_SCOPES:
            right = "a scope of the API, and not of OpenID Connect"
            yield f"scopes[{i}]", f"got {shown(scope)}", right


def server_rules(server: Server) -> Iterator[Finding]:
    """Check the ports and the proxies."""
    if server.port == server.admin_port != 0 and server.host == server.admin_host:
        yield "admin_port", f"got {server.port}, which server.port is too", "another port"
    if NO_PROXIES in server.trusted_proxies and len(server.trusted_proxies) > 1:
        yield "trusted_proxies", f'got "{NO_PROXIES}" beside networks', "either of the two"
    if server.client_certificate_header is None:
        return
    right = "only the proxies that verify the certificates of client_certificate_header"
    yield from believed_proxies_rules(server, right, "any client")


def believed_proxies_rules(server: Server, right: str, whom: str) -> Iterator[Finding]:
    """Check that there are proxies to believe, and that not everybody is one.

    `right`: which they may be. `whom`: as whom a proxy can send a request.
    """
    if not server.proxies:
        yield "trusted_proxies", "missing", right
    for i, network in enumerate(server.proxies):
        if ip_network(network).prefixlen == 0:
            wrong = f"got {shown(network)}, so everybody could say to be {whom}"
            yield f"trusted_proxies[{i}]", wrong, right


def redis_rules(redis: Redis) -> Iterator[Finding]:
    """Check the URL, and that the embedded store is not asked for replicas."""
    if redis.durability == "replicated" and redis.url is None:
        yield "durability", 'got "replicated" without redis.url', '"local" for the embedded store'
    if redis.url is not None:
        try:
            StoreUrl.parse(redis.url)
        except StoreUrlError as error:
            yield "url", f"got {error.wrong}", error.right


def keys_rules(keys: Keys) -> Iterator[Finding]:
    """Check that the envelope keys have one source."""
    sources = ("envelope_file", "envelope_keys", "envelope_command")
    given = [name for name in sources if getattr(keys, name)]
    if len(given) > 1:
        yield given[1], f"set beside keys.{given[0]}", "one source of the envelope keys"


def device_rules(device: Device) -> Iterator[Finding]:
    """Check the times against their caps, and the address that devices show."""
    path = urlsplit(device.verification_uri or "").path
    if path.startswith(("/oauth2/", "/.well-known/", "/static/")):
        wrong = f"got {shown(device.verification_uri)}, a path that machines use"
        yield "verification_uri", wrong, 'another path, such as "/go"'
    if device.interval_s > device.max_interval_s:
        yield (
            "interval_s",
            f"got {device.interval_s}",
            f"at most device.max_interval_s, which is {device.max_interval_s}",
        )
    if device.hold_s > device.max_wait_s:
        yield (
            "hold_s",
            f"got {device.hold_s}",
            f"at most device.max_wait_s, which is {device.max_wait_s}",
        )


def pages_rules(pages: Pages) -> Iterator[Finding]:
    """Check the look and the languages of the pages."""
    if pages.accent is not None:
        found = contrast(pages.accent, LIGHT_GROUND)
        if found < MIN_CONTRAST:
            dark = readable_on(pages.accent, LIGHT_GROUND)
            wrong = f"got {shown(pages.accent)}, whose contrast on the pages is {found:.1f} to 1"
            yield "accent", wrong, f"{MIN_CONTRAST} to 1 or more (WCAG AA), such as {shown(dark)}"
    if (number := len(pages.links)) > MAX_LINKS:
        yield "links", f"got {number}", f"at most {MAX_LINKS}"
    yield from _language_rules(pages)


def _language_rules(pages: Pages) -> Iterator[Finding]:
    if not pages.languages:
        yield "languages", "an empty list", "at least one language"
    for i, tag in enumerate(pages.languages):
        if tag not in SHIPPED_LANGUAGES and pages.texts_dir is None:
            right = f"one of {', '.join(SHIPPED_LANGUAGES)}, or pages.texts_dir with its texts"
            yield f"languages[{i}]", f"got {shown(tag)}", right
    if pages.default_language not in pages.languages:
        wrong = f"got {shown(pages.default_language)}"
        yield "default_language", wrong, "one of pages.languages"
    if pages.title == {}:
        yield "title", "an empty table", "a text for at least one language"


def registration_rules(registration: Registration) -> Iterator[Finding]:
    """Check that only the holder of a token may register clients."""
    if registration.enabled and not registration.initial_access_token_sha256:
        yield (
            "initial_access_token_sha256",
            "missing",
            "at least one, or anybody could register clients",
        )


def notices_rules(notices: Notices) -> Iterator[Finding]:
    """Check that each way to send notices is complete."""
    yield from _pair_rules("notices", notices, ("webhook_url", "webhook_secret"))
    yield from _pair_rules("notices", notices, ("smtp_url", "mail_from"))


def audit_rules(audit: AuditSettings) -> Iterator[Finding]:
    """Check that the webhook is complete."""
    yield from _pair_rules("audit", audit, ("webhook_url", "webhook_secret"))


def security_events_rules(events: SecurityEvents) -> Iterator[Finding]:
    """Check that the receiver of security events is complete."""
    yield from _pair_rules("security_events", events, ("url", "audience"))
    if events.bearer_token is not None and events.url is None:
        yield "url", "missing, with security_events.bearer_token", "where the tokens are pushed"


def _pair_rules(name: str, section: Section, pair: tuple[str, str]) -> Iterator[Finding]:
    """Refuse one setting of `pair` without the other. `name`: of the section."""
    for missing, given in (pair, pair[::-1]):
        if getattr(section, missing) is None and getattr(section, given) is not None:
            yield missing, f"missing, with {name}.{given}", "both of them, or none"


def upstream_rules(upstream: Upstream) -> Iterator[Finding]:
    """Check one provider of the file."""
    sources = upstream.secret_sources
    right = "exactly one of client_secret, client_secret_file, client_secret_env and key_file"
    if not sources:
        yield "client_secret", "missing", right
    elif len(sources) > 1:
        yield sources[1], f"set beside {sources[0]}", right
    if upstream.auth_method and (upstream.auth_method == "private_key_jwt") != bool(
        upstream.key_file
    ):
        wrong = f"got {shown(upstream.auth_method)} {'with' if upstream.key_file else 'without'}"
        yield "auth_method", f"{wrong} key_file", "private_key_jwt with a key_file, and only then"
    if "openid" not in upstream.scopes:
        yield "scopes", 'without "openid"', 'a list with "openid" (OpenID Connect Core 3.1.2.1)'
    if not upstream.algorithms:
        yield "algorithms", "an empty list", "at least one"
