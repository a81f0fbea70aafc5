"""`deviceflow reload`: have the running server read its settings and pages again."""

from pathlib import Path

import click

from deviceflow.cli.control import change
from deviceflow.cli.options import config_option, data_dir_option


@click.command()
@config_option
@data_dir_option
def reload(config_file: Path | None, data_dir: str | None) -> None:
    """Have the running server read its settings, clients and pages again.

    All of it takes effect, in all workers, or nothing changes and the reasons are printed. No login
    is lost, and no connection is refused. It finds the server by its data directory.
    """
    change("reload", config_file, data_dir)
