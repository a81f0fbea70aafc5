"""What this machine allows: open files of a process, and ports of an address."""

import resource
import socket
from collections.abc import Sequence
from ipaddress import IPv4Address, ip_address
from pathlib import Path
from typing import NamedTuple

SPARE_FILES = 200
"""Files of a process beside its connections to the server."""

CLOSED_S = 60
"""How long the port of a closed connection is not used again (TIME_WAIT)."""

USABLE = 0.9
"""The part of an address's ports that a run may use: other programs use ports, too."""

FAST = 0.45
"""The part of them that costs little. Linux looks through every second port first. When all of
these are in use, each new connection takes one or two milliseconds instead of 20 microseconds."""

IPV4 = 4

_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
_USUAL_RANGE = (32_768, 60_999)
_FIRST_SOURCE = IPv4Address("127.0.0.2")
_MOST_SOURCES = 250
_MOST_PROCESSES = 256


class LimitError(Exception):
    """The machine does not allow what a run needs. The text says what to do."""


class Needs(NamedTuple):
    """What a run needs: open files in all processes together, and ports."""

    files: int
    ports: int


def ports_needed(kept: int, closed_per_s: float) -> int:
    """Return how many ports a run needs: those of open connections, and of those just closed."""
    return kept + int(closed_per_s * CLOSED_S)


def raise_file_limit() -> int:
    """Raise the limit on open files as far as this user may, and return it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        except (OSError, ValueError):
            return soft
    return hard if hard != resource.RLIM_INFINITY else 1 << 30


def processes_for(needs: Needs, limit: int) -> int:
    """Return how many processes a run needs, if each may have `limit` open files."""
    return max(1, -(-needs.files // max(1, limit - SPARE_FILES)))


def check_files(needs: Needs, processes: int, limit: int) -> None:
    """Check that the processes may open enough files. May raise LimitError."""
    needed = -(-needs.files // processes) + SPARE_FILES
    if needed <= limit:
        return
    enough = processes_for(needs, limit)
    where = f"each of {processes} processes" if processes > 1 else "one process"
    more = f", or use {enough} processes (--processes)" if enough <= _MOST_PROCESSES else ""
    raise LimitError(
        f"{needed:,} open files are needed in {where}, and {limit:,} are allowed. Run "
        f"`ulimit -Hn {needed}` as root before{more}."
    )


def processes_of_run(needs: Needs, given: int | None) -> int:
    """Return how many processes a run has: those that are given, or what open files need.

    Raises the limit on open files. May raise LimitError.
    """
    limit = raise_file_limit()
    processes = given or processes_for(needs, limit)
    if processes > _MOST_PROCESSES:
        processes = 1  # the message is then about one, which needs the largest limit
    check_files(needs, processes, limit)
    return processes


def ports_of_address(part: float = USABLE) -> int:
    """Return how many connections may come from one address to one port of a server.

    `part`: of its ports, USABLE or FAST.
    """
    try:
        low, high = (int(word) for word in _RANGE.read_text().split())
    except (OSError, ValueError):
        low, high = _USUAL_RANGE
    return int((high - low + 1) * part)


def sources_for(needs: Needs, *, server: str, given: Sequence[str]) -> tuple[str, ...]:
    """Return the addresses that connections come from, none if the system may choose.

    `server`: its address, as a number. To 127.0.0.1, connections may come from every address of
    127.0.0.0/8, so there are enough of them for each to be FAST. ::1 is one address alone. May
    raise LimitError.
    """
    address = ip_address(server)
    if address.version == IPV4 and address.is_loopback and not given:
        many = -(-needs.ports // ports_of_address(FAST))
        if many > _MOST_SOURCES:
            raise LimitError(_few_ports(needs, 1))
        return tuple(str(_FIRST_SOURCE + number) for number in range(many)) if many > 1 else ()
    for source in given:
        _check_source(source, server)
    addresses = len(given) or 1
    if addresses * ports_of_address() < needs.ports:
        raise LimitError(_few_ports(needs, addresses))
    return tuple(given)


def _check_source(source: str, server: str) -> None:
    """Check that connections to the server may come from an address of this machine."""
    version = ip_address(source).version
    if version != ip_address(server).version:
        raise LimitError(f"From {source}, no connection leads to {server}. Give another --source.")
    with socket.socket(socket.AF_INET if version == IPV4 else socket.AF_INET6) as sock:
        try:
            sock.bind((source, 0))
        except OSError as error:
            raise LimitError(
                f"{source} is no address of this machine ({error.strerror}). `ip address` lists "
                "those that --source may name."
            ) from error


def _few_ports(needs: Needs, addresses: int) -> str:
    enough = -(-needs.ports // ports_of_address())
    have = "one address of this machine has"
    if addresses > 1:
        have = f"{addresses} addresses of this machine have"
    return (
        f"{needs.ports:,} ports are needed, and {have} {addresses * ports_of_address():,}. Give "
        f"--source ADDRESS for each of {enough} addresses, allow more ports (sysctl "
        "net.ipv4.ip_local_port_range), or let fewer devices make a connection for each poll."
    )
