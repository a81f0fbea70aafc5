"""The URL of the store: how Redis or Valkey is deployed, where it is, and how to sign in there.

    redis://[USER:PASSWORD@]HOST[:PORT][/DB][?OPTIONS]             one server
    redis+sentinel://[USER:PASSWORD@]HOST[:PORT],.../SERVICE[/DB]  a primary that Sentinels name
    redis+cluster://[USER:PASSWORD@]HOST[:PORT],...                a Cluster, by some of its nodes
    unix://[USER:PASSWORD@]/PATH[?db=DB]                           one server, on a Unix socket

With `rediss` in place of `redis`, every connection is TLS. A character of a user name, password
or path that means something in a URL is percent-encoded.
"""

import difflib
import re
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple
from urllib.parse import unquote

import msgspec

from deviceflow.core.address import is_loopback
from deviceflow.core.origin import host_in_url

REDIS_PORT = 6379
SENTINEL_PORT = 26_379
MOST_DATABASES = 10_000

TLS_OPTIONS = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile", "ssl_check_hostname")
SIGN_IN_OPTIONS = ("username", "password")
SENTINEL_OPTIONS = ("sentinel_username", "sentinel_password")

ShapeName = Literal["server", "sentinel", "cluster"]

_SHAPES: dict[str, ShapeName] = {"": "server", "sentinel": "sentinel", "cluster": "cluster"}
_FORMS = (
    "redis://HOST:PORT/DB, redis+sentinel://HOST:PORT,HOST:PORT/SERVICE/DB, "
    "redis+cluster://HOST:PORT,HOST:PORT (rediss for TLS) or unix:///PATH"
)
_SCHEME = re.compile(r"(rediss?)(?:\+(sentinel|cluster))?|unix")
_HOST = re.compile(
    r"(?:\[(?P<v6>[0-9A-Fa-f:.%]+)\]|(?P<name>[^\s:\[\]/?#@]+))(?::(?P<port>[0-9]{1,5}))?"
)
_SWITCH = {"true": True, "false": False}


class StoreUrlError(ValueError):
    """A URL that leads to no store. `wrong`, `right`: for people. No part of the URL is in them."""

    def __init__(self, wrong: str, right: str) -> None:
        super().__init__(f"{wrong}; expected {right}")
        self.wrong = wrong
        self.right = right


class StoreHost(NamedTuple):
    """A host and its port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{host_in_url(self.host)}:{self.port}"


class Tls(msgspec.Struct, frozen=True, kw_only=True):
    """TLS to the store. Paths of files in PEM; without `ca_certs`, the system's CAs are trusted."""

    ca_certs: str | None = None
    certfile: str | None = None
    keyfile: str | None = None
    check_hostname: bool = True


class Login(NamedTuple):
    """A user of the store and its password. Without a name, the user is "default"."""

    username: str | None = None
    password: str | None = None


class StoreUrl(msgspec.Struct, frozen=True, kw_only=True):
    """A URL that was read. `socket_path`: of one server on a Unix socket, which has no endpoints.

    `service`: the name under which Sentinels know the primary.
    """

    shape: ShapeName
    endpoints: tuple[StoreHost, ...] = ()
    socket_path: str = ""
    service: str = ""
    db: int = 0
    login: Login = Login()
    sentinel_login: Login = Login()
    tls: Tls | None = None

    @property
    def address(self) -> str:
        """Where the store is, for people: `redis.example.com:6379` or a path. No password."""
        if self.socket_path:
            return self.socket_path
        hosts = ",".join(map(str, self.endpoints))
        return f"{self.service} by {hosts}" if self.service else hosts

    @property
    def is_on_this_host(self) -> bool:
        """Whether no network is in between: each endpoint is this host's, or there is a socket."""
        return all(is_loopback(endpoint.host) for endpoint in self.endpoints)

    @classmethod
    def parse(cls, text: str) -> "StoreUrl":
        """Read a URL. May raise StoreUrlError."""
        scheme, separator, rest = text.partition("://")
        matched = _SCHEME.fullmatch(scheme)
        if not (matched and separator):
            raise StoreUrlError("not a URL of Redis", _FORMS)
        if "#" in rest:
            raise StoreUrlError('a "#" in the URL', '"%23" for a "#" in a password')
        place, _, query = rest.partition("?")
        authority, _, path = place.partition("/")
        if "@" in path or "@" in query:
            right = '"%2F", "%3F" and "%40" for a "/", "?" and "@" in a password'
            raise StoreUrlError('an "@" behind the host', right)
        userinfo, _, hosts = authority.rpartition("@")
        shape = _SHAPES[matched[2] or ""]
        options = _read_options(query, _known_options(shape, scheme))
        common: dict[str, Any] = {
            "shape": shape,
            "login": _login(userinfo, options),
            "sentinel_login": Login(
                options.get("sentinel_username"), options.get("sentinel_password")
            ),
            "tls": _tls(options) if matched[1] == "rediss" else None,
        }
        if scheme == "unix":
            return _on_a_socket(hosts, unquote(path), options, common)
        port = SENTINEL_PORT if shape == "sentinel" else REDIS_PORT
        common["endpoints"] = tuple(_endpoints(hosts, port, shape))
        return cls(**common, **_place(shape, path, options))


