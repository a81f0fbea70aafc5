"""A real browser in front of the demo. Needs Debian's Chromium (`apt-get install chromium`)."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.async_api import Browser, async_playwright, expect

from tests.stage.ports import free_port
from tests.stage.waiting import PATIENCE_S

CHROMIUM = (
    os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
)
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
expect.set_options(timeout=PATIENCE_S * 1000)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """`deviceflow demo` as a process; the issuer it prints."""
    with running_demo(tmp_path_factory.mktemp("demo"), 0) as issuer:
        yield issuer


@pytest.fixture
def demo_below_a_path(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The same, as one tenant of a host of several."""
    port = free_port()
    named = f"http://127.0.0.1:{port}/tenant"
    with running_demo(tmp_path_factory.mktemp("demo"), port, DEVICEFLOW_ISSUER=named) as issuer:
        assert issuer == named
        yield issuer


@contextmanager
def running_demo(data_dir: Path, port: int, **settings: str) -> Iterator[str]:
    """The issuer that the demo prints; it ends with the block."""
    command = [sys.executable, "-m", "deviceflow", "demo", "--port", str(port)]
    with subprocess.Popen(
        [*command, "--admin-port", "0", "--data-dir", str(data_dir)],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | settings,
    ) as process:
        assert process.stdout is not None
        issuer = None
        for line in process.stdout:
            found = re.search(r"(http://\S+)/demo", line)
            if found:
                issuer = found[1]
                break
        assert issuer, "the demo said no address"
        yield issuer
        process.send_signal(signal.SIGTERM)
        process.stdout.read()
        assert process.wait(timeout=PATIENCE_S) == 0


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    """Headless Chromium."""
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine: apt-get install chromium, or set CHROMIUM")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        await browser.close()


@pytest.fixture
def pictures() -> Path | None:
    """Where the README's picture goes; None where nobody asked for a new one."""
    folder = os.environ.get("README_PICTURES")
    return Path(folder) if folder else None
