"""`deviceflow upgrade`: have the running server replace itself by what is installed now."""

from pathlib import Path

import click

from deviceflow.cli.control import change
from deviceflow.cli.options import config_option, data_dir_option


@click.command()
@config_option
@data_dir_option
def upgrade(config_file: Path | None, data_dir: str | None) -> None:
    """Have the running server replace itself by the version that is installed now.

    The new version runs the command that started the server, in the same process. It is tried
    first; if it could not take over, nothing changes and the reasons are printed. No login is lost,
    and no connection is refused. It finds the server by its data directory.
    """
    change("upgrade", config_file, data_dir)
