"""`python -m tests.fuzz`: give every reader of strangers' bytes very many inputs.

`make fuzz-readers INPUTS=10000000`. The status is 1 if there is a finding.
"""

import os
import sys
import time
from collections import defaultdict
from pathlib import Path

import click

from tests.fuzz.campaign import Tally, be_quiet, campaign, keep, shares, target_of
from tests.fuzz.target import fault
from tests.fuzz.targets import TARGETS

_REPORT_EVERY_S = 10.0


@click.command()
@click.option("--inputs", type=click.IntRange(min=1), default=1_000_000, show_default=True)
@click.option("--seed", type=int, default=8628, show_default=True, help="The same inputs again.")
@click.option("--only", default="", help="Only readers with this in their name.")
@click.option("--jobs", type=click.IntRange(min=1), default=os.cpu_count() or 1, show_default=True)
@click.option("--folder", type=click.Path(path_type=Path), default=Path(".fuzz"))
@click.option("--again", type=click.Path(exists=True, path_type=Path), help="A kept input.")
def main(inputs: int, seed: int, only: str, jobs: int, folder: Path, again: Path | None) -> None:
    """Fuzz the readers, and keep each input that one of them neither reads nor refuses."""
    be_quiet()
    if again is not None:
        sys.exit(_run_again(again))
    names = [name for name in TARGETS if only in name]
    wanted = shares(inputs, names)
    tallies: defaultdict[str, Tally] = defaultdict(Tally)
    began = said = time.monotonic()
    click.echo(f"{sum(wanted.values()):,} inputs for {len(names)} readers, seed {seed}")
    for chunk in campaign(wanted, seed, jobs):
        for finding in tallies[chunk.target].add(chunk):
            click.echo(f"{finding.target}: {finding.kind}\n  {keep(finding, folder)}")
        if time.monotonic() - said > _REPORT_EVERY_S:
            said = time.monotonic()
            done = sum(tally.inputs for tally in tallies.values())
            click.echo(f"{done:>12,} inputs, {done / (said - began):>8,.0f}/s", err=True)
    for name in names:
        tally = tallies[name]
        rate = tally.inputs / max(tally.cpu_s, 1e-6)
        click.echo(f"{name:<24} {tally.inputs:>10,} {rate:>8,.0f}/s {len(tally.findings):>4}")
    found = sum(len(tally.findings) for tally in tallies.values())
    done = sum(tally.inputs for tally in tallies.values())
    cpu_s = sum(tally.cpu_s for tally in tallies.values())
    click.echo(
        f"{done:,} inputs, {found} findings, {cpu_s:.0f} s of CPU time,"
        f" {time.monotonic() - began:.0f} s"
    )
    sys.exit(bool(found))


def _run_again(path: Path) -> bool:
    target, data = target_of(path), path.read_bytes()
    kind = fault(target, data)
    click.echo(f"{target.name}: {kind or 'reads or refuses it as it should'}")
    if kind is not None:
        target.read(data)
    return kind is not None


if __name__ == "__main__":
    main()
