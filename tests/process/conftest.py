"""The whole program, on the embedded store: its clients, its people, and what starts it.

Whatever secret a device or a browser sees is noted, and at the end no log and no file of the
store may hold one of them.
"""

import json
import subprocess
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from deviceflow.audit.verification import Verification
from tests.stage import warm
from tests.stage.process import Command, MakeProgram, NewBrowser, NewDevice
from tests.stage.program import Notes, Program, environment
from tests.stage.users import CHEAP
from tests.stage.wire import PASSWORD, Browser, Device

CLIENT_SECRET = "s3cret of the console"

CONFIG = f"""
[device]
pace_slots = 4096

[log]
level = "debug"
format = "json"

[[clients]]
client_id = "tv"
name = "Living-room TV"
scopes = ["openid", "profile", "offline_access"]
interval_s = 1

[[clients]]
client_id = "slow"
name = "Slow TV"
scopes = ["profile"]
interval_s = 30

[[clients]]
client_id = "brief"
name = "Brief"
scopes = ["profile"]
lifetime_s = 2
interval_s = 1

[[clients]]
client_id = "console"
name = "Console"
scopes = ["profile"]
interval_s = 1
auth_method = "client_secret_basic"
secret_sha256 = "{sha256(CLIENT_SECRET.encode()).hexdigest()}"
"""


SLOW_HASH = (
    "$argon2id$v=19$m=65536,t=12,p=1$FH11KdFflFjIFxdO5/eYPg"
    "$HFuH5lKEM209BcdbDhW82voG9sHXCWkbWAgp3MGGEH4"
)
"""The hash of PASSWORD, with 12 passes over 64 MiB. To make it takes as long as to check it."""


@pytest.fixture(scope="session")
def user_tables() -> str:
    """Ada and Bob, whose passwords are checked in no time, and Sloth, with whom it takes long."""
    quick = CHEAP.hash(PASSWORD)
    hashes = {
        "ada": quick,
        "bob": quick,
        "sloth": SLOW_HASH,
    }
    return "".join(
        f'\n[[users]]\nusername = "{name}"\npassword_hash = "{hashed}"\n'
        for name, hashed in hashes.items()
    )


@pytest.fixture
def notes() -> Notes:
    notes = Notes()
    notes.add(PASSWORD, CLIENT_SECRET)
    return notes


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short path, so that the store's socket is in its data directory."""
    with TemporaryDirectory(prefix="df-") as name:
        yield Path(name)


@pytest.fixture
def make_program(folder: Path, user_tables: str, notes: Notes) -> Iterator[MakeProgram]:
    """Starts servers, ends them, and looks for secrets in what they leave behind.

    `below`: a folder of its own for a server that runs beside another one.
    """
    made: list[Program] = []

    def make(*options: str, variables: dict[str, str] | None = None, below: str = "") -> Program:
        place = folder / below
        place.mkdir(exist_ok=True)
        (place / "deviceflow.toml").write_text(CONFIG + user_tables, encoding="utf-8")
        program = Program(place, options, notes)
        program.variables = variables or {}
        made.append(program)
        program.start()
        return program

    yield make
    for program in made:
        program.end()
    for program in made:
        logged = "\n".join([json.dumps(event) for event in program.log] + program.stray)
        assert notes.found_in(logged) == set(), "a secret was logged"
        assert program.stray == [], "something that is no event was written to standard error"
        assert broken_lines(program.data_dir) == [], "the audit is not whole"
        for path in program.data_dir.rglob("*"):
            if path.is_file():
                assert notes.found_in(path.read_text("latin-1")) == set(), f"a secret is in {path}"


def broken_lines(data_dir: Path) -> list[str]:
    """What `deviceflow audit verify` would call a break."""
    verification = Verification()
    for path in data_dir.glob("audit.jsonl*"):
        with path.open("rb") as lines:
            verification.read(path.name, lines)
    return [str(problem) for problem in verification.problems() if problem.is_break]


@pytest.fixture
def program(make_program: MakeProgram) -> Program:
    """A server with two workers."""
    return make_program("--workers", "2")


@pytest.fixture
def device(program: Program) -> NewDevice:
    """Makes a device of a client at `program`."""
    secrets = {"console": CLIENT_SECRET}
    return lambda client_id="tv": Device(program, client_id, secrets.get(client_id, ""))


@pytest.fixture
def browser(program: Program) -> NewBrowser:
    """Makes a browser in which nobody has signed in."""
    return lambda **options: Browser(program, **options)


@pytest.fixture
def command(folder: Path) -> Command:
    """Runs a command of ours to its end, in an empty folder, with `given` on standard input.

    `variables`: those that it has beside ours. `checkout`: the folder of another version to run.
    """

    def run(
        *arguments: str,
        given: str = "",
        variables: dict[str, str] | None = None,
        checkout: Path | None = None,
    ) -> subprocess.CompletedProcess[str]:
        return warm.run(
            list(arguments),
            environment() | (variables or {}),
            given=given,
            folder=folder,
            checkout=checkout,
        )

    return run
