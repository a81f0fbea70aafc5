"""`deviceflow top`: what the servers do now, live in a terminal."""

import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, build_opener

import click

from deviceflow.cli.options import config_option, fail, settings_from
from deviceflow.cli.top_frame import frame
from deviceflow.core.origin import host_in_url
from deviceflow.ops.metrics.snapshots import Difference, Snapshot

TIMEOUT_S = 5.0
_ALTERNATE_SCREEN, _NORMAL_SCREEN = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"
_HOME, _END_OF_LINE, _END_OF_SCREEN = "\x1b[H", "\x1b[K", "\x1b[J"


class NoMetrics(Exception):  # noqa: N818, it states a condition
    """A host has no page of metrics. The text says why."""


@click.command()
@click.argument("addresses", nargs=-1)
@config_option
@click.option(
    "--interval",
    default=2.0,
    show_default=True,
    type=click.FloatRange(0.2, 3600),
    help="Seconds between two looks. Rates are of that time.",
)
@click.option("--once", is_flag=True, help="Print one frame, after one interval, and end.")
def top(
    addresses: tuple[str, ...], config_file: Path | None, interval: float, *, once: bool
) -> None:
    """Show what the servers do now: polls, tokens, store, workers, clients.

    ADDRESSES are those of the admin ports, such as 10.0.0.1:8629. Without one, it is the admin
    port of the settings. The numbers of several hosts are added. Ctrl-C ends it.
    """
    hosts = [_url(address) for address in addresses] or [_own_url(config_file)]
    before, _ = _look(hosts, is_first=True)
    if once:
        time.sleep(interval)
        after, away = _look(hosts)
        click.echo("\n".join(frame(Difference(before, after), away)))
        return
    with _screen():
        while True:
            time.sleep(interval)
            after, away = _look(hosts)
            _draw(frame(Difference(before, after), away))
            before = after


def _look(hosts: list[str], *, is_first: bool = False) -> tuple[Snapshot, dict[str, str]]:
    """Read the pages of all hosts. At first, each has to answer; later, one may be away."""
    pages, away = {}, {}
    for url in hosts:
        name = urlsplit(url).netloc
        try:
            pages[name] = fetch(url)
        except NoMetrics as problem:
            if is_first:
                fail(str(problem))
            away[name] = str(problem)
    try:
        return Snapshot.of(time.time(), pages), away
    except ValueError:
        fail(f"what answers at {' '.join(hosts)} is no page of metrics; is it the admin port?")


def fetch(url: str) -> str:
    """Return the page of metrics of a host. May raise NoMetrics."""
    try:
        # The admin port is on this machine or in its network: no proxy of the environment.
        with build_opener(ProxyHandler({})).open(f"{url}/metrics", timeout=TIMEOUT_S) as answer:
            page: bytes = answer.read()
        return page.decode()
    except HTTPError as error:
        raise NoMetrics(
            f"{url} answers, but has no metrics (status {error.code}); is it the admin port"
            " (server.admin_port)?"
        ) from error
    except (OSError, HTTPException, ValueError) as error:
        reason = error.reason if isinstance(error, URLError) else error
        raise NoMetrics(
            f"no answer from {url}: {reason}. Is the server running, and is this its admin port"
            " (server.admin_port)?"
        ) from error


def _url(address: str) -> str:
    """Return the URL of an admin port, which may be given as `host:port`."""
    url = address if "://" in address else f"http://{address}"
    try:
        parts = urlsplit(url)
        is_good = parts.scheme == "http" and parts.hostname and (parts.port or 80)
    except ValueError:
        is_good = False
    if not is_good:
        fail(f"{address}: expected the address of an admin port, such as 127.0.0.1:8629")
    return f"http://{parts.netloc}"


def _own_url(config_file: Path | None) -> str:
    server = settings_from(config_file, {}).server
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(server.admin_host, server.admin_host)  # noqa: S104 - compared
    return f"http://{host_in_url(host)}:{server.admin_port}"


@contextmanager
def _screen() -> Iterator[None]:
    """Use the whole terminal, and give it back as it was. Ctrl-C ends the block."""
    is_terminal = sys.stdout.isatty()
    if is_terminal:
        click.echo(_ALTERNATE_SCREEN, nl=False)
    try:
        yield
    except KeyboardInterrupt:
        pass
    finally:
        if is_terminal:
            click.echo(_NORMAL_SCREEN, nl=False)


def _draw(lines: list[str]) -> None:
    if not sys.stdout.isatty():
        click.echo("\n".join([*lines, ""]))
        return
    width, height = shutil.get_terminal_size()
    shown = [line[:width] + _END_OF_LINE for line in lines[: height - 1]]
    click.echo(_HOME + "\n".join(shown) + "\n" + _END_OF_SCREEN, nl=False)
