"""A run over all readers: the inputs are shared out by cost, and each finding is kept in a file.

A chunk of inputs depends on the seed, the reader and the number of the chunk, and on nothing else:
neither on how many processes there are nor on how fast they are.
"""

import logging
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from hashlib import sha256
from multiprocessing import get_context
from pathlib import Path
from random import Random
from typing import NamedTuple

import structlog

from tests.fuzz.mutation import mutate
from tests.fuzz.target import Finding, Target, fault
from tests.fuzz.targets import TARGETS

CHUNK = 5_000
_MEASURED = 300
_LEAST_SHARE = 1 / 1000
_SHRINKING_STEPS = 2000


class Chunk(NamedTuple):
    """What a part of the run has found. `cpu_s`: the CPU time that it took."""

    target: str
    inputs: int
    cpu_s: float
    findings: tuple[Finding, ...]


@dataclass
class Tally:
    """What is known of one reader so far; `findings` by their kinds."""

    inputs: int = 0
    cpu_s: float = 0.0
    findings: dict[str, Finding] = field(default_factory=dict)

    def add(self, chunk: Chunk) -> list[Finding]:
        """Count a chunk, and return the findings of kinds that are new."""
        self.inputs += chunk.inputs
        self.cpu_s += chunk.cpu_s
        new = [each for each in chunk.findings if each.kind not in self.findings]
        self.findings |= {each.kind: each for each in new}
        return new


def inputs_of(target: Target, seed: int, number: int, count: int) -> Iterator[bytes]:
    """Yield the inputs of chunk `number`."""
    rng = Random(f"{seed} {target.name} {number}")  # noqa: S311, inputs are no secrets
    for _ in range(count):
        yield mutate(rng, target.examples)


def run_chunk(target: Target, seed: int, number: int, count: int) -> Chunk:
    """Give a reader the inputs of one chunk."""
    before = time.process_time()
    found: dict[str, Finding] = {}
    for data in inputs_of(target, seed, number, count):
        kind = fault(target, data)
        if kind is not None and kind not in found:
            found[kind] = Finding(target.name, kind, shrink(target, kind, data))
    return Chunk(target.name, count, time.process_time() - before, tuple(found.values()))


def shrink(target: Target, kind: str, data: bytes) -> bytes:
    """Return a shorter input with the same fault: parts are taken out as long as it stays."""
    size, steps = len(data) // 2, 0
    while size and steps < _SHRINKING_STEPS:
        at = 0
        while at < len(data) and steps < _SHRINKING_STEPS:
            shorter = data[:at] + data[at + size :]
            steps += 1
            if fault(target, shorter) == kind:
                data = shorter
            else:
                at += size
        size //= 2
    return data


def shares(total: int, names: list[str]) -> dict[str, int]:
    """Divide the inputs so that all readers get about the same time, and none of them too few."""
    rates = {}
    for name in names:
        chunk = run_chunk(TARGETS[name], 0, 0, _MEASURED)
        rates[name] = _MEASURED / max(chunk.cpu_s, 1e-6)
    whole = sum(rates.values())
    weights = {name: max(rate / whole, _LEAST_SHARE) for name, rate in rates.items()}
    return {name: round(total * weight / sum(weights.values())) for name, weight in weights.items()}


def campaign(wanted: Mapping[str, int], seed: int, jobs: int) -> Iterator[Chunk]:
    """Run `wanted` inputs of each reader in `jobs` processes; yield the chunks as they end."""
    # Chunks of all readers in turn, so that the progress shows each of them from the beginning.
    plan = [
        (name, number, min(CHUNK, count - number * CHUNK))
        for name, count in wanted.items()
        for number in range(-(-count // CHUNK))
    ]
    plan.sort(key=lambda part: part[1])
    if jobs == 1:
        yield from (_run(name, seed, *part) for name, *part in plan)
        return
    with ProcessPoolExecutor(jobs, get_context("spawn"), initializer=be_quiet) as pool:
        running = [pool.submit(_run, name, seed, *part) for name, *part in plan]
        for done in as_completed(running):
            yield done.result()


def _run(name: str, seed: int, number: int, count: int) -> Chunk:
    return run_chunk(TARGETS[name], seed, number, count)


def be_quiet() -> None:
    """Log nothing: readers log what they refuse, and here that would be nearly everything."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


def keep(finding: Finding, folder: Path) -> Path:
    """Write the input of a finding to a file that is named by the reader."""
    folder.mkdir(parents=True, exist_ok=True)
    digest = sha256(finding.kind.encode()).hexdigest()[:8]
    path = folder / f"{finding.target.replace(' ', '-')}.{digest}.bin"
    path.write_bytes(finding.data)
    return path


def target_of(path: Path) -> Target:
    """Return the reader whose input a file has. May raise KeyError."""
    return TARGETS[path.name.partition(".")[0].replace("-", " ")]
