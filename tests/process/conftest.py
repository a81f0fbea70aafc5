"""The whole program: `python -m deviceflow serve` in processes of its own, on the embedded store.

A `Program` runs in a data directory and can be stopped, killed and started again. `Device` and
`Browser` speak HTTP to it and know nothing of its inside. Whatever secret they see is noted,
and at the end no log and no file of the store may hold one of them.
"""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from hashlib import sha256
from html.parser import HTMLParser
from http.cookiejar import CookieJar
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, HTTPRedirectHandler, Request, build_opener

import pytest
from argon2 import PasswordHasher

DEVICE_CODE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
PASSWORD = "correct horse battery"
CLIENT_SECRET = "s3cret of the console"
START_S = 20
COMMAND = (sys.executable, "-m", "deviceflow")

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


class Notes:
    """Secrets that were seen on the wire: none of them belongs into a log or onto a disk."""

    def __init__(self) -> None:
        self.secrets: set[str] = {PASSWORD, CLIENT_SECRET}

    def add(self, *secrets: str) -> None:
        self.secrets.update(filter(None, secrets))

    def found_in(self, text: str) -> set[str]:
        """The kinds of secrets in `text`, told by their beginnings."""
        return {f"{secret[:4]}..." for secret in self.secrets if secret in text}


class Program:
    """`deviceflow serve` with `options`, in `folder`. `log`: the events so far."""

    def __init__(self, folder: Path, options: tuple[str, ...], notes: Notes) -> None:
        self.data_dir = folder / "data"
        self.notes = notes
        self.config = folder / "deviceflow.toml"
        self.log: list[dict[str, Any]] = []
        self.stray: list[str] = []
        self._options = options
        self._heard = threading.Condition()
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None
        self.url = ""
        self.admin_url = ""

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    @property
    def workers(self) -> list[int]:
        """The worker processes: children that are not the store."""
        return [pid for pid in children(self.pid) if "valkey" not in command_of(pid)]

    @property
    def store(self) -> int:
        """The process of the embedded Valkey."""
        (pid,) = [pid for pid in children(self.pid) if "valkey" in command_of(pid)]
        return pid

    def arguments(self, *options: str) -> list[str]:
        """The command line; `options` come last, where they win."""
        places = ("--config", str(self.config), "--data-dir", str(self.data_dir))
        return [*COMMAND, "serve", *places, *self._options, *options]

    def start(self) -> None:
        """Start, on the port of the last time, and wait until it says that it listens."""
        known = len(self.log)
        self.launch()
        event = self.wait_for("server.listening", known)
        self.url, self.admin_url = event["address"], event["admin"]

    def launch(self) -> None:
        """Start, and wait for nothing."""
        port = str(self.port) if self.url else "0"
        self._join()
        self._process = subprocess.Popen(
            self.arguments("--port", port, "--admin-port", "0"),
            stderr=subprocess.PIPE,
            text=True,
            env=environment(),
        )
        self._reader = threading.Thread(target=self._read, args=(self._process,))
        self._reader.start()

    def wait_for(self, name: str, since: int = 0) -> dict[str, Any]:
        """The first event of that name from number `since` on, as soon as it is logged."""

        def found() -> dict[str, Any] | None:
            return next((event for event in self.log[since:] if event["event"] == name), None)

        with self._heard:
            event = self._heard.wait_for(found, START_S)
        assert event is not None, f"no {name} in {self.log[since:]} {self.stray}"
        return event

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """End it with a signal; the exit status."""
        assert self._process is not None
        self._process.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        """Wait until it has ended; the exit status."""
        assert self._process is not None
        status = self._process.wait(START_S)
        if status >= 0:  # after a SIGKILL the workers still hold the pipe
            self._join()
        return status

    def signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def end(self) -> None:
        """Leave no process behind, whatever the test did."""
        if self._process is None:
            return
        left = [*children(self.pid), self.pid]
        self._process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(START_S)
        for pid in filter(is_running, left):
            os.kill(pid, signal.SIGKILL)
        self._process.wait()
        self._join()

    def _join(self) -> None:
        """Read standard error to its end; the workers of a killed supervisor hold it, too."""
        if self._process is None or self._reader is None:
            return
        self._reader.join(START_S)
        if self._process.stderr is not None:
            self._process.stderr.close()

    def _read(self, process: "subprocess.Popen[str]") -> None:
        assert process.stderr is not None
        for line in process.stderr:
            with self._heard:
                try:
                    self.log.append(json.loads(line))
                except ValueError:
                    self.stray.append(line)
                self._heard.notify_all()


