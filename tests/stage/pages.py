"""The pages over a store in memory, and a browser without a screen."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from html import unescape
from typing import Any

import msgspec
from aiohttp import ClientResponse, web
from aiohttp.test_utils import TestClient
from yarl import URL

from deviceflow.audit.journal import Audit
from deviceflow.callers import Callers
from deviceflow.config import Settings
from deviceflow.core.account_marks import AccountMarks
from deviceflow.core.claims import Subject
from deviceflow.core.client import Client
from deviceflow.core.clients import Clients
from deviceflow.core.grant import Event, Outcome, Record, State, apply
from deviceflow.core.user_code import UserCodeFormat
from deviceflow.ops.metrics.recorder import Recorder
from deviceflow.pages.cookie import SessionCookie
from deviceflow.pages.demo import Demo
from deviceflow.pages.routes import add_pages
from deviceflow.parts import Parts
from deviceflow.places import open_places
from deviceflow.store.account_marks import AccessKind
from deviceflow.store.accounts import Account
from deviceflow.store.device_index import DeviceEntry
from deviceflow.store.devices import (
    DEVICES_ON_A_PAGE,
    ConnectedDevice,
    DevicePage,
    Devices,
)
from deviceflow.store.errors import StoreUnavailable
from deviceflow.store.factors import Edit, Factors, FactorStore
from deviceflow.store.grant_records import NO_PAGE, DecisionPage, Grant
from deviceflow.store.grants import Grants
from deviceflow.store.hashing import ANYBODY, Sender
from deviceflow.store.installation import Installation
from deviceflow.store.notice_links import NoticeLink, NoticeLinks
from deviceflow.store.replay import Replay
from deviceflow.store.reports import ReportCounts, Reports
from deviceflow.store.sessions import NamedSession, Session, Sessions
from deviceflow.store.users import Users
from deviceflow.upstream.providers import Providers
from tests.stage.audited import SeenSecrets
from tests.stage.limits import MemoryLimits

NOW = 1_793_887_400  # 5 November 2026, 14:03 UTC
KEY = b"k" * 32
POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'"
)
"""The Content-Security-Policy of a page without a script."""

COOKIE = SessionCookie(https=False, issuer="http://127.0.0.1:8628").name
"""The name of the session's cookie at the issuer of most tests."""

TV = Client(client_id="tv-app", name="Living-room TV", scopes=("openid", "profile"))


class FakeGrants(Grants):
    """Grants by user code. `decisions`: what was decided, in order, and by whom.

    `pages`: where these people decided.
    """

    def __init__(self) -> None:
        self.by_code: dict[str, Grant] = {}
        self.now: float = NOW
        self.is_down = False
        self.growth = 0
        self.wrong = 0
        self.looked_up: list[str] = []
        self.decisions: list[tuple[Event, Subject | None]] = []
        self.pages: list[DecisionPage] = []

    def add(self, code: str, **changes: Any) -> Grant:  # noqa: ANN401, fields of any type
        grant = Grant(
            id=len(self.by_code) + 1,
            state=State.PENDING,
            client_id="tv-app",
            scope="openid profile",
            requested_at=NOW - 120,
            expires_at=NOW + 480,
            address="203.0.113.7",
            device="NebulaTV 4.2",
        )
        self.by_code[code] = msgspec.structs.replace(grant, **changes)
        return self.by_code[code]

    def log_id(self, grant_id: int) -> str:
        return f"grant-{grant_id}"

    async def code_length(self, form: UserCodeFormat, lifetime: int) -> int:
        if self.is_down:
            raise StoreUnavailable
        assert lifetime > 0
        return form.length + self.growth

    async def wrong_codes(self) -> int:
        return self.wrong

    async def find(self, user_code: str) -> Grant | None:
        if self.is_down:
            raise StoreUnavailable
        self.looked_up.append(user_code)
        grant = self.by_code.get(user_code)
        return None if grant is None or self.now >= grant.expires_at else grant

    async def recall(self, user_code: str) -> Grant | None:
        if self.is_down:
            raise StoreUnavailable
        return self.by_code.get(user_code)

    async def release(self, grant: Grant, account: str) -> Outcome:
        return self._apply(grant, Event.RELEASE, account)

    async def claim(self, grant: Grant, account: str) -> Outcome:
        return self._apply(grant, Event.CLAIM, account)

    async def decide(
        self,
        grant: Grant,
        event: Event,
        approval: Subject | None = None,
        scope: str | None = None,
        page: DecisionPage = NO_PAGE,
    ) -> Outcome:
        is_first = next(g for g in self.by_code.values() if g.id == grant.id).state is State.PENDING
        outcome = self._apply(grant, event, approval.sub if approval else "")
        if outcome is Outcome.CHANGED:
            self.decisions.append((event, approval))
            self.pages.append(page)
            if scope is not None and is_first:
                code = next(code for code, each in self.by_code.items() if each.id == grant.id)
                self.by_code[code] = msgspec.structs.replace(self.by_code[code], scope=scope)
        return outcome

    def _apply(self, grant: Grant, event: Event, account: str) -> Outcome:
        code, now = next((c, g) for c, g in self.by_code.items() if g.id == grant.id)
        before = Record(now.state, now.expires_at, now.claimed_by or "")
        after, outcome = apply(before, event, account=account, now=self.now)
        if outcome is Outcome.CHANGED and after is not None:
            self.by_code[code] = msgspec.structs.replace(
                now, state=after.state, claimed_by=after.claimed_by or None
            )
        return outcome


