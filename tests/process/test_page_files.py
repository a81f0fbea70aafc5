"""Files that the pages are made from: read at start and by a reload, in all workers or in none."""

import re
from collections.abc import Callable
from subprocess import CompletedProcess

import pytest

from tests.stage.pictures import write_picture
from tests.stage.places import PLACES, write_places
from tests.stage.process import Command, MakeProgram, NewBrowser
from tests.stage.program import Program
from tests.stage.waiting import until_outside
from tests.stage.wire import Browser, fetch, request_of

IN_A_ROW = 24
"""Each request has a connection of its own, so both workers are asked."""

DEVICE = "203.0.113.7"

Reload = Callable[[], "CompletedProcess[str]"]


@pytest.fixture
def reload(command: Command, program: Program) -> Reload:
    """Runs `deviceflow reload` for `program`."""

    def run() -> CompletedProcess[str]:
        arguments = ("--config", str(program.config), "--data-dir", str(program.data_dir))
        return command("reload", *arguments)

    return run


def set_pages(program: Program, lines: str) -> None:
    program.config.write_text(
        f"{program.config.read_text('utf-8')}\n[server]\n"
        f'trusted_proxies = ["127.0.0.0/8"]\n[pages]\n{lines}\n',
        "utf-8",
    )


def question(program: Program, person: Browser) -> str:
    """The page about the request of a device elsewhere, as any of the workers shows it."""
    form = {"client_id": "tv", "scope": "profile"}
    headers = {"X-Forwarded-For": DEVICE}
    answer = fetch(request_of(f"{program.url}/oauth2/device_authorization", form, headers))
    code = answer.body["user_code"]
    program.notes.add(answer.body["device_code"], code, code.replace("-", ""))
    person.open(f"/device?user_code={code}")
    return person.submit("/device", user_code=code).page


def test_places(program: Program, reload: Reload, browser: NewBrowser) -> None:
    """A path is relative to the settings; a reload reads a new file; a broken one is refused."""
    file = program.config.parent / "places.mmdb"
    write_places(file)
    set_pages(program, 'geoip_file = "places.mmdb"')
    assert reload().returncode == 0
    person = browser()
    person.sign_in()
    assert "near Berlin, Germany" in question(program, person)

    write_places(file, places={"203.0.113.0/24": PLACES["198.51.100.0/24"]})
    assert reload().returncode == 0
    for _ in range(IN_A_ROW // 4):
        assert "near Paris, France" in question(program, person)

    until_outside(lambda: len(program.workers) == 2)  # those before the reload have ended
    file.write_bytes(b"broken")
    workers = program.workers
    ended = reload()
    assert ended.returncode == 1
    assert f"pages.geoip_file: {file}: not an MMDB file" in ended.stderr
    assert "nothing changed" in ended.stderr
    assert program.workers == workers


def test_the_own_look(program: Program, reload: Reload, browser: NewBrowser) -> None:
    """All workers change, or none: a bad logo or template is named, and nothing else changes."""
    folder = program.config.parent
    write_picture(folder / "own.png")
    (folder / "templates").mkdir()
    before = program.config.read_text("utf-8")
    set_pages(program, 'logo = "own.png"\naccent = "#0b7a3b"\ntemplates_dir = "templates"')
    assert reload().returncode == 0
    names = {shown_logo(browser()) for _ in range(IN_A_ROW // 4)}
    assert len(names) == 1

    write_picture(folder / "own.png", size=(80, 80))
    template = folder / "templates" / "base.html"
    template.write_text("{% if %}", "utf-8")
    ended = reload()
    assert (ended.returncode, ended.stderr.count("\n")) == (1, 2)
    assert f"{template}: line 1: " in ended.stderr
    assert {shown_logo(browser()) for _ in range(IN_A_ROW // 4)} == names

    template.unlink()
    assert reload().returncode == 0
    others = {shown_logo(browser()) for _ in range(IN_A_ROW // 4)}
    assert (len(others), others & names) == (1, set())
    (folder / "own.png").unlink()
    assert "pages.logo: " in reload().stderr
    program.config.write_text(before, "utf-8")
    assert reload().returncode == 0


def shown_logo(person: Browser) -> str:
    """The name of the logo on a page."""
    found = re.search(r"/static/(logo-\w+\.png)", person.open("/login").page)
    assert found
    return found[1]


def test_a_start_without_a_file(make_program: MakeProgram, command: Command) -> None:
    """One line, and `check` says the same."""
    program = make_program()
    program.stop()
    set_pages(program, 'geoip_file = "places.mmdb"')
    file = program.config.parent / "places.mmdb"
    reason = f"pages.geoip_file: {file}: cannot be read: No such file or directory;"
    started = command("serve", "--config", str(program.config), "--data-dir", "elsewhere")
    checked = command("check", str(program.config))
    for ended in (started, checked):
        assert ended.returncode == 1
        assert reason in ended.stderr
