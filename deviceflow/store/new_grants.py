"""New grants on their way into the store.

A grant has two keys, in two hash slots: the grant, and the user code that leads to it. Both are
written at the same time, and a device has its codes only when both are there. If one is missing,
because the store went away, no device has a code that leads to the other; it ends by its TTL.

Two round trips make a grant: a number with the counts that say how long its code has to be
(`slots`), then the two keys. Grants that are asked for while others are being made wait for them,
and are made together: with a store that syncs its file before it answers, what counts is how often
it has to. To a Cluster they go one by one, because a part that is away must not hold up the grants
of the others.
"""

from asyncio import gather
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from deviceflow.core import user_code as codes
from deviceflow.core.device_code import NONCE_BITS
from deviceflow.core.user_code import UserCodeFormat
from deviceflow.ops.randomness import RANDOMNESS
from deviceflow.store import keyspace, scripts
from deviceflow.store.connection import Connection
from deviceflow.store.errors import StoreUnavailable
from deviceflow.store.installation import Installation
from deviceflow.store.shapes import Value
from deviceflow.store.shared_trips import SharedTrips
from deviceflow.store.slots import Slot, Slots
from deviceflow.store.trips import MOST_COMMANDS

KEPT_AFTER_EXPIRY_MS = 60_000
COLLISION_TRIES = 8

MOST_TOGETHER = MOST_COMMANDS // 2
"""How many grants are made together. Each is two commands."""


class WantedGrant(NamedTuple):
    """A grant to be made. `lifetime` in s, `expires_at` in s since 1970."""

    fields: Mapping[str, Value]
    form: UserCodeFormat
    lifetime: int
    expires_at: int


class DraftGrant(NamedTuple):
    """A grant with an id and a user code that may be another grant's."""

    grant_id: int
    user_code: str
    fields: Mapping[str, Value]
    expires_at: int


class NewGrants:
    """Makes grants."""

    def __init__(self, connection: Connection, installation: Installation, slots: Slots) -> None:
        self._connection = connection
        self._installation = installation
        self._slots = slots
        self._together = SharedTrips(self._make_all, MOST_TOGETHER)

    async def make(self, wanted: WantedGrant) -> DraftGrant:
        """Make a grant: return it when it is in the store. May raise StoreUnavailable."""
        if self._connection.shape.is_one_server:
            made = await self._together.send(wanted)
        else:
            (made,) = await self._finish([wanted], [await self._slots.take(wanted.lifetime)])
        if isinstance(made, BaseException):
            raise made
        return made

    async def store_all(self, drafts: Sequence[DraftGrant]) -> Sequence[bool | BaseException]:
        """Store grants; return of each False if its user code or its id is another grant's.

        May raise StoreUnavailable, for all of them; any other failure is that of one grant.
        """
        names = [user_code_keys(self._installation, draft.user_code) for draft in drafts]
        grants = [
            scripts.NewGrant(
                key=grant_key(self._installation, draft.grant_id),
                code_key=index,
                mark=f"{draft.grant_id:x}",
                fields=draft.fields,
                expires_at=draft.expires_at,
                kept_ms=KEPT_AFTER_EXPIRY_MS,
            )
            for draft, (index, *_) in zip(drafts, names, strict=True)
        ]
        taken = [await self._is_taken(others) for _, *others in names]
        free = [grant for grant, is_taken in zip(grants, taken, strict=True) if not is_taken]
        stored = iter(await scripts.create_grants(self._connection.aside, free))
        return [False if is_taken else next(stored) for is_taken in taken]

    async def _make_all(self, wanted: Sequence[WantedGrant]) -> list[DraftGrant | BaseException]:
        """Make grants of any lifetimes. May raise StoreUnavailable, for all of them."""
        lifetimes = [each.lifetime for each in wanted]
        numbers = {
            lifetime: iter(await self._slots.take_several(lifetime, lifetimes.count(lifetime)))
            for lifetime in dict.fromkeys(lifetimes)
        }
        return await self._finish(wanted, [next(numbers[lifetime]) for lifetime in lifetimes])

    async def _finish(
        self, wanted: Sequence[WantedGrant], slots: Sequence[Slot]
    ) -> list[DraftGrant | BaseException]:
        """Store grants that have their numbers, with other codes where those were taken."""
        made: dict[int, DraftGrant | BaseException] = {}
        for _ in range(COLLISION_TRIES):
            places = [place for place in range(len(wanted)) if place not in made]
            if not places:
                break
            drafts = [_draft(wanted[place], slots[place]) for place in places]
            for place, draft, stored in zip(
                places, drafts, await self.store_all(drafts), strict=True
            ):
                if stored:
                    made[place] = stored if isinstance(stored, BaseException) else draft
        return [
            made.get(place, StoreUnavailable("no free user code")) for place in range(len(wanted))
        ]

    async def _is_taken(self, names: Sequence[str]) -> bool:
        """Return whether a user code is there under a name of keys that still serve.

        They were replaced a short time ago. Usually there are none.
        """
        if not names:
            return False
        found = await gather(*(self._connection.aside.command("EXISTS", name) for name in names))
        return any(found)


def _draft(wanted: WantedGrant, slot: Slot) -> DraftGrant:
    length = codes.length_for(wanted.form, *slot.pressure)
    return DraftGrant(
        grant_id=slot.number << NONCE_BITS | RANDOMNESS.getrandbits(NONCE_BITS),
        user_code=codes.generate(wanted.form, length, RANDOMNESS.randrange),
        fields=wanted.fields,
        expires_at=wanted.expires_at,
    )


def grant_key(installation: Installation, grant_id: int) -> str:
    """Return the key of a grant."""
    return keyspace.grant(grant_name(installation, grant_id))


def grant_name(installation: Installation, grant_id: int) -> str:
    """Return the name that a grant shares with its family of refresh tokens."""
    return installation.name(b"grant", grant_id.to_bytes(8))


def user_code_keys(installation: Installation, user_code: str) -> list[str]:
    """List the keys under which a code may be: the first one is for new grants."""
    names = installation.hidden_names(b"user code", user_code.encode())
    return [keyspace.user_code(name) for name in names]
