"""`python -m benchmarks`: run one benchmark, or all of them."""

import signal
import sys
from types import FrameType

import click

from benchmarks.commands import faults, reports, requests
from benchmarks.fleet.command import fleet_command


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Measure deviceflow and the alternatives, on this machine, over loopback only."""
    # At SIGTERM, exit through the `with` blocks, which end the servers.
    signal.signal(signal.SIGTERM, _leave)


def _leave(_: int, __: FrameType | None) -> None:
    sys.exit(143)


for module in (requests, faults, reports):
    for command in vars(module).values():
        if isinstance(command, click.Command):
            main.add_command(command)
main.add_command(fleet_command)


if __name__ == "__main__":
    main()
