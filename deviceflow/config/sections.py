"""The sections of the settings, as Structs. Each type carries its own rule and description.

One class for each section of `config/deviceflow.toml`: the file is long because they are many.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from deviceflow.config.values import (
    NO_PROXIES,
    Argument,
    Colour,
    CorsOrigin,
    Email,
    EnvelopeKey,
    FilePath,
    Folder,
    HeaderName,
    Host,
    HostName,
    LanguageTag,
    MailServer,
    NetworkText,
    PasswordHash,
    Port,
    RedisUrl,
    ShortAddress,
    SubjectIdentifier,
    WebhookSecret,
    WebhookUrl,
    Words,
)
from deviceflow.core.assurance import SignInMinimum
from deviceflow.core.client_methods import ClientMethod
from deviceflow.core.client_values import (
    ApprovalsPerHour,
    Audience,
    ClientNetwork,
    DisplayName,
    ImagePath,
    Interval,
    Lifetime,
    Limit,
    ScopeToken,
    SecretDigest,
    SignInAge,
    WebPage,
)
from deviceflow.core.holding import HoldSeconds
from deviceflow.core.proof_of_work import MOST_BITS
from deviceflow.core.proximity import Distance, FarAnswer
from deviceflow.core.signing_key import SigningAlgorithm
from deviceflow.core.user_code import UserCodeFormat

DEFAULT_TITLE = "Connect a device"

SHIPPED_LANGUAGES = ("ar", "de", "en", "es", "fr", "it", "ja", "nl", "pl", "pt", "zh-Hans")
"""The languages that come with this server."""

MAX_WORKERS = 512

_Workers = Annotated[
    int,
    Meta(ge=1, le=MAX_WORKERS, description=f'a whole number from 1 to {MAX_WORKERS}, or "auto"'),
]


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The base of all sections: it refuses unknown fields."""


class Server(Section, frozen=True, kw_only=True):
    """The addresses that the server listens on, and its processes. Port 0 is any free port.

    `client_certificate_header`: the header in which a trusted proxy sends the subject of a
    client certificate that it has verified (RFC 8705 2.1). Without it, no client can
    authenticate by a certificate. `debuggable`: whether core dumps are left, and other processes of
    the same user may look into those of the server.
    """

    host: Host = "127.0.0.1"
    port: Port = 8628
    workers: _Workers = 1
    admin_host: Host = "127.0.0.1"
    admin_port: Port = 8629
    data_dir: Folder = "deviceflow-data"
    trusted_proxies: tuple[NetworkText, ...] = ()
    forwarded_header: Literal["x-forwarded-for", "forwarded"] = "x-forwarded-for"
    cors_origins: tuple[CorsOrigin, ...] = ("*",)
    client_certificate_header: HeaderName | None = None
    lane: bool = True
    keepalive_s: Annotated[int, Meta(ge=1, le=3_600)] = 75
    max_connections_per_address: Annotated[int, Meta(ge=0, le=10_000_000)] = 0
    shutdown_s: Annotated[int, Meta(ge=0, le=600)] = 15
    lame_duck_s: Annotated[int, Meta(ge=0, le=600)] = 0
    watchdog_s: Annotated[int, Meta(ge=0, le=600)] = 10
    max_body_bytes: Annotated[int, Meta(ge=1_024, le=1_048_576)] = 16_384
    debuggable: bool = False

    @property
    def proxies(self) -> tuple[str, ...]:
        """The networks of the trusted proxies, without the word that says that there are none."""
        return tuple(network for network in self.trusted_proxies if network != NO_PROXIES)

    @property
    def names_no_proxies(self) -> bool:
        """Whether the operator says that no proxy hides the address of a client."""
        return NO_PROXIES in self.trusted_proxies

    def offers(self, method: ClientMethod) -> bool:
        """Return whether a client can authenticate by `method` with these settings."""
        return bool(self.client_certificate_header) or not method.has_certificate


class Redis(Section, frozen=True, kw_only=True):
    """The store. Without a URL, it is an embedded Valkey in `server.data_dir`."""

    url: RedisUrl | None = None
    durability: Literal["local", "replicated"] = "local"
    replicas: Annotated[int, Meta(ge=1, le=16)] = 1
    replica_timeout_ms: Annotated[int, Meta(ge=1, le=60_000)] = 500
    max_connections: Annotated[int, Meta(ge=2, le=10_000)] = 64