class Answer(NamedTuple):
    """What came back. `body`: the JSON, or {} for a page; `page`: the text; `url`: where from."""

    status: int
    headers: Mapping[str, str]
    body: dict[str, Any]
    page: str
    url: str


class Device:
    """A device of one client. Every request has a connection of its own, as small devices do."""

    def __init__(self, program: Program, client_id: str = "tv", secret: str = "") -> None:
        self._program = program
        self._client_id = client_id
        self._secret = secret
        self.grant: dict[str, Any] = {}
        self.tokens: dict[str, Any] = {}

    @property
    def user_code(self) -> str:
        return str(self.grant["user_code"])

    def authorize(self, **parameters: str) -> "Device":
        answer = self._post("device_authorization", parameters)
        assert answer.status == 200, answer
        self.grant = answer.body
        code = self.user_code
        self._program.notes.add(self.grant["device_code"], code, code.replace("-", ""))
        return self

    def poll(self) -> Answer:
        form = {"grant_type": DEVICE_CODE_GRANT, "device_code": self.grant["device_code"]}
        return self._noted(self._post("token", form))

    def outcome(self) -> str:
        """The error of a poll, or `tokens`."""
        answer = self.poll()
        return "tokens" if answer.status == 200 else str(answer.body["error"])

    def wait(self) -> str:
        """Poll as RFC 8628 3.5 says until something other than waiting is told."""
        interval = self.grant["interval"]
        while True:
            answer = self.poll()
            error = answer.body.get("error", "tokens")
            if error not in {"authorization_pending", "slow_down"}:
                return str(error)
            interval += 5 if error == "slow_down" else 0
            time.sleep(interval)

    def refresh(self, **parameters: str) -> Answer:
        form = {"grant_type": "refresh_token", "refresh_token": self.tokens["refresh_token"]}
        return self._noted(self._post("token", form | parameters))

    def _noted(self, answer: Answer) -> Answer:
        if answer.status == 200:
            self.tokens = answer.body
            names = ("access_token", "refresh_token", "id_token")
            self._program.notes.add(*(str(self.tokens.get(name, "")) for name in names))
            # Only the secret part: the store keeps the name of a family.
            self._program.notes.add(str(self.tokens.get("refresh_token", "")).partition(".")[2])
        return answer

    def _post(self, endpoint: str, form: dict[str, str]) -> Answer:
        url = f"{self._program.url}/oauth2/{endpoint}"
        if not self._secret:
            return fetch(request_of(url, form | {"client_id": self._client_id}))
        basic = b64encode(f"{self._client_id}:{urlencode({'': self._secret})[1:]}".encode())
        headers = {"Authorization": f"Basic {basic.decode()}"}
        return fetch(request_of(url, form, headers))


class Browser:
    """A person's browser: keeps cookies, follows redirects, sends the hidden fields of forms."""

    def __init__(self, program: Program, *, follows: bool = True) -> None:
        self._program = program
        self.cookies = CookieJar()
        handlers = [] if follows else [_Stay()]
        self._opener = build_opener(HTTPCookieProcessor(self.cookies), *handlers)
        self.answer: Answer

    def open(self, path: str) -> Answer:
        return self._go(request_of(self._program.url + path))

    def submit(self, path: str, **fields: str) -> Answer:
        """Send the form of the open page to `path`, with `fields` in it."""
        form = hidden_fields(self.answer.page) | fields
        self._program.notes.add(form.get("csrf_token", ""))
        return self._go(request_of(self._program.url + path, form))

    def sign_in(self, username: str = "ada", password: str = PASSWORD) -> Answer:
        self.open("/login")
        return self.submit("/login", username=username, password=password)

    def decide(self, user_code: str, decision: str) -> Answer:
        """Sign in if need be, enter the code, see the request, decide."""
        self.open(f"/device?user_code={user_code}")
        if self.answer.url.partition("?")[0].endswith("/login"):
            self.submit("/login", username="ada", password=PASSWORD)
        assert self.answer.status == 200, self.answer
        self.submit("/device", user_code=user_code)
        assert user_code in self.answer.page
        assert "Living-room TV" in self.answer.page or "Console" in self.answer.page
        return self.submit("/device", user_code=user_code, decision=decision)

    def _go(self, request: Request) -> Answer:
        self.answer = fetch(request, self._opener.open)
        self._program.notes.add(*(cookie.value or "" for cookie in self.cookies))
        return self.answer