def _known_options(shape: ShapeName, scheme: str) -> tuple[str, ...]:
    """List the options that this kind of URL can have."""
    known: tuple[str, ...] = SIGN_IN_OPTIONS
    if shape != "cluster":
        known = ("db", *known)
    if scheme.startswith("rediss"):
        known += TLS_OPTIONS
    return known + SENTINEL_OPTIONS if shape == "sentinel" else known


def _read_options(query: str, known: tuple[str, ...]) -> dict[str, str]:
    options: dict[str, str] = {}
    for pair in filter(None, query.split("&")):
        name, _, value = pair.partition("=")
        if name not in known:
            raise StoreUrlError(_unknown(name), f"one of {', '.join(known)}")
        if name in options:
            raise StoreUrlError(f"the option {name} twice", "each option once")
        options[name] = unquote(value)
    return options


def _unknown(name: str) -> str:
    # A name of another form may be a part of a password.
    if not re.fullmatch(r"[a-z_]{1,40}", name):
        return "an option without a name that is known"
    if name in TLS_OPTIONS:
        return f"the option {name} without TLS (rediss)"
    every = ("db", *SIGN_IN_OPTIONS, *TLS_OPTIONS, *SENTINEL_OPTIONS)
    near = difflib.get_close_matches(name, every, n=1)
    return f"the unknown option {name}" + (f" (did you mean {near[0]}?)" if near else "")


def _login(userinfo: str, options: dict[str, str]) -> Login:
    username, colon, password = userinfo.partition(":")
    return Login(
        unquote(username) or options.get("username"),
        unquote(password) if colon else options.get("password"),
    )


def _tls(options: dict[str, str]) -> Tls:
    if ("ssl_certfile" in options) != ("ssl_keyfile" in options):
        raise StoreUrlError("ssl_certfile or ssl_keyfile alone", "both of them, or neither")
    check = options.get("ssl_check_hostname", "true")
    if check not in _SWITCH:
        raise StoreUrlError("another value of ssl_check_hostname", "true or false")
    return Tls(
        ca_certs=options.get("ssl_ca_certs"),
        certfile=options.get("ssl_certfile"),
        keyfile=options.get("ssl_keyfile"),
        check_hostname=_SWITCH[check],
    )


def _endpoints(hosts: str, default_port: int, shape: ShapeName) -> Iterator[StoreHost]:
    each = hosts.split(",")
    if len(each) > 1 and shape == "server":
        right = "one host, or redis+sentinel:// or redis+cluster://"
        raise StoreUrlError(f"{len(each)} hosts of one server", right)
    for text in each:
        matched = _HOST.fullmatch(text)
        port = int(matched["port"] or default_port) if matched else 0
        if matched is None or not 0 < port < 2**16:
            raise StoreUrlError("a host that cannot be read", "HOST or HOST:PORT, [::1]:PORT")
        yield StoreHost(unquote(matched["v6"] or matched["name"]), port)


def _place(shape: ShapeName, path: str, options: dict[str, str]) -> dict[str, Any]:
    """Return the fields `service` and `db`, from the path."""
    if shape == "cluster":
        if path not in {"", "0"}:
            raise StoreUrlError("a path behind a Cluster", "none: a Cluster has database 0 only")
        return {}
    service = ""
    if shape == "sentinel":
        service, _, path = path.partition("/")
        if not service:
            raise StoreUrlError("no service name", "redis+sentinel://HOST:PORT/SERVICE")
    return {"service": unquote(service), "db": _database(path or options.get("db", ""))}


def _on_a_socket(
    hosts: str, path: str, options: dict[str, str], common: dict[str, Any]
) -> StoreUrl:
    if hosts or not path:
        raise StoreUrlError("no path of a socket", "unix:///PATH")
    database = _database(options.get("db", ""))
    return StoreUrl(socket_path=f"/{path}", db=database, **common)


def _database(text: str) -> int:
    if not text:
        return 0
    if not re.fullmatch(r"\d{1,4}", text):
        right = f"a whole number from 0 to {MOST_DATABASES - 1}"
        raise StoreUrlError("a database that is no number", right)
    return int(text)
