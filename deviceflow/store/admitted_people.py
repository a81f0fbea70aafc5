"""People whom another system has signed in: the first approval of a person makes an account.

The account has no password, so the person cannot sign in with one.
"""

import msgspec

from deviceflow.core.claims import Subject
from deviceflow.store import keyspace, scripts
from deviceflow.store.accounts import NO_PASSWORD, Account, account_record
from deviceflow.store.connection import Connection
from deviceflow.store.errors import RecordContended, SubjectTaken
from deviceflow.store.users import Users

_TRIES = 5
"""How often the server looks for a person whom other requests add at the same time."""


class AdmittedPeople:
    """The door for people whom another system has signed in."""

    def __init__(self, connection: Connection, users: Users) -> None:
        self._connection = connection
        self._users = users

    async def admit(self, subject: Subject) -> Subject | None:
        """Return the person with the mark of the account; None if the account is disabled.

        A person that is unknown here becomes a user. May raise SubjectTaken, RecordContended,
        StoreUnavailable.
        """
        for _ in range(_TRIES):
            account = await self._users.find(subject.username)
            if account is not None:
                if account.sub != subject.sub:
                    raise SubjectTaken
                marked = msgspec.structs.replace(subject, mark=account.marks.devices)
                return None if account.disabled else marked
            # If another request is faster, its account is looked at.
            await self._add(subject)
        raise RecordContended("a person is being added and removed at the same time")

    async def _add(self, subject: Subject) -> None:
        """Add a person, unless there is such a user by now. May raise SubjectTaken."""
        username, sub = subject.username, subject.sub
        taken = await self._connection.command("HGET", keyspace.SUBJECTS, sub) or b""
        owner = await self._users.find_subject(sub)
        if owner is not None and owner.username == username:
            return
        if owner is not None:
            raise SubjectTaken
        # Without an owner, the entry is of an account that is gone, or that is being added.
        is_own = await self._replace(keyspace.SUBJECTS, sub, taken, username.encode())
        account = Account(
            username=username,
            sub=sub,
            password_hash=NO_PASSWORD,
            name=subject.name,
            email=subject.email,
        )
        record = account_record(account)
        if is_own and not await self._replace(keyspace.USERS, username, b"", record):
            faster = await self._users.find(username)
            if faster is None or faster.sub != sub:
                await self._connection.command("HDEL", keyspace.SUBJECTS, sub)

    async def _replace(self, key: str, field: str, before: bytes, after: bytes) -> bool:
        return await scripts.change_field(self._connection, key, field, before=before, after=after)
