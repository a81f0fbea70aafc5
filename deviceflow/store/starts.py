"""Limits on starting grants, for all workers and hosts together.

A client has a bucket of starts, and so has each network and each address that its devices come
from. A bucket of N starts is full at first, and refills evenly within REFILL_S: so N devices may
start at the same moment, and N more in every REFILL_S. The client's unexpired grants are counted,
too. One script judges all of it, and counts a start that no limit refuses.

Everything about a client is in one hash slot. Starts that wait at the same time share a round trip.
"""

from asyncio import gather
from collections.abc import Sequence
from typing import Literal, NamedTuple, get_args

from deviceflow.core.clock import Clock
from deviceflow.store import keyspace, scripts
from deviceflow.store.connection import Connection
from deviceflow.store.errors import StoreUnavailable, own_copy
from deviceflow.store.installation import Installation
from deviceflow.store.shared_trips import SharedTrips

REFILL_S = 600
"""The time in which an empty bucket is full again: the lifetime of a grant, by default."""

_MINUTE_S = 60
_KEPT_S = 86_400 + 5 * _MINUTE_S
"""The longest lifetime of a grant is a day. Hosts may disagree about the minute."""

MOST_IN_A_SCRIPT = 64
"""How many starts one script judges: it takes about a millisecond, in which the store waits."""

StartLimit = Literal["client", "network", "address", "live"]

START_LIMITS: tuple[StartLimit, ...] = get_args(StartLimit)
"""In the order in which they are judged. The fields of `StartLimits` have the same order."""


class StartLimits(NamedTuple):
    """The limits of a client, 0 for none.

    `client`, `network`, `address`: how many starts a bucket holds, of all devices, of those in a
    /48 of IPv6, and of those at an IPv4 address or in a /64. `live`: the unexpired grants.
    """

    client: int
    network: int
    address: int
    live: int


class Start(NamedTuple):
    """A start to be judged. `network`: None for an IPv4 address. `lifetime` of the grant in s."""

    client_id: str
    limits: StartLimits
    network: str | None
    address: str
    lifetime: int


class StartRefusal(NamedTuple):
    """The limit that refuses a start, and in how many s it has room again."""

    limit: StartLimit
    wait_s: float


class Starts:
    """One worker's door to the limits."""

    def __init__(self, connection: Connection, installation: Installation, clock: Clock) -> None:
        self._connection = connection
        self._installation = installation
        self._clock = clock
        self._trips = SharedTrips(self._judge)

    async def admit(self, start: Start) -> StartRefusal | None:
        """Count a start, and return None; or return why it is refused, and count nothing.

        A repetition of the command counts twice. May raise StoreUnavailable.
        """
        answer = await self._trips.send(start)
        if isinstance(answer, StoreUnavailable):
            raise own_copy(answer)
        return answer

    async def _judge(self, starts: Sequence[Start]) -> list[StartRefusal | StoreUnavailable | None]:
        """Judge starts of any clients: those of a client, with its limits, in one script.

        If a part of a Cluster is away, the starts of other clients have their answers.
        """
        groups: dict[tuple[str, StartLimits, int], list[int]] = {}
        for place, start in enumerate(starts):
            key = (start.client_id, start.limits, start.lifetime)
            groups.setdefault(key, []).append(place)
        answers: list[StartRefusal | StoreUnavailable | None] = [None] * len(starts)

        async def judge(places: list[int]) -> None:
            found: Sequence[StartRefusal | StoreUnavailable | None]
            try:
                found = await self._judge_alike([starts[place] for place in places])
            except StoreUnavailable as error:
                found = [error] * len(places)
            for place, answer in zip(places, found, strict=True):
                answers[place] = answer

        batches = [
            places[first : first + MOST_IN_A_SCRIPT]
            for places in groups.values()
            for first in range(0, len(places), MOST_IN_A_SCRIPT)
        ]
        await gather(*map(judge, batches))
        return answers

    async def _judge_alike(self, starts: Sequence[Start]) -> list[StartRefusal | None]:
        client_id, limits, _, _, lifetime = starts[0]
        client = self._installation.name(b"client", client_id.encode())
        networks = dict.fromkeys(
            network
            for start in starts
            for network in (start.network, start.address)
            if network is not None
        )
        names = [
            self._installation.hidden_name(b"network", network.encode()) for network in networks
        ]
        keys = [keyspace.starts(client), *(keyspace.starts_from(client, name) for name in names)]
        places: dict[str | None, int] = {None: 0}
        places |= {network: place for place, network in enumerate(networks, 2)}
        now = self._clock()
        verdicts = await scripts.admit_starts(
            self._connection.aside,
            keys,
            scripts.StartTimes(
                now_us=int(now * 1_000_000),
                refill_us=REFILL_S * 1_000_000,
                minute=int(now) // _MINUTE_S,
                end=int(now + lifetime) // _MINUTE_S,
                kept_s=_KEPT_S,
            ),
            limits,
            [(places[start.network], places[start.address]) for start in starts],
        )
        return [
            StartRefusal(START_LIMITS[limit - 1], wait_us / 1_000_000) if limit else None
            for limit, wait_us in verdicts
        ]
