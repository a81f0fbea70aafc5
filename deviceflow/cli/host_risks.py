"""What is risky about this host, beside the settings: what its other users can see."""

import stat
from collections.abc import Iterator
from pathlib import Path

from deviceflow.config import Settings
from deviceflow.core.store_url import StoreUrl

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def folder_risks(settings: Settings) -> Iterator[str]:
    """Say if others can look into the data folder. One that the server makes is for it alone."""
    folder = Path(settings.server.data_dir)
    try:
        mode = stat.S_IMODE(folder.stat().st_mode)
    except OSError:
        return
    if mode & _OTHERS:
        yield (
            f"server.data_dir: {folder} has mode {mode:04o}, so other users of this host can look"
            f" into it; chmod 700 {folder}"
        )


def command_line_risks(redis_url: str | None) -> Iterator[str]:
    """Say if a password is on the command line. `redis_url`: the value of --redis-url."""
    url = None if redis_url is None else StoreUrl.parse(redis_url)
    if url and (url.login.password or url.sentinel_login.password):
        yield (
            "--redis-url: every user of this host can read its password (ps); set redis.url in the"
            " file, or DEVICEFLOW_REDIS_URL"
        )
