"""A store of every shape, for the tests that do not care which one it is.

DEVICEFLOW_STORE chooses: `single` (the default: one server, in which deviceflow's user has the
rights of config/redis.acl), `tls` (the same behind TLS, with a client certificate), `sentinel` or
`cluster` (three primaries).
Each has what `Valkey` has: it starts, stops, is killed and gets signals as a whole.
"""

import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from itertools import cycle
from pathlib import Path
from signal import Signals
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import pytest
from redis import Redis, RedisCluster
from redis.asyncio import Redis as AsyncRedis
from redis.asyncio import RedisCluster as AsyncRedisCluster
from redis.exceptions import RedisError

from tests.stage.ports import free_port
from tests.stage.tls import Certificates, TlsFront
from tests.stage.valkey import RUNNING, SERVER, Valkey
from tests.stage.waiting import until_outside

SHAPE = os.environ.get("DEVICEFLOW_STORE", "single")

PASSWORD = "a password of the tests"
SENTINEL_PASSWORD = "a password of the Sentinel"
SERVICE = "store"
USER = "deviceflow:secret"
ACL_FILE = Path(__file__).parents[2] / "config" / "redis.acl"
SLOTS = 16_384

FAST_SYNC = {"repl-diskless-sync-delay": "0", "repl-ping-replica-period": "1"}


class ManyServers:
    """Several servers that start, stop and end together."""

    def __init__(self) -> None:
        self.servers: list[Valkey] = []

    @property
    def url(self) -> str:
        raise NotImplementedError

    @property
    def socket_path(self) -> Path:
        pytest.skip("stands between the server and one Unix socket, which this shape has not")

    def writable(self) -> Sequence[Valkey]:
        """The servers that take the writes now."""
        return [server for server in self.servers if server.run(("ROLE",))[0][0] == b"master"]

    def start(self) -> None:
        for server in self.servers:
            server.start()

    def stop(self) -> None:
        for server in self.servers:
            server.stop()

    def kill(self) -> None:
        for server in self.servers:
            server.kill()

    def signal(self, number: Signals) -> None:
        for server in self.servers:
            server.signal(number)

    def __enter__(self) -> Self:
        self.start()
        RUNNING[self.url] = self
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        RUNNING.pop(self.url, None)
        for server in self.servers:
            server.__exit__(kind, error, trace)


class Cluster(ManyServers):
    """Primaries that share the hash slots evenly, and `replicas`: one of each in turn."""

    def __init__(
        self, config: Mapping[str, str] | None = None, primaries: int = 3, replicas: int = 0
    ) -> None:
        super().__init__()
        self.primaries = primaries
        common = {
            "cluster-enabled": "yes",
            "cluster-node-timeout": "1500",
            "cluster-require-full-coverage": "no",
            "cluster-replica-validity-factor": "0",
        }
        for _ in range(primaries + replicas):
            own = {"cluster-port": str(free_port())}
            merged = common | FAST_SYNC | own | dict(config or {})
            self.servers.append(Valkey(merged, port=free_port()))
        self._is_formed = False

    @property
    def url(self) -> str:
        hosts = ",".join(f"127.0.0.1:{server.port}" for server in self.servers)
        return f"redis+cluster://{hosts}"

    def start(self) -> None:
        super().start()
        if not self._is_formed:
            self._form()
            self._is_formed = True
        until_outside(self._is_well)

    def client(self) -> RedisCluster:
        return RedisCluster(host="127.0.0.1", port=self.servers[0].port)

    def admin(self) -> AsyncRedisCluster:
        return AsyncRedisCluster(host="127.0.0.1", port=self.servers[0].port)

    def _form(self) -> None:
        clients: list[Any] = [server.client() for server in self.servers]
        for i, client in enumerate(clients[: self.primaries]):
            first, last = SLOTS * i // self.primaries, SLOTS * (i + 1) // self.primaries - 1
            client.execute_command("CLUSTER", "ADDSLOTSRANGE", first, last)
            client.execute_command("CLUSTER", "SET-CONFIG-EPOCH", i + 1)
        for server in self.servers[1:]:
            clients[0].execute_command(
                "CLUSTER", "MEET", "127.0.0.1", server.port, server.config["cluster-port"]
            )
        ids = [client.execute_command("CLUSTER", "MYID") for client in clients[: self.primaries]]
        for client, primary in zip(clients[self.primaries :], cycle(ids), strict=False):
            until_outside(partial(accepts, client, "CLUSTER", "REPLICATE", primary))
        for client in clients:
            client.close()

    def _is_well(self) -> bool:
        """Whether each node knows of all, and of the replicas which they are."""
        replicas = len(self.servers) - self.primaries
        for server in self.servers:
            with server.client() as client:
                connected: Any = client
                info = connected.execute_command("CLUSTER INFO")
                nodes = connected.execute_command("CLUSTER NODES")
            flags = [node["flags"] for node in nodes.values()]
            is_well = info["cluster_state"] == "ok" and len(nodes) == len(self.servers)
            if not is_well or sum("slave" in each for each in flags) < replicas:
                return False
        return True


def accepts(client: Any, *command: object) -> bool:  # noqa: ANN401, redis-py's
    """Run a command; return whether it was not refused."""
    try:
        client.execute_command(*command)
    except RedisError:
        return False
    return True


