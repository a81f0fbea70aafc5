"""A real browser in front of the demo, or of a server with people and devices.

Needs Debian's Chromium (`apt-get install chromium-headless-shell`). `PAGE_PICTURES=FOLDER` keeps
a picture of every page whose layout is measured.
"""

import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, async_playwright, expect
from pytest_asyncio import is_async_test

from deviceflow.conformance.browser import find_chromium
from tests.browser.looking import screen
from tests.stage.pictures import write_picture
from tests.stage.places import write_places
from tests.stage.ports import free_port
from tests.stage.program import Notes, Program
from tests.stage.users import CHEAP
from tests.stage.waiting import PATIENCE_S
from tests.stage.wire import PASSWORD

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
session_loop = partial(pytest_asyncio.fixture, loop_scope="session")
"""A fixture in the loop that all tests with the browser share."""

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


SITE = """
[log]
level = "debug"
format = "json"

[server]
trusted_proxies = ["127.0.0.0/8"]

[device]
wave_proof_bits = 12

[pages]
geoip_file = "places.mmdb"

[[clients]]
client_id = "tv"
name = "Living-room TV"
scopes = ["openid", "profile", "offline_access"]
interval_s = 1

[[clients]]
client_id = "shown"
name = "Living-room TV"
publisher = "Example Televisions & Sons Ltd"
client_uri = "https://tv.example.com"
policy_uri = "https://tv.example.com/privacy"
tos_uri = "https://a-very-long-name-of-a-host.legal.example.com/terms"
logo = "logos/tv.png"
scopes = ["openid", "profile", "offline_access"]
interval_s = 1

[[clients]]
client_id = "long"
name = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft"
scopes = ["openid", "profile", "offline_access"]
interval_s = 1

[[clients]]
client_id = "claimed"
name = "Stranger's TV"
client_uri = "https://stranger.example.net"
scopes = []
verified = false

[[clients]]
client_id = "choosy"
name = "Photo frame"
scopes = ["openid", "profile", "email", "offline_access"]
optional_scopes = ["email", "offline_access"]
interval_s = 1

[[clients]]
client_id = "typed"
name = "Bank terminal"
scopes = ["profile"]
verification_uri_complete = false

[[clients]]
client_id = "far"
name = "Living-room TV"
scopes = ["profile"]
if_far = "retype"
interval_s = 1
"""
NETWORKS = pytest.StashKey["count[int]"]()
LONG_NAME = "llanfairpwllgwyngyllgogerychwyrndrobwllllantysiliogogogoch"


@pytest.fixture
def site() -> Iterator[Program]:
    """A server with clients, one of a long name, and people.

    It is new for each test, so that none uses up another one's sign-ins.
    """
    with running_site() as program:
        yield program


@pytest.fixture(scope="module")
def shared_site() -> Iterator[Program]:
    """The same, one for all tests of a file that look at pages and try nothing often."""
    with running_site() as program:
        yield program


@pytest.fixture
def network(request: pytest.FixtureRequest) -> str:
    """An address of its own for the people of each test of a shared site, as a proxy sees it."""
    taken = request.session.stash.setdefault(NETWORKS, count(1))
    return f"198.51.100.{next(taken)}"


@contextmanager
def running_site(pages: str = "") -> Iterator[Program]:
    """The server, until the block ends. `pages`: more lines of that section."""
    hashed = CHEAP.hash(PASSWORD)
    people = {"ada": "Ada Lovelace", "bob": "Bob", "eve": "Eve", LONG_NAME: LONG_NAME.title()}
    users = "".join(
        f'\n[[users]]\nusername = "{username}"\nname = "{name}"\npassword_hash = "{hashed}"\n'
        for username, name in people.items()
    )
    # A short path, so that the store's socket is in the data directory.
    with TemporaryDirectory(prefix="df-") as folder:
        settings = SITE.replace("[pages]\n", f"[pages]\n{pages}\n") + users
        (Path(folder) / "deviceflow.toml").write_text(settings, encoding="utf-8")
        write_picture(Path(folder) / "logos" / "tv.png", size=(256, 256))
        write_picture(Path(folder) / "logos" / "own.png", size=(320, 80))
        write_places(Path(folder) / "places.mmdb")
        program = Program(Path(folder), (), Notes())
        try:
            program.start()
            yield program
        finally:
            program.end()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the tests here share a loop, since they share the browser that lives in it."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents and is_async_test(item):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest.fixture(scope="session")
def chromium_path() -> str:
    """Where Chromium is. Tests that need it are skipped where it is not."""
    path = find_chromium()
    if path is None:
        pytest.skip(
            "no Chromium on this machine: apt-get install chromium-headless-shell, or set CHROMIUM"
        )
    return path


@session_loop(scope="session")
async def chromium(chromium_path: str) -> AsyncIterator[Browser]:
    """Headless Chromium, started once for a process: that takes two seconds of a core."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium_path, args=FLAGS)
        yield browser
        await browser.close()


@session_loop()
async def browser(chromium: Browser) -> AsyncIterator[Browser]:
    """The same, without a window: what a test opens is closed after it."""
    yield chromium
    for context in chromium.contexts:
        await context.close()


@session_loop()
async def page(browser: Browser, network: str) -> AsyncIterator[Page]:
    """A page on a phone, in a network of its own."""
    context = await browser.new_context(
        viewport=screen(360),
        reduced_motion="reduce",
        extra_http_headers={"X-Forwarded-For": network},
    )
    yield await context.new_page()
    await context.close()


@pytest.fixture
def pictures() -> Path | None:
    """Where the documentation's pictures go; None where nobody asked for new ones."""
    folder = os.environ.get("DOCS_PICTURES")
    return Path(folder) if folder else None
