"""The peers by name, and what is got of them before a run."""

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.console import Console

from benchmarks.peers import (
    authlib,
    dex,
    django_oauth_toolkit,
    hydra,
    keycloak,
    oidc_provider,
    spring,
)
from benchmarks.peers.peer import Peer, call, find_tool
from benchmarks.processes import BenchmarkError

PEERS = {
    peer.name: peer
    for peer in (
        oidc_provider.PEER,
        dex.POSTGRES_PEER,
        dex.SQLITE_PEER,
        keycloak.PEER,
        spring.PEER,
        hydra.PEER,
        django_oauth_toolkit.PEER,
        authlib.PEER,
    )
}


def programs_folder() -> Path:
    """Return the default folder for what is got: a cache of this user."""
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(cache) / "deviceflow-peers"


def choose(names: Sequence[str]) -> list[Peer]:
    """Return the peers with these names, or all. May raise BenchmarkError."""
    unknown = sorted(set(names) - set(PEERS))
    if unknown:
        raise BenchmarkError(f"there is no peer {', '.join(unknown)}; there are {', '.join(PEERS)}")
    return [peer for name, peer in PEERS.items() if not names or name in names]


def get_all(peers: Iterable[Peer], programs: Path, console: Console) -> dict[str, str]:
    """Get what is missing in `programs`, and return why which peers cannot run, by name."""
    skipped = {}
    for peer in peers:
        reason = peer.missing()
        if reason is None and not peer.ready(programs):
            console.print(f"{peer.title}: getting {peer.version} ...", highlight=False)
            try:
                peer.get(programs)
            except BenchmarkError as error:
                reason = str(error)
        if reason is not None:
            skipped[peer.name] = reason
            console.print(f"{peer.title}: not measured: {reason}", style="bold", highlight=False)
    return skipped


def versions(peers: Iterable[Peer]) -> dict[str, str]:
    """Return what runs, for the record of a result."""
    told = {f"version of {peer.name}": peer.version for peer in peers}
    for name, program in (("PostgreSQL", "postgres"), ("Java", "java")):
        path = find_tool(program)
        found = re.search(r"\d+(\.\d+)*", call([path, "--version"])) if path else None
        told |= {name: found[0]} if found else {}
    return told