class Keys(Section, frozen=True, kw_only=True):
    """The envelope keys, which seal the secrets in the store. At most one source of them is set.

    `envelope_file`: a file with a key a line; the first one seals, all of them open.
    `envelope_keys`: the same keys themselves, for the environment. `envelope_command`: a command
    and its arguments; what it prints is read as the file is.
    """

    envelope_file: FilePath | None = None
    envelope_keys: tuple[EnvelopeKey, ...] = ()
    envelope_command: tuple[Argument, ...] = ()

    @property
    def has_envelope(self) -> bool:
        """Whether there is a source."""
        return bool(self.envelope_file or self.envelope_keys or self.envelope_command)


class Device(Section, frozen=True, kw_only=True):
    """The lifetime, polling and user codes of grants (RFC 8628 3.2, 3.5).

    `verification_uri`: what devices show, in place of the issuer's page for a code.
    `max_wait_s`: the cap of held polls; `hold_s`: the hold of devices that do not ask for one.
    `load_interval_s`: the longest interval because of load; 0 if it does not follow the load.
    `enabled_by_default`: whether clients may use the grant that do not say so themselves.
    `verification_uri_complete`: whether a link may contain the code (RFC 8628 3.3.1).
    """

    verification_uri: ShortAddress | None = None
    lifetime_s: Lifetime = 600
    interval_s: Interval = 5
    max_interval_s: Interval = 60
    load_interval_s: Annotated[int, Meta(ge=0, le=3_600)] = 30
    max_wait_s: Annotated[int, Meta(ge=0, le=600)] = 30
    hold_s: HoldSeconds = 0
    redemption_grace_s: Annotated[int, Meta(ge=0, le=600)] = 60
    max_held: Annotated[int, Meta(ge=0, le=10_000_000)] = 20_000
    pace_slots: Annotated[int, Meta(ge=1_024, le=268_435_456)] = 1_048_576
    user_code: UserCodeFormat = UserCodeFormat()
    enabled_by_default: bool = True
    verification_uri_complete: bool = True
    wave_wrong_codes: Annotated[int, Meta(ge=0, le=1_000_000_000)] = 1_000
    wave_proof_bits: Annotated[int, Meta(ge=0, le=MOST_BITS)] = 0

    @property
    def longest_for_load_s(self) -> int:
        """The longest interval that a device is asked for because of load, in s."""
        return min(self.load_interval_s, self.max_interval_s)


class Phishing(Section, frozen=True, kw_only=True):
    """Rules against phishing (RFC 8628 5.4), for clients without a value of their own.

    The fields are those of `Client`. `barred_scopes`: scopes that no device can get.
    """

    start_networks: tuple[ClientNetwork, ...] = ()
    approval_networks: tuple[ClientNetwork, ...] = ()
    near: Distance = "address"
    if_far: FarAnswer = "show"
    sign_in: SignInMinimum = "any"
    max_sign_in_age_s: SignInAge | None = None
    max_approvals_per_hour: ApprovalsPerHour | None = None
    barred_scopes: tuple[ScopeToken, ...] = ()


class GrantLimits(Section, frozen=True, kw_only=True):
    """How many grants the devices of each client may start; 0 for no limit (`policy/admission.py`).

    `starts`: in ten minutes, by all devices; `starts_per_network`: by those in a /48 of IPv6;
    `starts_per_address`: by those at an IPv4 address, or in a /64. `live_grants`: unexpired ones.
    `store_memory_percent`: the part of its memory from which on the store gets no new grants.
    """

    starts: Limit = 1_000_000
    starts_per_network: Limit = 100_000
    starts_per_address: Limit = 30_000
    live_grants: Limit = 1_000_000
    store_memory_percent: Annotated[int, Meta(ge=0, le=100)] = 80


class Tokens(Section, frozen=True, kw_only=True):
    """The tokens of an approved device. RFC 6750 5.3 recommends access for one hour or less."""

    access_token_lifetime_s: Annotated[int, Meta(ge=1, le=86_400)] = 3_600
    refresh_token_lifetime_s: Annotated[int, Meta(ge=1, le=315_360_000)] = 15_552_000
    refresh_token_idle_s: Annotated[int, Meta(ge=1, le=315_360_000)] = 2_592_000
    id_token_lifetime_s: Annotated[int, Meta(ge=1, le=86_400)] = 3_600
    format: Literal["jwt", "opaque"] = "jwt"
    algorithm: SigningAlgorithm = "ES256"


