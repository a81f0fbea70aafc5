"""A real browser in front of the demo. Needs Debian's Chromium (`apt-get install chromium`)."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, async_playwright

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


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """`deviceflow demo` as a process; the issuer it prints."""
    data_dir = tmp_path_factory.mktemp("demo")
    command = [sys.executable, "-m", "deviceflow", "demo", "--port", "0", "--admin-port", "0"]
    with subprocess.Popen(
        [*command, "--data-dir", str(data_dir)], stdout=subprocess.PIPE, text=True
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
        assert process.wait(timeout=20) == 0


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
