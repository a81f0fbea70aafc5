"""Devices: they ask for codes, poll, redeem, refresh and revoke, and lose some answers.

Each device behaves in one of several ways for a grant, and begins again at its end. What a device
does is drawn from its own random numbers, so the same seed gives the same devices.
"""

import asyncio
import random
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from typing import Literal

from tests.histories.history import Operation, Outcome, digest
from tests.histories.story import IN_FLIGHT_S
from tests.histories.wire import Reply, Wire, claims_of
from tests.stage.wire import DEVICE_CODE_GRANT

SCOPE, SCOPE_WITHOUT_REFRESH = "openid profile offline_access", "openid profile"
TV, LAMP, BRIEF = "tv", "lamp", "brief"
LIFETIMES_S = {TV: 60, LAMP: 45, BRIEF: 8}
"""The clients, and how long their codes live. Operators disable LAMP; people are late for BRIEF."""

INTERVAL_S = 1.0
WAIT_S = 8
TOO_FAST_S = 0.15
AGAIN_S = 1.0
AT_ONCE = 3
MOST_TRIES = 12

STEADY, HASTY, HOLDING, IMPATIENT = "steady", "hasty", "holding", "impatient"
MANNERS = {STEADY: 4, HASTY: 1, HOLDING: 3, IMPATIENT: 2}
"""How a device polls: at its pace, sometimes too fast, held, or several times as soon as somebody
has decided."""


@dataclass
class LiveGrant:
    """A grant that a device polls for. `decided`: a decision was acknowledged."""

    name: str
    client: str
    device_code: str
    user_code: str
    scope: str
    decided: asyncio.Event = field(default_factory=asyncio.Event)


class Device:
    """One device. `announce` gives its new grants to people. It lives until `stopping` is set.

    `host`: the number of the one at which it stays; None for each of them in turn.
    """

    def __init__(
        self,
        number: int,
        wire: Wire,
        announce: Callable[[LiveGrant], None],
        stopping: asyncio.Event,
        seed: int,
        host: int | None = None,
    ) -> None:
        self.name = f"device-{number}"
        self.wire, self._announce, self._stopping = wire, announce, stopping
        self.chance = random.Random(f"{seed} {number}")  # noqa: S311, no secret
        self._grants = 0
        self._place = {} if host is None else {"host": host}

    async def live(self) -> None:
        """Run the flow again and again."""
        await asyncio.sleep(self.chance.uniform(0, INTERVAL_S * 3))
        while not self._stopping.is_set():
            grant = await self._start()
            if grant is None:
                await asyncio.sleep(AGAIN_S)
                continue
            self._announce(grant)
            answer = await self._poll_until_end(grant)
            if answer is not None:
                await SignedIn(self, grant, answer).use()
            elif self.chance.random() < 0.3:
                # The end does not change.
                await asyncio.sleep(INTERVAL_S)
                await self.poll(grant)

    async def _start(self) -> LiveGrant | None:
        client = self.chance.choices([*LIFETIMES_S], [6, 2, 1])[0]
        scope = SCOPE if self.chance.random() < 0.9 else SCOPE_WITHOUT_REFRESH
        name = f"{self.name}-{self._grants}"
        self._grants += 1
        args = {"client": client, "scope": scope, "lifetime_s": LIFETIMES_S[client]}
        with self.wire.history.operation(self.name, "start", **args) as operation:
            form = {"client_id": client, "scope": scope}
            reply = await self.wire.post(operation, "/oauth2/device_authorization", form)
            if reply is None:
                return None
            if reply.status != 200:
                operation.outcome = Outcome.REFUSED
                operation.result = {"error": reply.body.get("error", reply.status)}
                return None
            operation.outcome = Outcome.DONE
            operation.result = {"grant": name, "interval": reply.body["interval"]}
        body = reply.body
        return LiveGrant(name, client, body["device_code"], body["user_code"], scope)

    async def _poll_until_end(self, grant: LiveGrant) -> Reply | None:
        """Poll until the grant has ended; return the answer with the tokens, if it has some."""
        manner = self.chance.choices([*MANNERS], [*MANNERS.values()])[0]
        interval, loses = INTERVAL_S, self.chance.random() < 0.3
        while True:
            if manner == IMPATIENT and grant.decided.is_set():
                polls = (self.poll(grant) for _ in range(AT_ONCE))
                replies = [reply for reply in await asyncio.gather(*polls) if reply is not None]
                # One that got tokens, if there is one.
                reply = min(replies, key=lambda each: each.status, default=None)
            else:
                wait = WAIT_S if manner == HOLDING else 0
                reply = await self.poll(grant, wait=wait, loses=loses)
                # One answer is lost, the first one with tokens.
                loses = loses and not (reply is None and grant.decided.is_set())
            if self._stopping.is_set() and not grant.decided.is_set():
                return None
            if reply is not None:
                answer = answer_of(reply)
                if answer not in {"authorization_pending", "slow_down"}:
                    return reply if answer == "tokens" else None
                interval = float(reply.body.get("interval", interval))
            is_hasty = manner == HASTY and self.chance.random() < 0.2
            await _pause(grant, TOO_FAST_S if is_hasty else interval, manner)

    async def poll(self, grant: LiveGrant, *, wait: int = 0, loses: bool = False) -> Reply | None:
        """Poll once. With `loses`, an answer with tokens goes unread. None without an answer."""
        form = {
            "grant_type": DEVICE_CODE_GRANT,
            "device_code": grant.device_code,
            "client_id": grant.client,
        }
        headers = {"Prefer": f"wait={wait}"} if wait else {}
        args = {"grant": grant.name} | ({"wait": wait} if wait else {}) | self._place
        with self.wire.history.operation(self.name, "poll", **args) as operation:
            reply = await self.wire.post(operation, "/oauth2/token", form, headers, wait)
            return note(operation, reply, loses=loses)


