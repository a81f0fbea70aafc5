"""Settings: what can be set, and what each may be.

A setting is taken from the command line, else from the environment, else from the TOML file,
else it has its default. `load` reports everything that is wrong at once, one line each: the
setting's path, what it is, and what would be right. A type carries its own rule and words.
"""

import math
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal, get_args, get_origin
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta, UnsetType

from deviceflow.core.client import (
    Client,
    DisplayName,
    Interval,
    Lifetime,
    ScopeToken,
    SecretDigest,
)
from deviceflow.core.reading import (
    Finding,
    Reading,
    Rules,
    Text,
    join,
    shown,
    struct_in,
    suggestion,
)
from deviceflow.core.user_code import LETTERS, NUMERIC, UserCodeFormat
from deviceflow.core.values import (
    Email,
    Folder,
    Host,
    Issuer,
    Network,
    PasswordHash,
    Port,
    RedisUrl,
    Subject,
    is_issuer,
)

ALPHABETS = {"letters": LETTERS, "numeric": NUMERIC}
"""Names that a file may give instead of an alphabet's characters."""

MIN_USER_CODE_BITS = 20
"""The least entropy of a user code. RFC 8628 6.1 weighs it against the number of guesses: with
five guesses, 20 bits leave a chance of one in 200,000 for each code that waits, and NIST SP
800-63B accepts no look-up secret below it. The section's own examples have 34.5 and 29.9 bits.
"""

MAX_USER_CODE_LENGTH = 32
"""Nobody types more, and a code still has room to grow."""

_VARIABLE = "DEVICEFLOW_"
_FILE_VARIABLE = "DEVICEFLOW_CONFIG"
_SECRET_METHODS = frozenset({"client_secret_basic", "client_secret_post"})
_DEFAULT_SCOPES = {
    "openid": "Know who you are",
    "profile": "See your name",
    "email": "See your e-mail address",
    "offline_access": "Stay signed in without asking you again",
}


class ConfigError(Exception):
    """Settings that cannot be used. `problems`: one line for each thing that is wrong."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What all sections have in common."""


class Server(Section, frozen=True, kw_only=True):
    """Where it listens and how many processes answer. Port 0 is any free port."""

    host: Host = "127.0.0.1"
    port: Port = 8628
    workers: Annotated[int, Meta(ge=1, le=512)] = 1
    admin_host: Host = "127.0.0.1"
    admin_port: Port = 8629
    data_dir: Folder = "deviceflow-data"
    trusted_proxies: tuple[Network, ...] = ()
    lane: bool = True
    keepalive_s: Annotated[int, Meta(ge=1, le=3_600)] = 75
    shutdown_s: Annotated[int, Meta(ge=0, le=600)] = 15
    max_body_bytes: Annotated[int, Meta(ge=1_024, le=1_048_576)] = 16_384


class Redis(Section, frozen=True, kw_only=True):
    """The store; without a URL an embedded Valkey in `server.data_dir`."""

    url: RedisUrl | None = None
    durability: Literal["local", "replicated"] = "local"
    replicas: Annotated[int, Meta(ge=1, le=16)] = 1
    replica_timeout_ms: Annotated[int, Meta(ge=1, le=60_000)] = 500


class Device(Section, frozen=True, kw_only=True):
    """Grants and how they are polled (RFC 8628 3.2, 3.5)."""

    lifetime_s: Lifetime = 600
    interval_s: Interval = 5
    max_interval_s: Interval = 60
    max_wait_s: Annotated[int, Meta(ge=0, le=600)] = 30
    max_held: Annotated[int, Meta(ge=0, le=10_000_000)] = 20_000
    pace_slots: Annotated[int, Meta(ge=1_024, le=268_435_456)] = 1_048_576
    user_code: UserCodeFormat = UserCodeFormat()


class Tokens(Section, frozen=True, kw_only=True):
    """What an approved device gets. RFC 6750 5.3 recommends one hour or less for access."""

    access_token_lifetime_s: Annotated[int, Meta(ge=1, le=86_400)] = 3_600
    refresh_token_lifetime_s: Annotated[int, Meta(ge=1, le=315_360_000)] = 15_552_000
    refresh_token_idle_s: Annotated[int, Meta(ge=1, le=315_360_000)] = 2_592_000
    id_token_lifetime_s: Annotated[int, Meta(ge=1, le=86_400)] = 3_600
    format: Literal["jwt", "opaque"] = "jwt"
    algorithm: Literal["ES256", "Ed25519", "RS256"] = "ES256"


class Registration(Section, frozen=True, kw_only=True):
    """Dynamic client registration (RFC 7591), off unless `enabled`.

    `initial_access_token_sha256`: digests of the tokens that allow it; `scopes`: all that a
    client registered that way may ask for.
    """

    enabled: bool = False
    initial_access_token_sha256: tuple[SecretDigest, ...] = ()
    scopes: tuple[ScopeToken, ...] = ("openid", "profile", "offline_access")


