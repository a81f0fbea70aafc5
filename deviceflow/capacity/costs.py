"""What was measured: the cost of each operation, and the memory of what is kept.

The figures are in costs.toml, each with its source. An operator's own file may replace some.
"""

import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from deviceflow.capacity.fleet import CapacityError

Figure = Annotated[float, Meta(ge=0, le=1e12)]


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A part of the file. `source`: where its figures come from."""

    source: str = ""


class Operation(Section, frozen=True, kw_only=True):
    """The cost of one operation.

    `server_us`: CPU time of a worker that is awake; `store_us`: of the store; both in us. `wakes`:
    how often a worker that has nothing else to do wakes up for it. `store_bytes`: what goes between
    them. `network_bytes`: between the device and the proxy, without TLS handshakes.
    """

    server_us: Figure
    wakes: Figure
    store_us: Figure
    store_commands: Figure
    store_bytes: Figure
    network_bytes: Figure


class Operations(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The operations of a login, and of a device that is signed in.

    `poll`: pending, over a kept connection; `poll_connecting`: over a connection of its own;
    `held_poll`: pending until its time is over. `approval`: all pages of it, for a person with a
    session. `password`: what a sign-in with a password costs beyond that.
    """

    poll: Operation
    poll_connecting: Operation
    held_poll: Operation
    start: Operation
    approval: Operation
    password: Operation
    redemption: Operation
    refresh: Operation


class Proxy(Section, frozen=True, kw_only=True):
    """nginx in front: CPU time of a request by how its connection came, in us.

    `plain_us`, `connecting_us`: without TLS, over a kept connection and over a new one. `kept_us`,
    `resumed_us`, `full_us`: with TLS. `connection_bytes`: memory of an idle TLS connection.
    `resumed_bytes`, `full_bytes`: of a handshake, over the network.
    """

    plain_us: Figure
    connecting_us: Figure
    kept_us: Figure
    resumed_us: Figure
    full_us: Figure
    connection_bytes: Figure
    resumed_bytes: Figure
    full_bytes: Figure


class Workers(Section, frozen=True, kw_only=True):
    """What workers cost beside requests.

    `mixed`: how many times as much operations cost between those of other kinds as among their own,
    whose code and data are in the caches. `wake_us`: a worker that slept wakes up. `decision_us`,
    `decision_wakes`: each worker hears of each decision. `idle_us`: a worker without requests, each
    second. `told_us`, `heard_us`: a report of the pace, to and from other hosts.
    """

    mixed: Figure
    wake_us: Figure
    decision_us: Figure
    decision_wakes: Figure
    idle_us: Figure
    idle_store_us: Figure
    idle_store_commands: Figure
    told_us: Figure
    heard_us: Figure
    report_bytes: Figure


class Memory(Section, frozen=True, kw_only=True):
    """Bytes of memory.

    In a host: `supervisor`, `worker`, a `slot` of the pace table, a `connection` that is kept, a
    grant that was `heard` of from another host. In the store: a grant's key and that of its user
    code, an approved grant, a family of refresh tokens, a device in the list of its person, a
    session, an account, an opaque token, an entry of the decision log.
    """

    supervisor: Figure
    worker: Figure
    slot: Figure
    connection: Figure
    heard: Figure
    grant: Figure
    user_code: Figure
    approved_grant: Figure
    family: Figure
    listed_device: Figure
    session: Figure
    account: Figure
    opaque_token: Figure
    logged_decision: Figure


class Costs(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All figures, and the machine that they were measured on."""

    machine: str
    measured_on: str
    operations: Operations
    proxy: Proxy
    workers: Workers
    memory: Memory

    def mixed(self) -> "Costs":
        """Return what the same operations cost a worker that does all of them in turn.

        A password stays as it is: nearly all of it is one long computation, out of every cache.
        """
        times = self.workers.mixed
        operations = {
            name: msgspec.structs.replace(each, server_us=each.server_us * times)
            for name, each in msgspec.structs.asdict(self.operations).items()
            if name != "password"
        }
        workers = msgspec.structs.replace(
            self.workers,
            mixed=1.0,
            wake_us=self.workers.wake_us * times,
            decision_us=self.workers.decision_us * times,
        )
        return msgspec.structs.replace(
            self, operations=msgspec.structs.replace(self.operations, **operations), workers=workers
        )


def read(own: Path | None = None) -> Costs:
    """Read the figures of this package, with those of the file `own` in their place.

    `own` is TOML or JSON with any part of costs.toml. May raise CapacityError.
    """
    text = (files("deviceflow.capacity") / "costs.toml").read_text(encoding="utf-8")
    document = tomllib.loads(text)
    if own is not None:
        document = _merged(document, _parsed(own))
    try:
        return msgspec.convert(document, Costs, strict=False)
    except msgspec.ValidationError as error:
        raise CapacityError(f"{own}: {error}") from error


def _parsed(path: Path) -> dict[str, object]:
    try:
        data = path.read_bytes()
        if path.suffix == ".json":
            return msgspec.json.decode(data, type=dict[str, object])
        return tomllib.loads(data.decode())
    except OSError as error:
        raise CapacityError(f"{path}: cannot be read: {error.strerror}") from error
    except (msgspec.DecodeError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CapacityError(f"{path}: neither TOML nor JSON with costs: {error}") from error


def _merged(base: dict[str, object], other: dict[str, object]) -> dict[str, object]:
    """Return `base` with the values of `other`, table by table."""
    merged = dict(base)
    for name, value in other.items():
        before = merged.get(name)
        is_table = isinstance(before, dict) and isinstance(value, dict)
        merged[name] = _merged(before, value) if is_table else value  # type: ignore[arg-type]
    return merged
