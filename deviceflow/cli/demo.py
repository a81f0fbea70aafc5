"""`deviceflow demo`: the whole flow on this machine, in a minute."""

import sys
from pathlib import Path
from shutil import which

import click
import msgspec

from deviceflow.cli.options import fail, settings_from
from deviceflow.config import Log, Settings, User
from deviceflow.core.client import Client
from deviceflow.ops import logging
from deviceflow.pages.demo import Demo
from deviceflow.store import passwords
from deviceflow.supervisor.errors import StartError
from deviceflow.supervisor.server import Supervisor

CLIENT = Client(
    client_id="demo-tv",
    name="Living-room TV",
    scopes=("openid", "profile", "offline_access"),
)
USERNAME = "demo"
PASSWORD = "television"  # noqa: S105, not a secret: it is only good for this demo
DEVICES = 64
"""How many polls the demo holds: enough for one machine, and few files for any limit."""


@click.command()
@click.option(
    "--port",
    default=8628,
    show_default=True,
    envvar="DEVICEFLOW_SERVER_PORT",
    help="Port to listen on.",
)
@click.option(
    "--admin-port",
    default=0,
    envvar="DEVICEFLOW_SERVER_ADMIN_PORT",
    help="Port of /healthz.  [default: any free port]",
)
@click.option("--data-dir", default=".demo", show_default=True, help="Folder for the data.")
def demo(port: int, admin_port: int, data_dir: str) -> None:
    """Show the whole flow: a server, a television that waits, and the page for a person.

    Everything runs on this machine. Ctrl-C stops it.
    """
    overrides: dict[str, object] = {
        "server.port": port,
        "server.admin_port": admin_port,
        "server.data_dir": data_dir,
    }
    settings = _for_demo(settings_from(None, overrides))
    logging.configure(settings.log.level, settings.log.format)
    supervisor = Supervisor(settings, Demo(CLIENT.client_id, USERNAME, PASSWORD))
    try:
        supervisor.run(ready=_welcome)
    except StartError as error:
        fail(str(error))


def _for_demo(settings: Settings) -> Settings:
    password_hash = passwords.HASHER.hash(PASSWORD)
    user = User(username=USERNAME, password_hash=password_hash, name="Demo Person")
    device = msgspec.structs.replace(settings.device, max_held=DEVICES)
    return msgspec.structs.replace(
        settings, clients=(CLIENT,), users=(user,), device=device, log=Log(level="warning")
    )


def _program() -> str:
    """Return how a person starts this program once more, in another terminal."""
    called = Path(sys.argv[0])
    if called.name != "deviceflow":
        return f"{sys.executable} -m deviceflow"
    return "deviceflow" if which("deviceflow") == str(called) else str(called)


def _welcome(settings: Settings) -> None:
    click.echo(
        f"""
  deviceflow is running.

    1. Open        {settings.issuer_url}/demo
       A television shows a code and waits. Beside it you see every message.
    2. Approve at  {settings.verification_uri}
       username  {USERNAME}
       password  {PASSWORD}

  In a second terminal, the same from a command line:
       {_program()} login {settings.issuer_url} --client-id {CLIENT.client_id}

  Ctrl-C stops it.
"""
    )