class FakeUsers(Users):
    """Ada, Bob, and Eve, who is disabled. A password is its own hash."""

    def __init__(self) -> None:
        self.accounts = {
            "ada": _account("ada", name="Ada Lovelace", email="ada@example.com"),
            "bob": _account("bob"),
            "eve": _account("eve", disabled=True),
        }
        self.verified: list[str] = []
        self.hinders: Exception | None = None
        self.senders: list[Sender] = []

    async def find(self, username: str) -> Account | None:
        return self.accounts.get(username)

    async def find_typed(self, username: str) -> Account | None:
        return self.accounts.get(username)

    async def create(self, username: str) -> Account | None:
        return self.accounts.setdefault(username, _account(username, password_hash=""))

    async def change_password(self, account: Account, password: str) -> bool:
        changed = msgspec.structs.replace(account, password_hash=password)
        self.accounts[account.username] = changed
        return True

    async def end_until_now(self, account: Account, *ended: AccessKind) -> Account:
        before = self.accounts[account.username].marks
        marks = AccountMarks(
            before.sessions + (AccessKind.SESSIONS in ended),
            before.devices + (AccessKind.DEVICES in ended),
        )
        marked = msgspec.structs.replace(self.accounts[account.username], marks=marks)
        self.accounts[account.username] = marked
        return marked

    async def find_subject(self, sub: str) -> Account | None:
        return next((each for each in self.accounts.values() if each.sub == sub), None)

    async def verify(
        self, username: str, password: str, sender: Sender = ANYBODY
    ) -> Account | None:
        self.senders.append(sender)
        if self.hinders is not None:
            raise self.hinders
        self.verified.append(username)
        account = self.accounts.get(username)
        good = account is not None and account.password_hash == password and not account.disabled
        return account if good else None


class FakeSessions(Sessions):
    """Sessions by id."""

    def __init__(self) -> None:
        self.by_id: dict[str, Session] = {}
        self.is_down = False
        self.count = 0

    async def start(self, session: Session) -> str:
        self.count += 1
        session_id = f"session-{self.count}".ljust(43, "x")
        self.by_id[session_id] = session
        return session_id

    async def renew(self, session_id: str, session: Session) -> str:
        self.by_id.pop(session_id)
        return await self.start(session)

    async def get(self, session_id: str) -> Session | None:
        if self.is_down:
            raise StoreUnavailable
        return self.by_id.get(session_id)

    async def end(self, session_id: str) -> None:
        self.by_id.pop(session_id, None)

    def name_of(self, session_id: str) -> str:
        return f"name-of-{session_id.rstrip('x')}"

    async def of(self, sub: str) -> list[NamedSession]:
        found = [
            NamedSession(self.name_of(session_id), session)
            for session_id, session in self.by_id.items()
            if session.sub == sub
        ]
        return found[::-1]

    async def end_named(self, sub: str, name: str) -> bool:
        for session_id, session in self.by_id.items():
            if session.sub == sub and self.name_of(session_id) == name:
                del self.by_id[session_id]
                return True
        return False

    async def end_all(self, sub: str, besides: str = "") -> int:
        others = [
            session_id
            for session_id, session in self.by_id.items()
            if session.sub == sub and session_id != besides
        ]
        for session_id in others:
            del self.by_id[session_id]
        return len(others)