class Registration(Section, frozen=True, kw_only=True):
    """Dynamic client registration (RFC 7591).

    `initial_access_token_sha256`: digests of the tokens that allow a registration. `scopes`: the
    scopes that a registered client may request.
    """

    enabled: bool = False
    initial_access_token_sha256: tuple[SecretDigest, ...] = ()
    scopes: tuple[ScopeToken, ...] = ("openid", "profile", "offline_access")


class Pages(Section, frozen=True, kw_only=True):
    """The pages that people see.

    `geoip_file`: an MMDB file, by which the page says about where a device is. `logo`: a picture at
    the top of each page. `accent`: the colour of buttons and links. `links`: at the foot of each
    page, by their words. `templates_dir`: a folder with templates that replace some. `languages`:
    those that are offered, as tags. `texts_dir`: a folder with texts of the operator,
    `<language>.po`, that come before those of this server.
    """

    title: Words = DEFAULT_TITLE
    geoip_file: FilePath | None = None
    logo: ImagePath | None = None
    accent: Colour | None = None
    links: dict[DisplayName, WebPage] = {}
    templates_dir: Folder | None = None
    session_lifetime_s: Annotated[int, Meta(ge=60, le=2_592_000)] = 28_800
    languages: tuple[LanguageTag, ...] = SHIPPED_LANGUAGES
    default_language: LanguageTag = "en"
    texts_dir: Folder | None = None


class Notices(Section, frozen=True, kw_only=True):
    """Notices to people whose account a device was connected to, by a webhook, by mail, or both.

    `webhook_secret`: the key of the signature. `mail_from`: the address that mail comes from.
    """

    webhook_url: WebhookUrl | None = None
    webhook_secret: WebhookSecret | None = None
    smtp_url: MailServer | None = None
    mail_from: Email | None = None


class SignIn(Section, frozen=True, kw_only=True):
    """The ways in which people sign in.

    `password`: whether the form for a password is offered. `trusted_header`: the header in which an
    authenticating proxy sends the name of the person. `trusted_header_creates`: whether a person
    without an account gets one by that.
    """

    password: bool = True
    passkeys: bool = True
    totp: bool = True
    trusted_header: HeaderName | None = None
    trusted_header_creates: bool = False


class Log(Section, frozen=True, kw_only=True):
    """The log. Format `auto` is `console` on a terminal, and `json` elsewhere.

    `addresses`: how much of the addresses of devices and people is logged; `network` is the /24 of
    an IPv4 address and the /48 of an IPv6 address.
    """

    level: Literal["debug", "info", "warning", "error", "critical"] = "info"
    format: Literal["auto", "console", "json"] = "auto"
    addresses: Literal["full", "network", "none"] = "full"


class AuditSettings(Section, frozen=True, kw_only=True):
    """The audit: a line for each security event, in the sinks that are named.

    `file`: its path, by default `audit.jsonl` in `server.data_dir`. A file of more than
    `max_file_bytes` is rotated, and `files_kept` older ones are kept. With a webhook, each line is
    posted, too.
    """

    sinks: tuple[Literal["file", "stdout"], ...] = ("file",)
    file: FilePath | None = None
    max_file_bytes: Annotated[int, Meta(ge=65_536, le=1_073_741_824)] = 67_108_864
    files_kept: Annotated[int, Meta(ge=1, le=1_000)] = 7
    webhook_url: WebhookUrl | None = None
    webhook_secret: WebhookSecret | None = None


class SecurityEvents(Section, frozen=True, kw_only=True):
    """Security event tokens (RFC 8417) for a service that ends access elsewhere (RFC 8935).

    `url`: where they are pushed. `audience`: who gets them, as their `aud`. `bearer_token`: how the
    receiver knows this server, beside the signature of each token.
    """

    url: WebhookUrl | None = None
    audience: Audience | None = None
    bearer_token: WebhookSecret | None = None


class Admin(Section, frozen=True, kw_only=True):
    """The API and the console of operators, on the admin port. Without a file, both are off.

    `token_file`: bearer tokens, one a line. `hosts`: the names by which a browser may reach the
    console, beside the loopback names and `server.admin_host`.
    """

    token_file: FilePath | None = None
    hosts: tuple[HostName, ...] = ()


class Tracing(Section, frozen=True, kw_only=True):
    """Traces of grants, by OpenTelemetry. Its OTEL_* variables say where they go."""

    enabled: bool = False


class User(Section, frozen=True, kw_only=True):
    """A person that may sign in, listed in the settings file."""

    username: DisplayName
    password_hash: PasswordHash
    name: DisplayName | None = None
    email: Email | None = None
    sub: SubjectIdentifier | None = None
    disabled: bool = False