class Pages(Section, frozen=True, kw_only=True):
    """What people see."""

    title: DisplayName = "Connect a device"
    session_lifetime_s: Annotated[int, Meta(ge=60, le=2_592_000)] = 28_800


class Log(Section, frozen=True, kw_only=True):
    """What is logged and how. Format `auto` is `console` on a terminal and `json` elsewhere."""

    level: Literal["debug", "info", "warning", "error", "critical"] = "info"
    format: Literal["auto", "console", "json"] = "auto"


class User(Section, frozen=True, kw_only=True):
    """A person who may sign in, when no other store of people is used."""

    username: DisplayName
    password_hash: PasswordHash
    name: DisplayName | None = None
    email: Email | None = None
    sub: Subject | None = None
    disabled: bool = False


class Settings(Section, frozen=True, kw_only=True):
    """Everything that can be set. `scopes`: a scope and what it means in words for people."""

    issuer: Issuer | None = None
    server: Server = Server()
    redis: Redis = Redis()
    device: Device = Device()
    tokens: Tokens = Tokens()
    registration: Registration = Registration()
    pages: Pages = Pages()
    log: Log = Log()
    scopes: dict[ScopeToken, DisplayName] = msgspec.field(default_factory=_DEFAULT_SCOPES.copy)
    clients: tuple[Client, ...] = ()
    users: tuple[User, ...] = ()

    @property
    def base_path(self) -> str:
        """The path of the issuer, empty for none: all public paths begin with it."""
        return urlsplit(self.issuer_url).path

    @property
    def issuer_url(self) -> str:
        """The issuer as configured, byte for byte; else the address that the server listens on.

        It never ends with a slash. Who listens on all addresses is reached on loopback.
        """
        if self.issuer is not None:
            return self.issuer
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.server.host, self.server.host)  # noqa: S104 - compared
        bracketed = f"[{host}]" if ":" in host else host
        return f"http://{bracketed}:{self.server.port}"


# What values must be to each other


def _user_code_rules(code: UserCodeFormat) -> Iterator[Finding]:
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


def _client_rules(client: Client) -> Iterator[Finding]:
    if client.auth_method == "none" and client.secret_sha256:
        yield (
            "secret_sha256",
            'set for a client with auth_method "none"',
            "no secret, or another auth_method",
        )
    if client.auth_method in _SECRET_METHODS and not client.secret_sha256:
        yield "secret_sha256", "missing", f'at least one for auth_method "{client.auth_method}"'
    if client.auth_method == "private_key_jwt" and not client.public_keys:
        yield "jwks", "no keys", 'at least one public key for auth_method "private_key_jwt"'
    if client.auth_method == "tls_client_auth" and not client.tls_client_auth_subject_dn:
        yield (
            "tls_client_auth_subject_dn",
            "missing",
            'the name in the certificate, for auth_method "tls_client_auth"',
        )
    if client.introspect and client.auth_method == "none":
        yield "introspect", "set for a public client", "a client that authenticates (RFC 7662 2.1)"


def _server_rules(server: Server) -> Iterator[Finding]:
    if server.port == server.admin_port != 0 and server.host == server.admin_host:
        yield "admin_port", f"got {server.port}, which server.port is too", "another port"


def _redis_rules(redis: Redis) -> Iterator[Finding]:
    if redis.durability == "replicated" and redis.url is None:
        yield "durability", 'got "replicated" without redis.url', '"local" for the embedded store'


def _device_rules(device: Device) -> Iterator[Finding]:
    if device.interval_s > device.max_interval_s:
        yield (
            "interval_s",
            f"got {device.interval_s}",
            f"at most device.max_interval_s, which is {device.max_interval_s}",
        )


def _registration_rules(registration: Registration) -> Iterator[Finding]:
    if registration.enabled and not registration.initial_access_token_sha256:
        yield (
            "initial_access_token_sha256",
            "missing",
            "at least one, or anybody could register clients",
        )


def _settings_rules(settings: Settings) -> Iterator[Finding]:
    if not is_issuer(settings.issuer_url):
        yield (
            "issuer",
            f"missing, with server.host {shown(settings.server.host)}",
            "the https:// URL under which devices and people reach this server",
        )
    yield from _repeated("clients", "client_id", [one.client_id for one in settings.clients])
    yield from _repeated("users", "username", [one.username for one in settings.users])
    yield from _repeated("users", "sub", [one.sub for one in settings.users])
    most = settings.device.max_interval_s
    for i, client in enumerate(settings.clients):
        if client.interval_s is not None and client.interval_s > most:
            yield (
                f"clients[{i}].interval_s",
                f"got {client.interval_s}",
                f"at most device.max_interval_s, which is {most}",
            )


def _repeated(tables: str, field: str, values: Sequence[str | None]) -> Iterator[Finding]:
    first: dict[str, int] = {}
    for i, value in enumerate(values):
        if value is not None and first.setdefault(value, i) != i:
            wrong = f"got {shown(value)}, which {tables}[{first[value]}] has too"
            yield f"{tables}[{i}].{field}", wrong, "another"