class FakeNoticeLinks(NoticeLinks):
    """Links by their tokens."""

    def __init__(self) -> None:
        self.by_token: dict[str, NoticeLink] = {}

    async def find(self, token: str) -> NoticeLink | None:
        return self.by_token.get(token)

    async def end(self, token: str) -> None:
        del self.by_token[token]


class FakeDevices(Devices):
    """Devices by the ids of their grants: those that were approved in `grants`, and more."""

    def __init__(self, grants: FakeGrants) -> None:
        self.grants = grants
        self.by_id: dict[str, tuple[str, ConnectedDevice]] = {}
        self.ended: list[str] = []

    def add(self, sub: str = "sub-ada", **changes: Any) -> ConnectedDevice:  # noqa: ANN401
        """Connect a device; `changes`: of it, or of its entry."""
        entry = DeviceEntry(
            client_id="tv-app",
            scope="openid profile",
            approved_at=NOW - 7200,
            device="NebulaTV 4.2",
            address="203.0.113.7",
            approved_from="198.51.100.4",
        )
        fields = set(ConnectedDevice._fields)
        device = ConnectedDevice(
            grant_id=f"device-{len(self.by_id)}",
            entry=msgspec.structs.replace(
                entry, **{name: value for name, value in changes.items() if name not in fields}
            ),
            used_at=NOW - 3600,
            ends_at=NOW + 86_400,
        )
        own = {name: value for name, value in changes.items() if name in fields}
        device = device._replace(**own)
        self.by_id[device.grant_id] = (sub, device)
        return device

    def grant_id(self, grant: int) -> str:
        return f"grant-{grant}"

    async def of(self, sub: str, number: int = 1) -> DevicePage:
        own = [device for owner, device in self.by_id.values() if owner == sub][::-1]
        first = (number - 1) * DEVICES_ON_A_PAGE
        return DevicePage(own[first : first + DEVICES_ON_A_PAGE], number, len(own))

    async def get(self, sub: str, grant_id: str) -> ConnectedDevice | None:
        for grant in self.grants.by_code.values():
            if self.grant_id(grant.id) == grant_id and grant.state in {
                State.APPROVED,
                State.REDEEMED,
            }:
                return self.add(grant_id=grant_id) if grant_id not in self.ended else None
        owner, device = self.by_id.get(grant_id, ("", None))
        return device if owner == sub else None

    async def was_disconnected(self, grant_id: str) -> bool:
        return grant_id in self.ended

    async def rename(self, sub: str, grant_id: str, own_name: str) -> bool:
        device = await self.get(sub, grant_id)
        if device is None:
            return False
        entry = msgspec.structs.replace(device.entry, name=own_name)
        self.by_id[grant_id] = (sub, device._replace(entry=entry))
        return True

    async def disconnect(self, sub: str, grant_id: str) -> bool:
        if await self.get(sub, grant_id) is None:
            return False
        self.ended.append(grant_id)
        del self.by_id[grant_id]
        return True

    async def disconnect_all(self, sub: str) -> int:
        own = [grant_id for grant_id, (owner, _) in self.by_id.items() if owner == sub]
        for grant_id in own:
            await self.disconnect(sub, grant_id)
        return len(own)


