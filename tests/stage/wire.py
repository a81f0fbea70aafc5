"""A device and a person's browser, which speak HTTP to a program and know nothing of its inside."""

import asyncio
import json
import time
from base64 import b64encode
from collections.abc import Callable, Mapping
from html.parser import HTMLParser
from http.cookiejar import CookieJar
from typing import Any, NamedTuple, Self
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, HTTPRedirectHandler, Request, build_opener

from tests.stage.program import Program
from tests.stage.waiting import PATIENCE_S

DEVICE_CODE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
PASSWORD = "correct horse battery"


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

    def at(self, program: Program) -> "Device":
        """The same device, which a balancer leads to another host."""
        other = Device(program, self._client_id, self._secret)
        other.grant, other.tokens = self.grant, self.tokens
        return other

    def authorize(self, **parameters: str) -> Self:
        answer = self.request(**parameters)
        assert answer.status == 200, answer
        return self

    def request(self, **parameters: str) -> Answer:
        """Ask for codes, which may be refused."""
        answer = self._post("device_authorization", parameters)
        if answer.status == 200:
            self.grant = answer.body
            code = self.user_code
            self._program.notes.add(self.grant["device_code"], code, code.replace("-", ""))
        return answer

    def poll(self, wait: int = 0) -> Answer:
        """Poll; with `wait` (s), the server may hold the poll."""
        form = {"grant_type": DEVICE_CODE_GRANT, "device_code": self.grant["device_code"]}
        return self._noted(self._post("token", form, {"Prefer": f"wait={wait}"} if wait else {}))

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

    def _post(
        self, endpoint: str, form: dict[str, str], headers: Mapping[str, str] | None = None
    ) -> Answer:
        url = f"{self._program.url}/oauth2/{endpoint}"
        if not self._secret:
            return fetch(request_of(url, form | {"client_id": self._client_id}, headers))
        basic = b64encode(f"{self._client_id}:{urlencode({'': self._secret})[1:]}".encode())
        basic_header = {"Authorization": f"Basic {basic.decode()}"}
        return fetch(request_of(url, form, basic_header | dict(headers or {})))


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


async def poll_once(port: int, device_code: str) -> dict[str, Any]:
    """The answer to a poll of the client "tv", over a connection of its own, beside many others."""
    body = f"grant_type={DEVICE_CODE_GRANT}&device_code={device_code}&client_id=tv"
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(
        "POST /oauth2/token HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        "Content-Type: application/x-www-form-urlencoded\r\n"
        f"Content-Length: {len(body)}\r\n\r\n{body}".encode()
    )
    answer = await reader.read()
    writer.close()
    parsed: dict[str, Any] = json.loads(answer.partition(b"\r\n\r\n")[2])
    return parsed


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
        response = opened(request, timeout=PATIENCE_S)
    except HTTPError as error:
        response = error
    with response:
        text = response.read().decode()
        is_json = response.headers.get_content_type() == "application/json"
        body = json.loads(text) if is_json and text else {}
        return Answer(response.status, response.headers, body, text, response.url)
