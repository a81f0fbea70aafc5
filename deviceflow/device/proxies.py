"""The proxy for an address, by HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY of the environment.

The same names in lower case go first. Loopback never goes through a proxy: http is allowed there
only because such a request crosses no network.
"""

import os
from collections.abc import Mapping
from urllib.parse import urlsplit

from deviceflow.core.address import is_loopback
from deviceflow.device.answers import printable
from deviceflow.device.errors import DeviceFlowError

_SCHEMES = {"http", "https"}


def proxy_for(url: str, environ: Mapping[str, str] = os.environ) -> str | None:
    """Return the address of the proxy for `url`, or None for a direct connection.

    May raise DeviceFlowError: the environment names a proxy of another kind, such as SOCKS.
    """
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    if is_loopback(host) or _is_excluded(host, _value(environ, "no_proxy")):
        return None
    for name in (f"{parts.scheme}_proxy", "all_proxy"):
        value = _value(environ, name)
        proxy = value if "://" in value else f"http://{value}"
        if value and _is_usable(proxy):
            return proxy
        if value:
            raise DeviceFlowError(
                f"{name.upper()} is {shown(proxy)}, but a proxy must have the form "
                f"http://host:port. Change it, or add {host} to NO_PROXY."
            )
    return None


def shown(proxy: str) -> str:
    """Return the address of a proxy without its password, for messages."""
    head, at, place = printable(proxy).rpartition("@")
    return f"{head.partition('://')[0]}://{place}" if at else place


def _value(environ: Mapping[str, str], name: str) -> str:
    return (environ.get(name) or environ.get(name.upper()) or "").strip()


def _is_excluded(host: str, excluded: str) -> bool:
    """Return whether NO_PROXY names the host, a domain that it is in, or everything."""
    names = [name.strip().lower().removeprefix("*").lstrip(".") for name in excluded.split(",")]
    if "*" in (name.strip() for name in excluded.split(",")):
        return True
    return any(name and (host == name or host.endswith(f".{name}")) for name in names)


def _is_usable(proxy: str) -> bool:
    try:
        parts = urlsplit(proxy)
        _ = parts.port
    except ValueError:
        return False
    return parts.scheme in _SCHEMES and bool(parts.hostname)
