"""Add a factor, and remove one: what holds for the app and for passkeys."""

import dataclasses
from dataclasses import dataclass

import structlog
from aiohttp import web
from msgspec.structs import replace

from deviceflow.audit.events import SecurityEvent
from deviceflow.audit.journal import Audit
from deviceflow.core.assurance import acr_of, joined
from deviceflow.pages.account import recovery
from deviceflow.pages.account.owner import SECURITY, VERY_FRESH_S, Owner, Owners
from deviceflow.pages.account.recovery import NewCodes
from deviceflow.pages.cookie import SessionCookie
from deviceflow.store.factors import Edit, Factors
from deviceflow.store.sessions import Sessions

log = structlog.get_logger()


@dataclass(frozen=True, kw_only=True)
class Additions:
    """Changes factors. May raise `StoreUnavailable`."""

    owners: Owners
    new_codes: NewCodes
    sessions: Sessions
    cookie: SessionCookie
    audit: Audit

    async def add(
        self, owner: Owner, edit: Edit, notice: str, amr: tuple[str, ...]
    ) -> web.Response:
        """Add a factor by `edit`. The first one brings recovery codes, which are shown next.

        `amr`: of the factor, which the person has just used. The session counts it from now on.
        """
        codes = self.new_codes.make()
        hashes = self.new_codes.hashes(owner, codes)

        def with_codes(factors: Factors) -> Factors | None:
            added = edit(factors)
            if added is None or _has_any(factors):
                return added
            return replace(added, recovery=hashes)

        after = await self.owners.factors.change(owner.sub, with_codes)
        if after is None:
            return self.owners.lead(owner)
        log.info("account.changed", change=notice, address=owner.visitor.address)
        self._record(SecurityEvent.FACTOR_ADDED, owner, notice)
        owner = await self._with_factor(owner, amr)
        is_first = after.recovery == hashes
        path, query = (recovery.RECOVERY_PATH, {}) if is_first else (SECURITY, {"notice": notice})
        response = self.owners.lead(owner, path, **query)
        self.cookie.write(response, owner.visitor.cookie)
        if is_first:
            self.new_codes.hand_over(owner, response, codes)
        return response

    async def _with_factor(self, owner: Owner, amr: tuple[str, ...]) -> Owner:
        """Replace the session by one that counts the factor. It is as old as it was."""
        before = owner.person.session
        methods = joined(before.amr, amr)
        session = replace(before, amr=methods, acr=acr_of(methods))
        session_id = await self.sessions.renew(owner.visitor.cookie, session)
        visitor = dataclasses.replace(owner.visitor, cookie=session_id)
        return dataclasses.replace(owner, visitor=visitor)

    async def remove(self, owner: Owner, edit: Edit, notice: str) -> web.Response:
        """Remove a factor by `edit`.

        The last one asks for a very fresh sign-in, and takes the recovery codes with it.
        """
        is_last = not _has_any(edit(owner.factors) or owner.factors)
        if is_last and not self.owners.is_fresh(owner, VERY_FRESH_S):
            return self.owners.sign_in_again(owner, VERY_FRESH_S)

        def without_codes(factors: Factors) -> Factors | None:
            left = edit(factors)
            if left is None or _has_any(left):
                return left
            # Another request has removed the other factor: then this is the last one after all.
            return replace(left, recovery=()) if is_last else None

        if await self.owners.factors.change(owner.sub, without_codes) is None:
            return self.owners.lead(owner, notice="outdated")
        log.info("account.changed", change=notice, address=owner.visitor.address)
        self._record(SecurityEvent.FACTOR_REMOVED, owner, notice)
        return self.owners.lead(owner, notice=notice)

    def _record(self, event: SecurityEvent, owner: Owner, notice: str) -> None:
        kind = notice.partition("_")[0]  # "passkey_added", "app_removed"
        self.audit.record(event, sub=owner.sub, subject=kind, way="page")


def _has_any(factors: Factors) -> bool:
    return factors.authenticator is not None or bool(factors.passkeys)
