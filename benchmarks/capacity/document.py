"""The costs as a file that `deviceflow capacity --costs` reads."""

from collections.abc import Mapping
from pathlib import Path

import msgspec

from benchmarks.capacity.journey import Measured
from benchmarks.results import Result
from deviceflow.capacity.costs import read

COSTS = Path(__file__).parents[2] / "deviceflow" / "capacity" / "costs.toml"
SOURCE = "python -m benchmarks capacity"
PACKETS_BYTES = 320.0
"""Of a request and its answer: IP and TCP headers of four packets, and two TLS records."""

LEAST_COMMANDS = 0.1
LOAD = "load average"
"""The parameter of a result: what else the machine had to do, and the benchmark itself."""

MEMORY_SOURCE = (
    "python -m benchmarks capacity; supervisor, worker, connection, logged_decision: "
    "docs/operations/sizing.md; listed_device: decision 0028; slot: core/pace.py"
)
PUBLIC_CHAIN_BYTES = 2_500.0
"""What the certificates of a public CA add to a full handshake."""

HEAD = """\
# The figures of `deviceflow capacity`, each part with its source. us is a millionth of a second of
# one core. `python -m benchmarks capacity` measures them, and writes a file of this form;
# `deviceflow capacity --costs FILE` takes it, or any part of it.
"""

OPERATIONS = (
    "poll",
    "poll_connecting",
    "held_poll",
    "start",
    "approval",
    "password",
    "redemption",
    "refresh",
)


def operation_tables(found: Mapping[str, Measured]) -> dict[str, dict[str, float]]:
    """Return the tables of the operations."""
    return {f"operations.{name}": _operation(found[name]) for name in OPERATIONS}


def _operation(measured: Measured) -> dict[str, float]:
    usage = measured.usage
    # Pending polls send nothing: what is left beside an idle server is chance.
    has_store = usage.commands > LEAST_COMMANDS
    return {
        "server_us": usage.server_us,
        "wakes": measured.wakes,
        "store_us": max(0.0, usage.store_us) * has_store,
        "store_commands": max(0.0, usage.commands) * has_store,
        "store_bytes": max(0.0, usage.store_bytes) * has_store,
        "network_bytes": measured.network_bytes + PACKETS_BYTES,
    }


def costs_text(
    tables: Mapping[str, Mapping[str, float]], memory: Mapping[str, float], result: Result
) -> str:
    """Return a file like costs.toml: what was measured, and the rest with its own sources."""
    costs = read()
    before = msgspec.to_builtins(costs.memory)
    parts: dict[str, dict[str, float]] = {name: dict(rows) for name, rows in tables.items()}
    parts["proxy"]["full_bytes"] += PUBLIC_CHAIN_BYTES
    parts["memory"] = before | parts["memory"] | dict(memory)
    sources = {"memory": MEMORY_SOURCE}
    machine = result.machine
    words = f"{machine.cpu}, {machine.cores} cores, {machine.memory_gb:g} GB, {machine.system}"
    words += f", with a load average of {result.parameters[LOAD]}"
    lines = [HEAD, f'machine = "{words}"', f'measured_on = "{result.measured_on}"']
    for name, rows in parts.items():
        source = sources.get(name, f"{SOURCE}, {result.measured_on}")
        figures = [f"{key} = {_figure(value)}" for key, value in rows.items() if key != "source"]
        lines += ["", f"[{name}]", *figures, f'source = "{source}"']
    return "\n".join(lines) + "\n"


def _figure(value: float) -> str:
    """Format with three digits."""
    return f"{float(f'{value:.3g}'):g}" if value < 1e6 else f"{value:.3g}"