class Sentinels(ManyServers):
    """A primary, `replicas`, and a Sentinel that lets one of them take over.

    `patience_ms`: how long the primary may be silent before the Sentinel calls it down.
    """

    def __init__(
        self,
        config: Mapping[str, str] | None = None,
        replicas: int = 1,
        patience_ms: int = 1_000,
    ) -> None:
        super().__init__()
        secrets = {"requirepass": f'"{PASSWORD}"', "masterauth": f'"{PASSWORD}"'}
        merged = FAST_SYNC | secrets | dict(config or {})
        primary = Valkey(merged, port=free_port(), password=PASSWORD)
        replica = {"replicaof": f"127.0.0.1 {primary.port}"}
        self.servers = [primary]
        for _ in range(replicas):
            self.servers.append(Valkey(merged | replica, port=free_port(), password=PASSWORD))
        self.sentinel_port = free_port()
        self._sentinel = Valkey(
            {
                "sentinel monitor": f"{SERVICE} 127.0.0.1 {primary.port} 1",
                "sentinel auth-pass": f'{SERVICE} "{PASSWORD}"',
                "sentinel down-after-milliseconds": f"{SERVICE} {patience_ms}",
                "sentinel failover-timeout": f"{SERVICE} 3000",
                "requirepass": f'"{SENTINEL_PASSWORD}"',
            },
            port=self.sentinel_port,
            password=SENTINEL_PASSWORD,
            arguments=("--sentinel",),
        )

    @property
    def url(self) -> str:
        password, sentinel = quote(PASSWORD), quote(SENTINEL_PASSWORD)
        place = f"127.0.0.1:1,127.0.0.1:{self.sentinel_port}/{SERVICE}/0"
        return f"redis+sentinel://:{password}@{place}?sentinel_password={sentinel}"

    def start(self) -> None:
        super().start()
        self._sentinel.start()
        until_outside(self._is_well)

    def stop(self) -> None:
        self._sentinel.stop()
        super().stop()

    def kill(self) -> None:
        self._sentinel.kill()
        super().kill()

    def signal(self, number: Signals) -> None:
        self._sentinel.signal(number)
        super().signal(number)

    def client(self) -> Redis:
        return self.writable()[0].client()

    def admin(self) -> AsyncRedis:
        return self.writable()[0].admin()

    def sentinel(self) -> Redis:
        """A client of the Sentinel. Close it."""
        return self._sentinel.client()

    def is_in_step(self) -> bool:
        """Whether each replica has everything that the primary has acknowledged."""
        with self.client() as client:
            connected: Any = client
            _, offset, replicas = connected.execute_command("ROLE")
        return [int(reached) for _, _, reached in replicas] == [offset] * (len(self.servers) - 1)

    def _is_well(self) -> bool:
        with self.sentinel() as client:
            state = client.sentinel_master(SERVICE)
        is_known = state["num-slaves"] >= len(self.servers) - 1 and state["flags"] == "master"
        return bool(is_known and self.is_in_step())

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._sentinel.__exit__(kind, error, trace)
        super().__exit__(kind, error, trace)


class WithAcl(Valkey):
    """One server, in which the server's user may do what config/redis.acl says."""

    def __init__(self, config: Mapping[str, str] | None = None) -> None:
        super().__init__(config)
        rules = ACL_FILE.read_text(encoding="utf-8").splitlines()
        (rule,) = (line for line in rules if line.startswith("user deviceflow "))
        users = ("user default on nopass ~* &* +@all", rule.replace("CHANGE-ME", "secret"))
        acl = self.folder / "users.acl"
        acl.write_text("\n".join(users) + "\n", encoding="utf-8")
        self.config["aclfile"] = str(acl)
        self.url = self.url.replace("unix://", f"unix://{USER}@")


class WithTls(WithAcl):
    """The same behind TLS, which asks for a client certificate."""

    def __init__(self, config: Mapping[str, str] | None = None) -> None:
        super().__init__(config)
        certificates = Certificates(self.folder)
        self._front = TlsFront(self.socket_path, certificates)
        self._running = ExitStack()
        self.url = f"rediss://{USER}@127.0.0.1:{self._front.port}?{certificates.options}"

    def __enter__(self) -> Self:
        self._running.enter_context(self._front.open())
        return super().__enter__()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._running.close()
        super().__exit__(kind, error, trace)


KINDS: dict[str, Any] = {
    # An old server does not start with the rights that only a newer one knows.
    "single": Valkey if SERVER else WithAcl,
    "tls": WithTls,
    # On a busy machine, a switch that no test asked for would fail the tests after it.
    "sentinel": partial(Sentinels, patience_ms=60_000),
    "cluster": Cluster,
}


def store_of_this_run(config: Mapping[str, str] | None = None) -> Any:  # noqa: ANN401, one of KINDS
    """Return a store of the shape that DEVICEFLOW_STORE names. It does not run yet."""
    if SHAPE not in KINDS:
        raise LookupError(f"DEVICEFLOW_STORE is {SHAPE!r}; expected one of {', '.join(KINDS)}")
    return KINDS[SHAPE](config)


def many(number: int) -> int:
    """A large number for a test: a fifth of it in a run with a store of another shape.

    How costs grow does not depend on the shape.
    """
    return number if SHAPE == "single" else number // 5


def not_on(*shapes: str, why: str) -> pytest.MarkDecorator:
    """Skip a test in a run with a store of one of `shapes`."""
    return pytest.mark.skipif(SHAPE in shapes, reason=f"not on {SHAPE}: {why}")
