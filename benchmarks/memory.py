"""`memory`: the memory of a pending grant in the server and in the store.

The grants are made with `Grants.issue`, as the authorization endpoint makes them. Then each is
polled, because a grant needs memory in the server only when its pace is recorded. The server's
figure is the growth of all its processes, with their shared pace table counted once. The store's
figure is the growth of what Valkey has allocated.
"""

from benchmarks import plots
from benchmarks.grants import issue_many
from benchmarks.load import CONNECTIONS, Load, Shot
from benchmarks.polls import CODE_LENGTH, poll_start, seal, write_codes
from benchmarks.processes import memory_bytes
from benchmarks.results import Result
from benchmarks.run import Run
from benchmarks.servers import Competitor, Place, deviceflow
from benchmarks.stores import Store, store
from deviceflow.fleet.machine import core_count
from deviceflow.store import keyspace

COUNTS = (100_000, 1_000_000)
WARM_UP = 1_000
WARM_UP_S = 3.0
ROUND_S = 5.0
SERVER_LIMIT, STORE_LIMIT = 16.0, 400.0
USER_CODE_KEY, GRANT_KEY = keyspace.user_code("*"), keyspace.grant("*")
SAMPLED = 1_000


class Memory:
    """The benchmark: a store that is filled step by step."""

    def __init__(self, run: Run, opened: Store, server: Competitor) -> None:
        self._run = run
        self._store = opened
        self._server = server
        self._load = Load(run.folder, run.cores.generator)
        self.figures: dict[str, float] = {}
        self._made = 0
        self._empty = 0
        self._before = 0

    def start(self) -> None:
        """Measure the server and the store when they are warm and empty."""
        installation = self._store.installation()
        codes = write_codes(seal(installation.codes, WARM_UP), self._run.folder / "warm")
        before = poll_start(self._server.port)
        # Get both kinds of answers, so that the later growth has no one-time costs.
        self._load.fire(self._server.port, Shot(before, codes), WARM_UP_S)
        self._empty = self._store.used_memory()
        self._before = memory_bytes(self._server.pids[0])

    def measure(self, count: int) -> None:
        """Measure with `count` grants in the store, all of them polled."""
        fresh = self._make(count - self._made)
        self._made = count
        grown = self._store.used_memory() - self._empty
        self.figures[f"store, bytes per grant at {count:,}"] = grown / count
        self._poll(fresh)
        used = memory_bytes(self._server.pids[0]) - self._before
        self.figures[f"server, bytes per grant at {count:,}"] = used / count

    def keys(self) -> None:
        """Measure single keys with MEMORY USAGE, as a check on the growth."""
        client = self._store.client
        for name, pattern in (("grant", GRANT_KEY), ("user code", USER_CODE_KEY)):
            _, keys = client.scan(match=pattern, count=4 * SAMPLED)
            sizes = [client.memory_usage(key, samples=0) or 0 for key in keys[:SAMPLED]]
            self.figures[f"store, bytes of a {name} key"] = sum(sizes) / max(1, len(sizes))

    def _make(self, count: int) -> list[str]:
        with self._run.screen.steps(f"making {count:,} grants", count) as steps:
            return issue_many(self._store.url, count, core_count(), steps.done)

    def _poll(self, codes: list[str]) -> None:
        path = write_codes(codes, self._run.folder / "fresh")
        before = poll_start(self._server.port)
        sent = 0
        with self._run.screen.steps(f"polling {len(codes):,} grants", len(codes)) as steps:
            while sent < len(codes):
                shot = Shot(before, path, sent % (path.stat().st_size // CODE_LENGTH))
                fired = self._load.fire(self._server.port, shot, ROUND_S)
                sent += fired.requests
                steps.done(fired.requests)


def run(run: Run, counts: tuple[int, ...] = COUNTS) -> Result:
    """Measure each number of grants, in growing order."""
    with (
        store(run.folder, run.cores.generator) as opened,
        deviceflow(Place(run.folder, run.cores.server), opened.url) as server,
    ):
        memory = Memory(run, opened, server)
        memory.start()
        for count in counts:
            memory.measure(count)
        memory.keys()
        allocator = opened.allocator()
    parameters: dict[str, float | int | str] = {
        "allocator": allocator,
        "workers": 1,
        "connections": CONNECTIONS,
    }
    result = run.finish("memory", [], memory.figures, parameters)
    rows = [
        (name.replace(", bytes per grant", ""), value, limit)
        for name, value in memory.figures.items()
        for limit in (SERVER_LIMIT if name.startswith("server") else STORE_LIMIT,)
        if "per grant" in name
    ]
    plots.limits(run.results / "memory.svg", rows, "Bytes per pending grant")
    return result