class FakeReports(Reports):
    """Reports, as they came: the grant, its client, the address."""

    def __init__(self) -> None:
        self.all: list[tuple[str, str, str]] = []

    async def add(self, grant: str, client_id: str, address: str) -> ReportCounts:
        is_new = not any(grant == other for other, _, _ in self.all)
        if is_new:
            self.all.append((grant, client_id, address))
        of_client = sum(client_id == other for _, other, _ in self.all)
        return ReportCounts(is_new, of_client, sum(address == other for *_, other in self.all))


class FakeInstallation(Installation):
    """The secrets of an installation, always the same."""

    def __init__(self) -> None:
        names = ("epoch", "device_code_key", "name_key", "challenge_key")
        super().__init__({name.encode(): KEY for name in names})


class FakeFactors(FactorStore):
    """Factors by subject, and subjects by passkey."""

    def __init__(self) -> None:
        self._installation = FakeInstallation()
        self.by_sub: dict[str, Factors] = {}
        self.owners: dict[str, str] = {}
        self.is_down = False

    async def of(self, sub: str) -> Factors:
        if self.is_down:
            raise StoreUnavailable
        return self.by_sub.get(sub, Factors())

    async def change(self, sub: str, edit: Edit) -> Factors | None:
        edited = edit(await self.of(sub))
        if edited is not None:
            self.by_sub[sub] = edited
        return edited

    async def claim_passkey(self, passkey_id: str, sub: str) -> bool:
        return self.owners.setdefault(passkey_id, sub) == sub

    async def owner_of(self, passkey_id: str) -> str | None:
        return self.owners.get(passkey_id)

    async def forget_passkey(self, passkey_id: str) -> None:
        self.owners.pop(passkey_id, None)


class FakeReplay(Replay):
    """Ids that were used."""

    def __init__(self) -> None:
        self.used: set[tuple[str, str, str]] = set()

    async def use(self, kind: str, owner: str, jti: str, keep_s: int) -> bool:
        assert keep_s > 0
        is_new = (kind, owner, jti) not in self.used
        self.used.add((kind, owner, jti))
        return is_new


@dataclass
class Store:
    """All fakes of one test."""

    grants: FakeGrants = field(default_factory=FakeGrants)
    users: FakeUsers = field(default_factory=FakeUsers)
    sessions: FakeSessions = field(default_factory=FakeSessions)
    factors: FakeFactors = field(default_factory=FakeFactors)
    clients: Clients = field(default_factory=lambda: Clients(()))
    reports: FakeReports = field(default_factory=FakeReports)

    def __post_init__(self) -> None:
        self.limits = MemoryLimits(lambda: self.grants.now)
        self.devices = FakeDevices(self.grants)
        self.notice_links = FakeNoticeLinks()
        self.replay = FakeReplay()
        self.recorder = Recorder.alone()
        self.audit = Audit(recorder=self.recorder, clock=lambda: self.grants.now)


class PageParts(Parts):
    """The parts of a worker that pages use, over `store`; the others are missing."""

    def __init__(self, store: Store, settings: Settings) -> None:
        vars(self).update(
            settings=settings,
            clock=lambda: store.grants.now,
            installation=FakeInstallation(),
            clients=store.clients,
            grants=store.grants,
            devices=store.devices,
            notice_links=store.notice_links,
            users=store.users,
            sessions=store.sessions,
            factors=store.factors,
            limits=store.limits,
            reports=store.reports,
            replay=store.replay,
            callers=Callers(settings.server.proxies),
            recorder=store.recorder,
            audit=store.audit,
            providers=Providers((), clock=lambda: store.grants.now, steady=lambda: NOW),
            places=open_places(settings.pages.geoip_file),
        )


def add_to(app: web.Application, store: Store, settings: Settings, demo: Demo | None) -> None:
    """Give `app` the pages, wired as the server wires them."""
    store.clients = Clients(settings.clients)
    parts = PageParts(store, settings)
    add_pages(app, parts, demo)

    async def close(_: web.Application) -> None:
        parts.places.close()

    app.on_cleanup.append(close)


