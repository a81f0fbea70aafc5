"""A person who has proven the first factor, and not yet the second.

That is no session. A cookie says who it is, for some minutes, under this server's seal. It counts
in this browser only, and no longer once the password has changed or all sessions were ended.
"""

from dataclasses import dataclass
from typing import NamedTuple

from aiohttp import web

from deviceflow.core import base64url
from deviceflow.core.clock import Clock
from deviceflow.pages.cookie import SessionCookie
from deviceflow.pages.seal import Seal
from deviceflow.pages.visitor import Visitor
from deviceflow.store.accounts import Account
from deviceflow.store.sessions import Session
from deviceflow.store.users import Users

HALF_WAY_S = 600


class FirstStep(NamedTuple):
    """What a person has proven already, by which methods, and when (s); None for just now.

    `session`: the session in which that was, if the person is signed in and proves more.
    """

    account: Account
    amr: tuple[str, ...]
    auth_time: int | None = None
    session: Session | None = None


@dataclass(frozen=True, kw_only=True)
class HalfWay:
    """Reads and writes the cookie. May raise `StoreUnavailable`."""

    cookie: SessionCookie
    seal: Seal
    users: Users
    clock: Clock

    @property
    def name(self) -> str:
        """The cookie's name."""
        return f"{self.cookie.name}-second"

    def begin(
        self, visitor: Visitor, response: web.Response, account: Account, amr: tuple[str, ...]
    ) -> None:
        """Note that `visitor` has proven the first factor of `account`, by the method `amr`."""
        until = str(int(self.clock()) + HALF_WAY_S)
        name, methods = base64url.encode(account.username.encode()), "-".join(amr)
        seal = self.seal.make(visitor.cookie, *_facts(account, until, methods))
        response.set_cookie(
            self.name,
            f"{name}.{until}.{seal}.{methods}",
            max_age=HALF_WAY_S,
            path="/",
            secure=self.cookie.https,
            httponly=True,
            samesite="Lax",
        )

    async def read(self, visitor: Visitor) -> FirstStep | None:
        """Return the first step that this visitor has made a few minutes ago."""
        name, _, rest = visitor.request.cookies.get(self.name, "").partition(".")
        until, _, rest = rest.partition(".")
        seal, _, methods = rest.partition(".")
        try:
            username = base64url.decode(name).decode()
        except ValueError:
            return None
        account = await self.users.find(username) if username else None
        if account is None or account.disabled:
            return None
        if not self.seal.holds(seal, visitor.cookie, *_facts(account, until, methods)):
            return None
        if int(until) <= self.clock():
            return None
        return FirstStep(account, tuple(methods.split("-")) if methods else ())

    def end(self, response: web.Response) -> None:
        """Forget it: the person is signed in, or starts again."""
        response.del_cookie(
            self.name, path="/", secure=self.cookie.https, httponly=True, samesite="Lax"
        )


def _facts(account: Account, until: str, methods: str) -> tuple[str, ...]:
    mark = str(account.marks.sessions)
    return ("half-way", account.sub, account.password_hash, mark, until, methods)