class SignedIn:
    """A device with tokens: it refreshes them, and perhaps revokes them at the end.

    It always uses its newest refresh token. If it has given up a request, it waits before it uses
    a successor, as that request may still arrive.
    """

    def __init__(self, device: Device, grant: LiveGrant, reply: Reply) -> None:
        self._device, self._grant, self._tokens = device, grant, reply.body
        self._chance = device.chance

    async def use(self) -> None:
        """Live on the tokens for a while."""
        if self._chance.random() < 0.4:
            # The same tokens again, until one of them is used.
            await asyncio.sleep(INTERVAL_S)
            await self._device.poll(self._grant)
        for _ in range(self._chance.randint(1, 4)):
            await asyncio.sleep(self._chance.uniform(0.5, 2.5))
            if "refresh_token" not in self._tokens or not await self._refresh_until_answered():
                return
        if self._chance.random() < 0.3:
            await self._revoke()

    async def _refresh_until_answered(self) -> bool:
        """Refresh; return whether the device has tokens that it may use again."""
        refreshes = 2 if self._chance.random() < 0.3 else 1
        loses = self._chance.random() < 0.3
        gave_up = False
        for _ in range(MOST_TRIES):
            replies = await asyncio.gather(*(self._refresh(loses) for _ in range(refreshes)))
            gave_up = gave_up or None in replies
            answered = [reply for reply in replies if isinstance(reply, Reply)]
            if answered:
                if gave_up:
                    await asyncio.sleep(IN_FLIGHT_S)
                return answered[-1].status == 200
            loses, refreshes = False, 1
            await asyncio.sleep(AGAIN_S)
        return False

    async def _refresh(self, loses: bool) -> Reply | Literal["unread"] | None:  # noqa: FBT001
        token = self._tokens["refresh_token"]
        form = {
            "grant_type": "refresh_token",
            "refresh_token": token,
            "client_id": self._grant.client,
        }
        with self._operation("refresh", token=digest(token)) as operation:
            sent = await self._device.wire.post(operation, "/oauth2/token", form)
            reply = note(operation, sent, loses=loses)
            if reply is not None and reply.status == 200:
                # In the order in which the answers come: the history has the same order.
                self._tokens = reply.body
        return reply if reply is not None or sent is None else "unread"

    async def _revoke(self) -> None:
        by_access_token = self._chance.random() < 0.5
        kind = "access_token" if by_access_token else "refresh_token"
        name = "" if by_access_token else digest(self._tokens[kind])
        form = {"token": self._tokens[kind], "client_id": self._grant.client}
        with self._operation("revoke", token=name) as operation:
            reply = await self._device.wire.post(operation, "/oauth2/revoke", form)
            if reply is not None:
                operation.outcome = Outcome.DONE if reply.status == 200 else Outcome.REFUSED
        # Neither may help any more.
        await self._refresh(loses=False)
        await self._device.poll(self._grant)

    def _operation(self, name: str, **args: str) -> AbstractContextManager[Operation]:
        device = self._device
        return device.wire.history.operation(device.name, name, grant=self._grant.name, **args)


def note(operation: Operation, reply: Reply | None, *, loses: bool = False) -> Reply | None:
    """Note an answer with tokens, or an error of RFC 6749 5.2. With `loses`, tokens go unread."""
    if reply is None:
        return None
    if loses and reply.status == 200:
        operation.result = {"unread": True}
        return None
    operation.outcome = Outcome.DONE
    operation.result = {"answer": answer_of(reply)}
    if reply.status == 200:
        claims = claims_of(reply.body["access_token"])
        operation.result |= {
            "jti": digest(claims["jti"]),
            "sub": claims["sub"],
            "scope": claims["scope"],
            "refresh": digest(reply.body.get("refresh_token", "")),
        }
    elif "interval" in reply.body:
        operation.result["interval"] = reply.body["interval"]
    return reply


async def _pause(grant: LiveGrant, seconds: float, manner: str) -> None:
    """Wait between two polls. An impatient device waits no more once somebody has decided."""
    if manner != IMPATIENT or grant.decided.is_set():
        await asyncio.sleep(seconds)
        return
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await grant.decided.wait()


def answer_of(reply: Reply) -> str:
    """Return the error of a token response, or `tokens`."""
    return "tokens" if reply.status == 200 else str(reply.body.get("error", reply.status))
