"""The rules for settings, by the section that each is about, and the rules between sections."""

from collections.abc import Iterator, Sequence

from deviceflow.config.reading import Finding, Rules, shown
from deviceflow.config.section_rules import (
    audit_rules,
    believed_proxies_rules,
    client_rules,
    device_rules,
    keys_rules,
    notices_rules,
    pages_rules,
    redis_rules,
    registration_rules,
    resource_rules,
    security_events_rules,
    server_rules,
    upstream_rules,
    user_code_rules,
)
from deviceflow.config.sections import (
    AuditSettings,
    Device,
    Keys,
    Notices,
    Pages,
    Redis,
    Registration,
    SecurityEvents,
    Server,
)
from deviceflow.config.settings import Settings
from deviceflow.config.upstreams import Upstream
from deviceflow.config.values import is_issuer
from deviceflow.core.client import Client
from deviceflow.core.resources import ProtectedResource, Resources
from deviceflow.core.user_code import UserCodeFormat


def _settings_rules(settings: Settings) -> Iterator[Finding]:
    if not is_issuer(settings.issuer_url):
        yield (
            "issuer",
            f"missing, with server.host {shown(settings.server.host)}",
            "the https:// URL under which devices and people reach this server",
        )
    yield from _trusted_header_rules(settings)
    for scope, words in settings.scopes.items():
        if words == {}:
            yield f"scopes.{scope}", "an empty table", "a text for at least one language"
    yield from _repeated("clients", "client_id", [client.client_id for client in settings.clients])
    yield from _repeated("users", "username", [user.username for user in settings.users])
    yield from _repeated("users", "sub", [user.sub for user in settings.users])
    yield from _repeated("upstream", "id", [upstream.id for upstream in settings.upstream])
    if not settings.sign_in.password and not settings.upstream:
        yield "sign_in.password", "got false without [[upstream]]", "true, or a provider to use"
    yield from _resources_rules(settings)
    yield from _client_resources_rules(settings)
    yield from _places_rules(settings)
    yield from _client_times_rules(settings)


def _client_times_rules(settings: Settings) -> Iterator[Finding]:
    device = settings.device
    for i, client in enumerate(settings.clients):
        for name, value, cap_name, cap in (
            ("interval_s", client.interval_s, "max_interval_s", device.max_interval_s),
            ("hold_s", client.hold_s, "max_wait_s", device.max_wait_s),
        ):
            if value is not None and value > cap:
                right = f"at most device.{cap_name}, which is {cap}"
                yield f"clients[{i}].{name}", f"got {value}", right


def _places_rules(settings: Settings) -> Iterator[Finding]:
    """Without a file of places, no device is known to be in any country."""
    if settings.pages.geoip_file is not None:
        return
    right = '"address" or "network", or pages.geoip_file with the places of addresses'
    for i, client in enumerate(settings.clients):
        if client.near == "country":
            yield f"clients[{i}].near", 'got "country" without places', right
    if settings.phishing.near == "country":
        yield "phishing.near", 'got "country" without places', right


def _trusted_header_rules(settings: Settings) -> Iterator[Finding]:
    """Never believe everybody, and never a header that means something else."""
    header, server = settings.sign_in.trusted_header, settings.server
    if header is None:
        if settings.sign_in.trusted_header_creates:
            right = "false, or sign_in.trusted_header"
            yield "sign_in.trusted_header_creates", "set without trusted_header", right
        return
    taken = {"host", "cookie", "authorization", "origin", "x-forwarded-for", "forwarded"}
    taken.add((server.client_certificate_header or "host").lower())
    if header.lower() in taken:
        wrong = f"got {shown(header)}, which means something else"
        yield "sign_in.trusted_header", wrong, "a header of its own"
    right = "only the proxies that authenticate people and write sign_in.trusted_header"
    for path, wrong, right_one in believed_proxies_rules(server, right, "any person"):
        yield f"server.{path}", wrong, right_one


def _resources_rules(settings: Settings) -> Iterator[Finding]:
    yield from _repeated("resources", "resource", [each.resource for each in settings.resources])
    first: dict[str, int] = {}
    for i, resource in enumerate(settings.resources):
        if resource.resource == settings.issuer_url:
            yield f"resources[{i}].resource", "got the issuer", "the address of another API"
        for j, scope in enumerate(resource.scopes):
            if first.setdefault(scope, i) != i:
                wrong = f"got {shown(scope)}, which resources[{first[scope]}] has too"
                yield f"resources[{i}].scopes[{j}]", wrong, "a scope of one resource only"


def _client_resources_rules(settings: Settings) -> Iterator[Finding]:
    resources = Resources(settings.issuer_url, settings.resources)
    for i, client in enumerate(settings.clients):
        for scope in client.scopes:
            owner = resources.owner(scope)
            if owner not in {None, client.audience, *client.resources}:
                wrong = f"without {shown(owner)}, to which its scope {shown(scope)} belongs"
                yield f"clients[{i}].resources", wrong, "that resource, or no such scope"


def _repeated(tables: str, field: str, values: Sequence[str | None]) -> Iterator[Finding]:
    first: dict[str, int] = {}
    for i, value in enumerate(values):
        if value is not None and first.setdefault(value, i) != i:
            wrong = f"got {shown(value)}, which {tables}[{first[value]}] has too"
            yield f"{tables}[{i}].{field}", wrong, "another"


RULES: Rules = {
    UserCodeFormat: user_code_rules,
    Client: client_rules,
    ProtectedResource: resource_rules,
    Server: server_rules,
    Redis: redis_rules,
    Keys: keys_rules,
    Pages: pages_rules,
    Device: device_rules,
    Registration: registration_rules,
    Notices: notices_rules,
    AuditSettings: audit_rules,
    SecurityEvents: security_events_rules,
    Upstream: upstream_rules,
    Settings: _settings_rules,
}
