"""Links in notices, by which a person ends the access of a device without signing in.

Only a hash of a link's token is stored. It is good once, and for a week.
"""

import hashlib
import re
import secrets

import msgspec

from deviceflow.store import keyspace
from deviceflow.store.connection import Connection
from deviceflow.store.records import RecordKind, read_record, write_record

LINK_LIVES_S = 7 * 86_400

_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")


class NoticeLink(msgspec.Struct, frozen=True):
    """The device that a link disconnects, and whose it is."""

    sub: str
    grant_id: str


class NoticeLinks:
    """The door to links. Every method may raise StoreUnavailable."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def make(self, link: NoticeLink) -> str:
        """Return the token of a new link: 43 characters, 256 random bits."""
        token = secrets.token_urlsafe(32)
        await self._connection.command("SET", _key(token), write_record(link), "EX", LINK_LIVES_S)
        return token

    async def find(self, token: str) -> NoticeLink | None:
        """Return the link of a token, or None if there is none, or none any more."""
        if not _TOKEN.fullmatch(token):
            return None
        record = await self._connection.command("GET", _key(token))
        return read_record(record, RecordKind.NOTICE_LINK, NoticeLink) if record else None

    async def end(self, token: str) -> None:
        """End a link: it was used."""
        await self._connection.command("DEL", _key(token))


def _key(token: str) -> str:
    return keyspace.notice_link(hashlib.blake2b(token.encode(), digest_size=16).hexdigest())
