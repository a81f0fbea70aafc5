"""`deviceflow` and `python -m deviceflow`."""

import click

from deviceflow.cli.help import Program
from deviceflow.ops.version import version

_COMMANDS = {
    "audit": "audit:audit",
    "capacity": "capacity:capacity",
    "check": "check:check",
    "clients": "clients:clients",
    "config": "config:config",
    "conform": "conform:conform",
    "conform-compare": "conform_compare:conform_compare",
    "demo": "demo:demo",
    "export": "transfer:export",
    "fleet": "fleet:load_test",
    "fleet-compare": "fleet_compare:fleet_compare",
    "import": "transfer:import_",
    "issuer": "issuer:issuer",
    "keys": "keys:keys",
    "login": "login:login",
    "logout": "logout:logout",
    "reload": "reload:reload",
    "serve": "serve:serve",
    "top": "top:top",
    "upgrade": "upgrade:upgrade",
    "users": "users:users",
}
"""The commands by name: the module in `deviceflow.cli`, and the function."""


def _print_version(context: click.Context, _option: click.Parameter, is_given: bool) -> None:  # noqa: FBT001, click's
    if is_given:
        click.echo(f"deviceflow, version {version()}")
        context.exit()


@click.group(cls=Program, context_settings={"help_option_names": ["-h", "--help"]})
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


main.places = {name: f"deviceflow.cli.{place}" for name, place in _COMMANDS.items()}

if __name__ == "__main__":
    main()
