"""`deviceflow check FILE`: say whether the server would start with this configuration."""

import os
import time
from collections.abc import Iterator
from functools import partial
from ipaddress import ip_network
from pathlib import Path

import click

from deviceflow.admin.tokens import AdminTokens, AdminTokensError
from deviceflow.cli.host_risks import folder_risks
from deviceflow.cli.store_access import with_store
from deviceflow.cli.store_risks import store_risks
from deviceflow.config import ConfigError, Phishing, Settings, load
from deviceflow.core.address import is_loopback
from deviceflow.core.client import Client
from deviceflow.core.holding import SAFE_HOLD_S
from deviceflow.core.resources import Resources
from deviceflow.core.store_url import StoreUrl
from deviceflow.pages.files import page_faults
from deviceflow.policy.phishing import rules_of
from deviceflow.policy.sign_in_ways import SignInWays
from deviceflow.signing.keys import is_public_jwk
from deviceflow.store.connection import Connection
from deviceflow.store.envelope import EnvelopeError
from deviceflow.store.envelope_source import open_envelope
from deviceflow.store.survey import survey
from deviceflow.upstream.credential import Credential
from deviceflow.upstream.errors import UpstreamError

RECOMMENDED_ACCESS_TOKEN_LIFETIME_S = 3_600
RECOMMENDED_USER_CODE_BITS = 29
SHORT_GRANT_S = 60

_EVERYWHERE = {"0.0.0.0", "::"}  # noqa: S104, what is warned of


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--store", "with_its_store", is_flag=True, help="Ask the store too, and describe it.")
def check(file: Path, *, with_its_store: bool) -> None:
    """Check the configuration FILE, with the environment, and start nothing.

    Prints one line for each problem and ends with status 1, or prints how many clients and users
    the file has. A warning names a value that is allowed but risky; it does not change the
    status.
    """
    try:
        settings = load(file, environ=os.environ)
    except ConfigError as error:
        click.echo(str(error), err=True)
        raise SystemExit(1) from error
    if faults := page_faults(settings):
        for fault in faults:
            click.echo(f"{file}: {fault}", err=True)
        raise SystemExit(1)
    for warning in (*warnings(settings), *folder_risks(settings)):
        click.echo(f"{file}: warning: {warning}", err=True)
    clients = _counted(len(settings.clients), "client")
    click.echo(f"{file}: ok ({clients}, {_counted(len(settings.users), 'user')})")
    if with_its_store:
        with_store(settings, partial(_describe, settings), changes=False)


async def _describe(settings: Settings, connection: Connection) -> None:
    """Print what the store says of itself, and a warning for each risk."""
    report = await survey(connection, time.time)
    for server in report.servers:
        for line in server.lines():
            click.echo(f"store{f' {server.address}' if server.address else ''}: {line}")
    click.echo(f"store: clock: {report.skew_s:+.3f} s beside this host's")
    findings = report.findings(
        is_embedded=settings.redis.url is None, confirming=connection.durability.replicas
    )
    for finding in findings:
        click.echo(f"store: warning: {finding}", err=True)


def warnings(settings: Settings) -> Iterator[str]:
    """List the values that are allowed but risky, a line each: path, meaning, what to do."""
    if not any(client.enabled for client in settings.clients):
        yield "clients: none is enabled, so no device can ask for a code; add [[clients]]"
    yield from _admin_tokens(settings)
    yield from _envelope(settings)
    yield from risks(settings)


def risks(settings: Settings) -> Iterator[str]:
    """List the same, but for the number of clients: a running server also knows those stored."""
    yield from _reach(settings)
    yield from store_risks(settings.redis.url)
    yield from _grants(settings)
    yield from _holds(settings)
    yield from _resources(settings)
    yield from _proofs(settings)
    yield from _upstreams(settings)
    yield from _sign_ins(settings)
    yield from _barred(settings)
    if not (settings.audit.sinks or settings.audit.webhook_url):
        yield (
            "audit.sinks: empty, so sign-ins, refusals and changes leave no trace;"
            ' name "file" or "stdout", or a webhook'
        )
    if settings.tracing.enabled and settings.log.level not in {"debug", "info"}:
        yield "tracing.enabled: traces are made from lines of the level info; set log.level"
    if settings.tokens.access_token_lifetime_s > RECOMMENDED_ACCESS_TOKEN_LIFETIME_S:
        yield (
            "tokens.access_token_lifetime_s: a stolen token can be used until it expires;"
            " RFC 6750 5.3 recommends at most 3600"
        )


