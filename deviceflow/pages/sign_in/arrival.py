"""What follows the first factor: the second step, or the session."""

from dataclasses import dataclass

from aiohttp import web
from msgspec.structs import replace

from deviceflow.audit.events import SecurityEvent
from deviceflow.audit.journal import Audit
from deviceflow.core.assurance import acr_of, joined, way_of
from deviceflow.ops.metrics import table
from deviceflow.ops.metrics.recorder import Recorder
from deviceflow.pages.known_browser import KnownBrowsers
from deviceflow.pages.onward import Onward
from deviceflow.pages.sign_in.half_way import HalfWay
from deviceflow.pages.sign_in.session_start import SessionStart
from deviceflow.pages.sign_in.typed_name import TypedName
from deviceflow.pages.throttle import account_key
from deviceflow.pages.visitor import Visitor
from deviceflow.policy.sign_in_ways import SignInWays
from deviceflow.store.accounts import Account
from deviceflow.store.factors import FactorStore
from deviceflow.store.sessions import Session


@dataclass(frozen=True, kw_only=True)
class Arrival:
    """Ends the first step, and the last. May raise `StoreUnavailable`."""

    ways: SignInWays
    factors: FactorStore
    half_way: HalfWay
    session_start: SessionStart
    known_browsers: KnownBrowsers
    typed_name: TypedName
    recorder: Recorder
    audit: Audit

    async def first(
        self, visitor: Visitor, account: Account, onward: Onward, *, amr: tuple[str, ...]
    ) -> web.Response:
        """Go on after the first factor. `amr`: its method, empty if only a proxy knows it."""
        factors = await self.factors.of(account.sub)
        if not self.ways.has_second_factor(factors):
            return await self.finish(visitor, account, onward, amr=amr)
        response = onward.detour(visitor.request, "/login/second")
        self.half_way.begin(visitor, response, account, amr)
        self.typed_name.remove(response)
        return response

    async def finish(
        self,
        visitor: Visitor,
        account: Account,
        onward: Onward,
        *,
        amr: tuple[str, ...],
        auth_time: int | None = None,
    ) -> web.Response:
        """Start the session, and know the browser from now on. `auth_time`: as in SessionStart."""
        response = await self.session_start.start(
            visitor, account, onward.user_code, amr=amr, page=onward.path, auth_time=auth_time
        )
        self.half_way.end(response)
        self.known_browsers.remember(visitor.request, response, account_key(account.username))
        self.typed_name.remove(response)
        self._note_success(visitor, account.sub, amr)
        return response

    async def prove_more(
        self, visitor: Visitor, session: Session, onward: Onward, factor: tuple[str, ...]
    ) -> web.Response:
        """Go on with the session of a provider, which counts an own factor from now on.

        It stays the provider's: its logout ends it, and signing out here leads to it.
        """
        amr = joined(session.amr, factor)
        proven = replace(session, amr=amr, acr=acr_of(amr))
        await self.session_start.sessions.renew(visitor.cookie, proven)
        self._note_success(visitor, session.sub, factor)
        return onward.go_on(visitor.request)

    def _note_success(self, visitor: Visitor, sub: str, amr: tuple[str, ...]) -> None:
        self.recorder.count(table.SIGN_INS, "succeeded")
        self.audit.record(
            SecurityEvent.SIGN_IN_SUCCEEDED, sub=sub, way=way_of(amr), address=visitor.address
        )


def lead_foreign(visitor: Visitor, onward: Onward) -> web.Response:
    """Lead on after a form that is not this visitor's own, which has changed nothing."""
    if visitor.person is not None:
        return onward.go_on(visitor.request)
    problem = "outdated" if visitor.sent_cookie else "no_cookie"
    return onward.detour(visitor.request, "/login", notice=problem)
