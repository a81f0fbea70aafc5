"""`deviceflow config`: print a settings file, or another file for the deployment."""

from pathlib import Path

import click

from deviceflow.cli.options import fail

SETTINGS = "deviceflow.toml"


@click.command()
@click.argument("name", default=SETTINGS)
@click.option("--list", "lists", is_flag=True, help="List the names of all files.")
def config(name: str, *, lists: bool) -> None:
    """Print the file NAME: without it, a settings file with every setting at its default.

    The other files are for the deployment: proxies, containers and the service manager.
    """
    files = {path.relative_to(shipped_dir()).as_posix(): path for path in _files()}
    if lists:
        click.echo("\n".join(sorted(files)))
    elif name in files:
        click.echo(files[name].read_text(encoding="utf-8"), nl=False)
    else:
        fail(f'no file "{name}"; `deviceflow config --list` has the names')


def shipped_dir() -> Path:
    """Find the files: inside the wheel in the package, in a checkout beside it."""
    package = Path(__file__).parents[1]
    inside = package / "config" / "files"
    return inside if inside.is_dir() else package.parent / "config"


def _files() -> list[Path]:
    return [path for path in shipped_dir().rglob("*") if path.is_file()]
