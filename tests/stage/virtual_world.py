"""A world for virtual devices without a network: the test's clock, and a server in memory."""

import heapq
import json
import random
from collections.abc import Callable
from itertools import count
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from deviceflow.conformance.decisions import ToDecide
from deviceflow.conformance.endpoints import Endpoints
from deviceflow.core.messages import DEVICE_CODE_GRANT
from deviceflow.device.answers import Reply
from deviceflow.device.client_auth import Credentials
from deviceflow.fleet.device import VirtualDevice
from deviceflow.fleet.requests import Requests
from deviceflow.fleet.result import People, Scenario
from deviceflow.fleet.starting import Starting
from deviceflow.fleet.styles import STYLES
from deviceflow.fleet.world import Deciding, Listener, World

INTERVAL_S, LIFETIME_S, TOKEN_S = 5, 100, 1000

NOBODY = People(by="nobody", approve=0, deny=0, walk_away=1, median_s=12.0, sigma=0.0)
APPROVING = msgspec.structs.replace(NOBODY, by="admin", approve=1, walk_away=0)
DENYING = msgspec.structs.replace(NOBODY, by="admin", deny=1, walk_away=0)

REQUESTS = Requests(
    Endpoints(
        issuer="http://127.0.0.1:1",
        device_authorization="http://127.0.0.1:1/start",
        token="http://127.0.0.1:1/token",
    ),
    Credentials(client_id="tv"),
    "openid",
    "test",
)


class FakeTimer:
    """A planned call."""

    def __init__(self, call: Callable[[], None]) -> None:
        self.call: Callable[[], None] | None = call

    def cancel(self) -> None:
        self.call = None


class FakeTime:
    """A clock that runs when the test lets it."""

    def __init__(self) -> None:
        self._now = 0.0
        self._order = count()
        self._planned: list[tuple[float, int, FakeTimer]] = []

    def now(self) -> float:
        return self._now

    def at(self, when: float, call: Callable[[], None]) -> FakeTimer:
        timer = FakeTimer(call)
        heapq.heappush(self._planned, (max(when, self._now), next(self._order), timer))
        return timer

    def run_until(self, end: float) -> None:
        """Make all planned calls up to a time."""
        while self._planned and self._planned[0][0] <= end:
            self._now, _, timer = heapq.heappop(self._planned)
            if timer.call is not None:
                timer.call()
        self._now = end


class FakeServer:
    """A server that is right, with what a test replaces. All of its people decide at once.

    `answer_s`: how long an answer takes. `instead`: called with the form of each request; a Reply
    or a cause of failure (str) is given in place of the right answer, None is no answer at all,
    and `...` is the right one. `polls`: when each poll came.
    """

    def __init__(self, time: FakeTime) -> None:
        self.time = time
        self.answer_s = 0.01
        self.instead: Callable[[dict[str, str]], Reply | str | Any | None] = lambda _: ...
        self.polls: list[float] = []
        self.forms: list[dict[str, str]] = []
        self.connections: list[bool] = []
        self.decisions: dict[str, str] = {}
        self._numbers = count(1)

    def send(self, request: bytes, listener: Listener, *, to_token: bool, closes: bool) -> None:
        del to_token
        form = dict(parse_qsl(request.decode().rpartition("\r\n\r\n")[2]))
        self.forms.append(form)
        self.connections.append(closes)
        if form.get("grant_type") == DEVICE_CODE_GRANT:
            self.polls.append(self.time.now())
        said = self.instead(form)
        reply = self.right(form) if said is ... else said
        if isinstance(reply, str):
            self.time.at(self.time.now() + self.answer_s, lambda: listener.failed(reply))
        elif reply is not None:
            self.time.at(self.time.now() + self.answer_s, lambda: listener.answered(reply))

    def hang_up(self) -> None:
        """Nothing is open."""

    def decide(self, what: ToDecide, deciding: Deciding) -> None:
        self.decisions[what.user_code] = what.choice
        deciding.acknowledged(0.0)

    def right(self, form: dict[str, str]) -> Reply:
        """Return the right answer."""
        code = form.get("device_code", "")
        match form.get("grant_type"), self.decisions.get(f"user {code}"):
            case (None, _):
                return codes(next(self._numbers))
            case ("refresh_token", _) | (_, "approve"):
                return tokens(next(self._numbers))
            case (_, "deny"):
                return error("access_denied")
            case _:
                return error("authorization_pending")


def codes(number: int, **members: object) -> Reply:
    """Return a device authorization response."""
    return _reply(
        200,
        {
            "device_code": f"{number}",
            "user_code": f"user {number}",
            "verification_uri": "http://127.0.0.1:1/device",
            "expires_in": LIFETIME_S,
            "interval": INTERVAL_S,
        }
        | members,
    )


def tokens(number: int, **members: object) -> Reply:
    """Return a token response."""
    return _reply(
        200,
        {
            "access_token": f"access {number}",
            "token_type": "Bearer",
            "refresh_token": f"refresh {number}",
            "expires_in": TOKEN_S,
        }
        | members,
    )


def error(code: str, status: int = 400, **members: object) -> Reply:
    """Return an error response."""
    return _reply(status, {"error": code} | members)


def _reply(status: int, members: dict[str, object]) -> Reply:
    kept = {name: value for name, value in members.items() if value is not None}
    return Reply(status=status, body=json.dumps(kept).encode())


class Stand:
    """One device in a world."""

    def __init__(self, style: str = "obedient", people: People = NOBODY, **scenario: Any) -> None:  # noqa: ANN401, of Scenario
        self.time = FakeTime()
        self.server = FakeServer(self.time)
        asked = Scenario(
            **{
                "devices": 1,
                "arrival": "power-cut",
                "seconds": 1000.0,
                "styles": {style: 1.0},
                "people": people,
                "seed": 1,
                **scenario,
            }
        )
        self.world = World(asked, self.time, REQUESTS, self.server, random.Random(1))  # noqa: S311
        row = STYLES[style]
        self.device = VirtualDevice(
            self.world, self.server, lambda: Starting(self.world, row), closes=row.closes
        )
        self.device.begin(0.0)

    def run_until(self, end: float) -> None:
        """Run, with the device looked after every second."""
        second = int(self.time.now()) + 1
        while second <= end:
            self.time.run_until(second)
            self.device.check(second)
            second += 1
        self.time.run_until(end)

    @property
    def tally(self) -> Any:  # noqa: ANN401, of many names
        return self.world.tally

    def wrong(self) -> dict[str, int]:
        """Return the wrong outcomes by kind. It begins a new second."""
        return self.tally.end_second(0, 0.0).wrong  # type: ignore[no-any-return]
