"""`deviceflow` and `python -m deviceflow`."""

import click

from deviceflow.cli.check import check
from deviceflow.cli.clients import clients
from deviceflow.cli.config import config
from deviceflow.cli.demo import demo
from deviceflow.cli.help import Group
from deviceflow.cli.keys import keys
from deviceflow.cli.login import login
from deviceflow.cli.reload import reload
from deviceflow.cli.serve import serve
from deviceflow.cli.top import top
from deviceflow.cli.transfer import export, import_
from deviceflow.cli.upgrade import upgrade
from deviceflow.cli.user_devices import list_devices, revoke, sign_out_user
from deviceflow.cli.users import users
from deviceflow.ops.version import version


def _print_version(context: click.Context, _option: click.Parameter, is_given: bool) -> None:  # noqa: FBT001, click's
    if is_given:
        click.echo(f"deviceflow, version {version()}")
        context.exit()


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Show the version and exit.",
)
def main() -> None:
    """Connect devices that have no keyboard: an RFC 8628 server, and a client for devices."""


_COMMANDS = (serve, reload, upgrade, top, demo, login, users, clients, keys, check, config)
for command in (*_COMMANDS, export, import_):
    main.add_command(command)
for command in (list_devices, revoke, sign_out_user):
    users.add_command(command)

if __name__ == "__main__":
    main()