def _reach(settings: Settings) -> Iterator[str]:
    # Plain http is only ever accepted for an issuer on loopback, so http means loopback here.
    if settings.issuer_url.startswith("http:") and not is_loopback(settings.server.host):
        yield (
            f"issuer: {settings.issuer_url} is only good on this machine, but server.host"
            f" {settings.server.host} lets others in; set issuer to the https:// URL they use"
        )
    if settings.issuer_url.startswith("https:") and not settings.server.trusted_proxies:
        yield (
            "server.trusted_proxies: empty, though https needs a proxy in front; all requests seem"
            " to come from the proxy, so limits count everybody as one and the page cannot say"
            ' where a device is; list the proxy, or "none" if it hides no address'
        )
    for network in settings.server.proxies:
        if ip_network(network).prefixlen == 0:
            yield (
                f"server.trusted_proxies: {network} lets everybody choose the address that limits"
                " and logs see; name only your own proxies"
            )

    if settings.server.admin_host in _EVERYWHERE:
        yield (
            f"server.admin_host: {settings.server.admin_host} shows metrics, and with"
            " admin.token_file the API, to everybody who reaches this host; name a private address,"
            " or let a firewall keep others from server.admin_port"
        )


def _grants(settings: Settings) -> Iterator[str]:
    if settings.device.lifetime_s < SHORT_GRANT_S:
        yield (
            f"device.lifetime_s: {settings.device.lifetime_s} s is too short for a person to find"
            " a phone, sign in and type a code; 600 is usual"
        )
    codes = [("device.user_code", settings.device.user_code)]
    for i, client in enumerate(settings.clients):
        if client.user_code is not None:
            codes.append((f"clients[{i}].user_code", client.user_code))
        for scope in client.scopes:
            if scope not in settings.scopes:
                yield f'clients[{i}].scopes: "{scope}" has no words for people; add it to [scopes]'
    for path, code in codes:
        if code.bits < RECOMMENDED_USER_CODE_BITS:
            yield (
                f"{path}: {code.bits:.1f} bits are easier to guess than the examples of RFC 8628"
                " 6.1 (29.9 and 34.5); make length greater"
            )


def _holds(settings: Settings) -> Iterator[str]:
    """List the holds for which some common client does not wait."""
    holds = [("device.hold_s", settings.device.hold_s)]
    holds += [(f"clients[{i}].hold_s", each.hold_s or 0) for i, each in enumerate(settings.clients)]
    for path, hold_s in holds:
        if hold_s > SAFE_HOLD_S:
            yield (
                f"{path}: {hold_s} s is longer than some common libraries wait for an answer;"
                f" {SAFE_HOLD_S} is safe for all of them (docs/holding.md)"
            )


def _resources(settings: Settings) -> Iterator[str]:
    resources = Resources(settings.issuer_url, settings.resources)
    registered = settings.registration.scopes if settings.registration.enabled else ()
    offered = {*registered, *(scope for client in settings.clients for scope in client.scopes)}
    for i, resource in enumerate(settings.resources):
        for scope in resource.scopes:
            if scope not in offered:
                yield (
                    f'resources[{i}].scopes: no client of this file may ask for "{scope}"; if that'
                    " is a typing mistake, tokens with the right scope are not for this resource"
                )
    for i, client in enumerate(settings.clients):
        if len(resources.owners(client.scopes)) > 1:
            yield (
                f"clients[{i}].scopes: belong to several resources, so a request with neither"
                " scope nor resource is refused; the device has to send one of them"
            )


