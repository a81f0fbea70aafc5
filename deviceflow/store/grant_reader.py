"""Finding grants: by user code, by number, by recent decisions."""

from asyncio import gather

import msgspec

from deviceflow.core.clock import Clock
from deviceflow.core.grant import CANCELLABLE, State
from deviceflow.store.connection import Connection
from deviceflow.store.decision_log import DecisionLog
from deviceflow.store.errors import RecordUnreadable
from deviceflow.store.grant_records import Grant, RecentDecision, read_grant
from deviceflow.store.installation import Installation
from deviceflow.store.mirror import Mirror
from deviceflow.store.new_grants import grant_key, user_code_keys
from deviceflow.store.records import RecordKind, check_fields
from deviceflow.store.slots import Slots

_NO_GRANT = 2**64 - 1


class GrantReader:
    """The reading half of `Grants`. Every coroutine may raise StoreUnavailable."""

    def __init__(
        self,
        connection: Connection,
        installation: Installation,
        mirror: Mirror,
        slots: Slots,
        clock: Clock,
    ) -> None:
        self._connection = connection
        self._installation = installation
        self._mirror = mirror
        self._slots = slots
        self._clock = clock
        self._log = DecisionLog(connection, clock)

    async def find(self, user_code: str) -> Grant | None:
        """Return the unexpired grant of a normalised user code, or None.

        A code that leads nowhere is counted: many of them lengthen the codes of new grants.
        """
        grant_id = await self._id_of(user_code)
        if grant_id is None:
            await self._slots.count_wrong_code()
            return None
        grant = await self.get(grant_id)
        return None if grant is None or self._clock() >= grant.expires_at else grant

    async def recall(self, user_code: str) -> Grant | None:
        """Return the grant of a normalised user code, also in the minute after its end, or None.

        For a caller that knows the code already: a code that leads nowhere is not counted. It takes
        as many round trips as a known one, so the time does not tell which codes exist.
        """
        grant_id = await self._id_of(user_code)
        return await self.get(_NO_GRANT if grant_id is None else grant_id)

    async def _id_of(self, user_code: str) -> int | None:
        keys = user_code_keys(self._installation, user_code)
        # All at once: the time must not tell with which keys a code was made.
        found = await gather(*(self._connection.command("GET", key) for key in keys))
        grant_id = next((each for each in found if each is not None), None)
        return None if grant_id is None else int(grant_id, 16)

    async def get(self, grant_id: int) -> Grant | None:
        """Return the grant as it is now, or None if the store has no such grant.

        May raise RecordUnreadable. A script changes only a grant that was read.
        """
        fields = await self._connection.command("HGETALL", self._key(grant_id))
        return self._as_cancelled(read_grant(grant_id, fields)) if fields else None

    def is_cancelled(self, client_id: str, grant_id: int) -> bool:
        """Return whether a grant was cancelled with all that its client had."""
        return self._mirror.is_cancelled(client_id.encode(), grant_id)

    def _as_cancelled(self, grant: Grant) -> Grant:
        """Return the grant, as cancelled if all of its client were and its state allows that."""
        if grant.state in CANCELLABLE and self.is_cancelled(grant.client_id, grant.id):
            return msgspec.structs.replace(grant, state=State.CANCELLED)
        return grant

    async def recent(self, count: int) -> list[RecentDecision]:
        """Return the newest decisions of grants that the store still has, one for each grant.

        `count`: how many entries of the decision log are read.
        """
        newest = await self._log.newest(count)
        grants = await gather(*(self._get_readable(grant_id) for grant_id in newest))
        found = zip(newest.values(), grants, strict=True)
        # An entry is a hint: perhaps nothing was decided.
        return [
            RecentDecision(at, grant)
            for at, grant in found
            if grant is not None and grant.state is not State.PENDING
        ]

    async def _get_readable(self, grant_id: int) -> Grant | None:
        try:
            return await self.get(grant_id)
        except RecordUnreadable:
            return None

    async def state_of(self, grant_id: int) -> State | None:
        """Return the grant's state as it is now, or None if the store has none that can be read."""
        state, version = await self._connection.command("HMGET", self._key(grant_id), "state", "v")
        if state is None:
            return None
        try:
            check_fields({} if version is None else {b"v": version}, RecordKind.GRANT)
            return State(state.decode())
        except (RecordUnreadable, ValueError):
            # The poll that asks for this grant asks the store itself, and waits.
            return None

    def _key(self, grant_id: int) -> str:
        return grant_key(self._installation, grant_id)
