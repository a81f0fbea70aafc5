"""`deviceflow` and `python -m deviceflow`."""

import click

from deviceflow import __version__
from deviceflow.cli.check import check
from deviceflow.cli.clients import clients
from deviceflow.cli.demo import demo
from deviceflow.cli.keys import keys
from deviceflow.cli.login import login
from deviceflow.cli.reload import reload
from deviceflow.cli.serve import serve
from deviceflow.cli.upgrade import upgrade
from deviceflow.cli.users import users


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="deviceflow")
def main() -> None:
    """Connect devices that have no keyboard: an RFC 8628 server, and a client for devices."""


for command in (serve, reload, upgrade, demo, login, users, clients, keys, check):
    main.add_command(command)

if __name__ == "__main__":
    main()