_RULES: Rules = {
    UserCodeFormat: _user_code_rules,
    Client: _client_rules,
    Server: _server_rules,
    Redis: _redis_rules,
    Device: _device_rules,
    Registration: _registration_rules,
    Settings: _settings_rules,
}


# Reading


def load(
    path: Path | None,
    *,
    environ: Mapping[str, str],
    overrides: Mapping[str, object] = MappingProxyType({}),
) -> Settings:
    """Read the settings: defaults, then the file, then the environment, then `overrides`.

    `path` None takes the file that DEVICEFLOW_CONFIG names, or none. `overrides` maps dotted
    paths (`server.port`) to values from the command line; None there is "not given".
    Raises ConfigError, which lists all that is wrong.
    """
    if path is None and environ.get(_FILE_VARIABLE):
        path = Path(environ[_FILE_VARIABLE])
    document = _document(path) if path else {}
    origins: dict[str, str] = {}
    reading = Reading(_RULES, setting_paths(), str(path) if path else "", origins)
    for variable, setting in _from_environment(environ, reading, origins):
        _put(document, setting, Text(environ[variable]))
        origins[setting] = variable
    for setting, value in overrides.items():
        if value is not None:
            _put(document, setting, value)
            origins[setting] = "command line"
    _spell_out(document)
    settings = reading.struct(Settings, document)
    if reading.problems or isinstance(settings, UnsetType):
        raise ConfigError(tuple(reading.problems.values()))
    return settings


def setting_paths(kind: type[msgspec.Struct] = Settings, above: str = "") -> tuple[str, ...]:
    """List the dotted paths of all settings that have one value or a list of plain values.

    That leaves out `scopes`, `clients` and `users`, which only a file can hold.
    """
    paths: list[str] = []
    for field in msgspec.structs.fields(kind):
        path = join(above, field.name)
        if nested := struct_in(field.type):
            paths += setting_paths(nested, path)
        elif get_origin(field.type) is not dict and not any(map(struct_in, get_args(field.type))):
            paths.append(path)
    return tuple(paths)


def variable_for(setting: str) -> str:
    """Name the environment variable of a setting: `DEVICEFLOW_SERVER_PORT`."""
    return _VARIABLE + setting.replace(".", "_").upper()


def _document(path: Path) -> dict[str, Any]:
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        reason = error.strerror or "input/output error"
        raise ConfigError((f"{path}: cannot be read: {reason}; expected a TOML file",)) from error
    except RecursionError as error:
        raise ConfigError((f"{path}: lists or tables nested too deeply; expected TOML",)) from error
    except ValueError as error:  # not TOML, not UTF-8, or a number of thousands of digits
        raise ConfigError((f"{path}: {error}; expected TOML in UTF-8",)) from error
    if isinstance(scopes := document.get("scopes"), dict):
        document["scopes"] = _DEFAULT_SCOPES | scopes
    return document


def _from_environment(
    environ: Mapping[str, str], reading: Reading, origins: dict[str, str]
) -> list[tuple[str, str]]:
    """List the variables that are set, each with its setting; refuse those that mean nothing.

    A variable that is set to nothing is not set: that is how compose files leave one out.
    """
    known = {variable_for(setting): setting for setting in setting_paths()}
    given = [name for name in environ if name.startswith(_VARIABLE) and environ[name]]
    for name in given:
        if name not in known and name != _FILE_VARIABLE and not _is_service(name, environ[name]):
            origins[name] = "environment"
            reading.refuse(name, "unknown variable", suggestion(name, [*known, _FILE_VARIABLE]))
    return [(name, known[name]) for name in given if name in known]


def _is_service(name: str, value: str) -> bool:
    # Kubernetes tells every container about a Service called "deviceflow" in such variables.
    if re.fullmatch(r"DEVICEFLOW_SERVICE_(HOST|PORT(_[A-Z0-9_]+)?)", name):
        return True
    if re.fullmatch(r"DEVICEFLOW_PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?", name):
        return True
    return name == "DEVICEFLOW_PORT" and "://" in value


def _put(document: dict[str, Any], setting: str, value: object) -> None:
    *tables, name = setting.split(".")
    table = document
    for key in tables:
        inner = table.setdefault(key, {})
        if not isinstance(inner, dict):
            return  # the reading will say that it should be a table
        table = inner
    table[name] = value


def _spell_out(document: Mapping[str, Any]) -> None:
    """Put the characters of an alphabet in the place of its name."""
    clients = document.get("clients")
    for table in (document.get("device"), *(clients if isinstance(clients, list) else ())):
        code = table.get("user_code") if isinstance(table, dict) else None
        if isinstance(code, dict) and isinstance(name := code.get("alphabet"), str):
            code["alphabet"] = ALPHABETS.get(name, name)