def _proofs(settings: Settings) -> Iterator[str]:
    """List the credentials that will never prove a client, though their form is right."""
    for i, client in enumerate(settings.clients):
        if not settings.server.offers(client.method):
            yield (
                f'clients[{i}].auth_method: "{client.auth_method}" lets no client in without'
                " server.client_certificate_header; set it, and let the proxy write that header"
            )
        for j, key in enumerate(client.public_keys):
            if not is_public_jwk(key):
                yield (
                    f"clients[{i}].jwks.keys[{j}]: no signature can be checked with it; copy the"
                    " key again from where it was made"
                )


def _upstreams(settings: Settings) -> Iterator[str]:
    for i, upstream in enumerate(settings.upstream):
        try:
            Credential(upstream=upstream, clock=time.time).check()
        except UpstreamError as error:
            yield f"upstream[{i}]: nobody can sign in with it: {error.detail}"
        is_open = upstream.allow_create and not (upstream.groups or upstream.email_domains)
        if upstream.preset == "google" and is_open:
            yield (
                f"upstream[{i}].allow_create: everybody with a Google account gets in; set"
                " email_domains"
            )
        if upstream.trust_email and upstream.email_domains:
            yield (
                f"upstream[{i}].trust_email: people who can type an address there get in by"
                " email_domains; use it only if the provider lets nobody choose an address"
            )


def _sign_ins(settings: Settings) -> Iterator[str]:
    """List where more of a sign-in is wanted than anybody can offer."""
    ways = SignInWays.of(settings)
    rules: list[tuple[str, Phishing | Client]] = [("phishing", settings.phishing)]
    rules += [(f"clients[{i}]", client) for i, client in enumerate(settings.clients)]
    for path, rule in rules:
        if rule.if_far == "step_up" and not ways.acr_values:
            yield (
                f'{path}.if_far: "step_up" needs a second factor, which people cannot add to their'
                " accounts; set sign_in.totp or sign_in.passkeys"
            )
        lacks_passkeys = rule.sign_in == "phishing_resistant" and not ways.passkeys
        if lacks_passkeys or (rule.sign_in == "second_factor" and not ways.acr_values):
            yield (
                f'{path}.sign_in: "{rule.sign_in}" is more than people can add to their'
                " accounts; set sign_in.passkeys, and an issuer with a host name"
            )


def _barred(settings: Settings) -> Iterator[str]:
    """List what clients seem to have, and do not get by the rules against phishing."""
    named = [(f"clients[{i}].scopes", each.scopes) for i, each in enumerate(settings.clients)]
    for path, scopes in [*named, ("registration.scopes", settings.registration.scopes)]:
        for scope in scopes:
            if scope in settings.phishing.barred_scopes:
                yield (
                    f'{path}: "{scope}" is refused, because phishing.barred_scopes has it;'
                    " take it out of one of them"
                )
    enabled = [client for client in settings.clients if client.enabled]
    if enabled and not any(rules_of(each, settings).uses_device_grant for each in enabled):
        yield (
            "device.enabled_by_default: false, and no client has device = true, so no device can"
            " ask for a code"
        )


def _admin_tokens(settings: Settings) -> Iterator[str]:
    """Say what is wrong with the file of operators' tokens, which may be on another machine."""
    if settings.admin.token_file is not None:
        try:
            AdminTokens.read(Path(settings.admin.token_file))
        except AdminTokensError as error:
            yield f"admin.token_file: {error}; with this file, the server does not start"


def _envelope(settings: Settings) -> Iterator[str]:
    """Say whose the keys in the store are: its operator's too, if no envelope key seals them."""
    if settings.keys.envelope_file is not None:
        try:
            open_envelope(settings.keys)
        except EnvelopeError as error:
            yield f"{error}; with this, the server does not start"
    url = settings.redis.url
    if url and not settings.keys.has_envelope and not StoreUrl.parse(url).is_on_this_host:
        yield (
            "keys: the store is on another host and has all keys as they are; a copy of it is"
            " enough to sign tokens; set keys.envelope_file (docs/operations/keys.md)"
        )


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