NewDevice = Callable[..., Device]
NewBrowser = Callable[..., Browser]
MakeProgram = Callable[..., Program]
Command = Callable[..., "subprocess.CompletedProcess[str]"]


class _Stay(HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        """Follow no redirect: the answer is the redirect itself."""


class _Hidden(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.fields: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "input" and given.get("type") == "hidden" and given.get("name"):
            self.fields[str(given["name"])] = given.get("value") or ""


def hidden_fields(page: str) -> dict[str, str]:
    """The hidden inputs of a page."""
    parser = _Hidden()
    parser.feed(page)
    return parser.fields


def request_of(
    url: str, form: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None
) -> Request:
    """A GET, or a POST of `form`."""
    body = None if form is None else urlencode(form).encode()
    return Request(url, body, dict(headers or {}))  # noqa: S310, the server under test's own


def fetch(request: Request, open_url: Callable[..., Any] | None = None) -> Answer:
    """Answer of any status; no cookies and no memory unless `open_url` has them."""
    opened = open_url or build_opener().open
    try:
        response = opened(request, timeout=START_S)
    except HTTPError as error:
        response = error
    with response:
        text = response.read().decode()
        is_json = response.headers.get_content_type() == "application/json"
        body = json.loads(text) if is_json and text else {}
        return Answer(response.status, response.headers, body, text, response.url)


def children(pid: int) -> list[int]:
    """The child processes of `pid` that run."""
    try:
        listed = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    except OSError:
        return []
    return [child for child in map(int, listed.split()) if is_running(child)]


def command_of(pid: int) -> str:
    """The command line of a process."""
    return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\x00", b" ").decode()


def is_running(pid: int) -> bool:
    """Whether a process is there; one that has ended and only waits to be reaped is not."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except OSError:
        return False
    return re.search(r"^State:\s+[ZX]", status, re.MULTILINE) is None


def environment() -> dict[str, str]:
    """Ours, without settings of a server."""
    return {name: text for name, text in os.environ.items() if not name.startswith("DEVICEFLOW_")}


def until(condition: Callable[[], object], seconds: float = START_S) -> None:
    """Wait for another process, which has no other way to tell us."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


@pytest.fixture(scope="session")
def user_tables() -> str:
    """Ada and Bob, whose passwords are checked in no time, and Sloth, with whom it takes long."""
    quick = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
    hashes = {
        "ada": quick,
        "bob": quick,
        "sloth": PasswordHasher(time_cost=12, memory_cost=65536, parallelism=1).hash(PASSWORD),
    }
    return "".join(
        f'\n[[users]]\nusername = "{name}"\npassword_hash = "{hashed}"\n'
        for name, hashed in hashes.items()
    )


@pytest.fixture
def notes() -> Notes:
    return Notes()


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short path, so that the store's socket is in its data directory."""
    with TemporaryDirectory(prefix="df-") as name:
        yield Path(name)


@pytest.fixture
def make_program(folder: Path, user_tables: str, notes: Notes) -> Iterator[MakeProgram]:
    """Starts servers, ends them, and looks for secrets in what they leave behind."""
    made: list[Program] = []

    def make(*options: str) -> Program:
        (folder / "deviceflow.toml").write_text(CONFIG + user_tables, encoding="utf-8")
        program = Program(folder, options, notes)
        made.append(program)
        program.start()
        return program

    yield make
    for program in made:
        program.end()
        logged = "\n".join([json.dumps(event) for event in program.log] + program.stray)
        assert notes.found_in(logged) == set(), "a secret was logged"
        assert program.stray == [], "something that is no event was written to standard error"
        for path in program.data_dir.rglob("*"):
            if path.is_file():
                assert notes.found_in(path.read_text("latin-1")) == set(), f"a secret is in {path}"


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


@pytest.fixture(name="until")
def until_fixture() -> Callable[..., None]:
    """Waits for something that another process does."""
    return until


@pytest.fixture(name="is_running")
def is_running_fixture() -> Callable[[int], bool]:
    return is_running


@pytest.fixture(name="fetch")
def fetch_fixture() -> Callable[[str], Answer]:
    """Gets a URL; the answer may have any status."""
    return lambda url: fetch(request_of(url))


@pytest.fixture
def command(folder: Path) -> Command:
    """Runs a command of ours to its end, in an empty folder, with `given` on standard input."""

    def run(*arguments: str, given: str = "") -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [*COMMAND, *arguments],
            check=False,
            input=given,
            capture_output=True,
            text=True,
            timeout=START_S,
            cwd=folder,
            env=environment(),
        )

    return run
