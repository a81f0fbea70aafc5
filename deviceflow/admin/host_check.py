"""The names by which the console may be reached: no stranger's name leads to it (DNS rebinding).

A web page of a stranger can give its own name the address of the admin port, and then read it as
its own origin. So a name has to be one of a list. An address as the name is not such a trick.
"""

from collections.abc import Collection
from ipaddress import ip_address

LOOPBACK_NAME = "localhost"


def is_own_host(host: str, names: Collection[str]) -> bool:
    """Return whether `host`, the Host header with or without a port, is this server's own.

    `names`: those that the settings list, in lower case.
    """
    name = _without_port(host.lower())
    if name == LOOPBACK_NAME or name.endswith(f".{LOOPBACK_NAME}") or name in names:
        return True
    try:
        ip_address(name.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    return True


def _without_port(host: str) -> str:
    name, colon, port = host.rpartition(":")
    return name if colon and port.isascii() and port.isdigit() else host