class Browser:
    """One person's browser. It follows no redirect by itself, but goes where forms lead."""

    def __init__(
        self, client: TestClient[web.Request, web.Application], host: str = "127.0.0.1:8628"
    ) -> None:
        self.client = client
        self.host = host
        self.page = ""
        self.answer: ClientResponse
        self.secrets = SeenSecrets()

    async def open(self, path: str | URL, **options: Any) -> ClientResponse:  # noqa: ANN401
        return await self._go("GET", path, **options)

    async def post(self, path: str, **options: Any) -> ClientResponse:  # noqa: ANN401
        return await self._go("POST", path, **options)

    async def submit(self, path: str, **fields: str) -> ClientResponse:
        """Send the form of the page that is open, with `fields` in it."""
        return await self.post(path, data=self.hidden | fields)

    async def follow(self) -> ClientResponse:
        """Go where the redirects lead that were answered."""
        while self.answer.status == 303:
            await self.open(URL(self.answer.headers["Location"], encoded=True))
        return self.answer

    async def sign_in(self, username: str = "ada", password: str = "") -> ClientResponse:
        await self.open("/login")
        return await self.send_password(username=username, password=password or username)

    async def send_password(self, path: str = "/login", **fields: str) -> ClientResponse:
        """Send the form of the page that is open, and look at the form again if it failed."""
        return await self.see_form_again(await self.submit(path, **fields))

    async def see_form_again(self, answer: ClientResponse) -> ClientResponse:
        """Go back to the form for a password if a POST has led there."""
        leads_back = re.match(r"/login\?(.*&)?(notice|pause)=", answer.headers.get("Location", ""))
        return await self.follow() if leads_back else answer

    async def enter(self, user_code: str) -> ClientResponse:
        """Send a code, and go to the page that is shown for it."""
        await self.open("/device")
        await self.submit("/device", user_code=user_code)
        return await self.follow()

    async def press(self, button: str) -> ClientResponse:
        """Press a button of the page on which a request is shown, and see where it leads."""
        name = {"account": "switch"}.get(button, "decision")
        await self.submit("/device/confirm", **{name: button})
        return await self.follow()

    @property
    def title(self) -> str:
        """What the tab of the page is called."""
        return unescape(self.page.partition("<title>")[2].partition("</title>")[0])

    @property
    def hidden(self) -> dict[str, str]:
        """The hidden fields of the page's main form."""
        main = self.page.partition("<main")[2].partition("</main>")[0]
        found = re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', main)
        return {name: unescape(value) for name, value in found}

    @property
    def text(self) -> str:
        """What a person reads, on one line."""
        return " ".join(unescape(re.sub(r"<[^>]*>", " ", self.page)).split())

    @property
    def typed(self) -> str:
        """What stands in the field for the code."""
        found = re.search(r'name="user_code" value="([^"]*)"\s+placeholder', self.page)
        assert found is not None, "the page has no field for a code"
        return unescape(found[1])

    async def _go(self, method: str, path: str | URL, **options: Any) -> ClientResponse:  # noqa: ANN401
        options.setdefault("allow_redirects", False)
        options["headers"] = {"Host": self.host} | dict(options.get("headers") or {})
        self.answer = await self.client.request(method, path, **options)
        self.page = await self.answer.text()
        self.secrets.add_fields(options.get("data"))
        self.secrets.add_fields(self.hidden)
        self.secrets.add(cookie.value for cookie in self.answer.cookies.values())
        return self.answer


OpenBrowser = Callable[..., Awaitable[Browser]]
MakeApp = Callable[..., web.Application]


def check_headers(answer: ClientResponse, cache: str = "no-store", policy: str = POLICY) -> None:
    """Hold an answer to the headers that every page carries."""
    headers = answer.headers
    assert headers["Content-Security-Policy"] == policy
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert "camera=()" in headers["Permissions-Policy"]
    assert headers["Cache-Control"] == cache
    assert "Strict-Transport-Security" not in headers
    assert not [name for name in headers if name.lower().startswith("access-control-")]


def _account(username: str, **changes: Any) -> Account:  # noqa: ANN401, fields of any type
    account = Account(username=username, sub=f"sub-{username}", password_hash=username)
    return msgspec.structs.replace(account, **changes)
