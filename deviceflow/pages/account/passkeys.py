"""The passkeys of a person: list, add, rename, remove."""

from dataclasses import dataclass
from typing import NamedTuple

import structlog
from aiohttp import web
from msgspec.structs import replace

from deviceflow.core.assurance import PASSKEY
from deviceflow.core.display_text import repaired
from deviceflow.pages import words
from deviceflow.pages.account.additions import Additions
from deviceflow.pages.account.owner import Owner, Owners
from deviceflow.pages.ceremonies import PASSKEY_POLICY, Ceremonies, CeremonyRefused
from deviceflow.pages.texts import gettext
from deviceflow.store.factors import MOST_PASSKEYS, Factors, Passkey

PASSKEYS_PATH = "/account/passkeys"
LONGEST_PASSKEY_NAME = 60

_PROBLEMS = {"refused": 400, "outdated": 403, "full": 409}

log = structlog.get_logger()


class PasskeyRow(NamedTuple):
    """A passkey in words."""

    id: str
    name: str
    added: str
    added_iso: str
    used: str
    used_iso: str


@dataclass(frozen=True, kw_only=True)
class PasskeysPage:
    """GET and POST `/account/passkeys`, and POST `.../rename` and `.../remove`."""

    owners: Owners
    additions: Additions
    ceremonies: Ceremonies

    def routes(self) -> list[web.RouteDef]:
        """List the routes."""
        return [
            web.get(PASSKEYS_PATH, self.show),
            web.post(PASSKEYS_PATH, self.add),
            web.post(f"{PASSKEYS_PATH}/rename", self.rename),
            web.post(f"{PASSKEYS_PATH}/remove", self.remove),
        ]

    async def show(self, request: web.Request) -> web.Response:
        """Show the passkeys, and what adds one."""
        owner = await self.owners.meet_fresh(request)
        if isinstance(owner, web.Response):
            return owner
        if not self.owners.ways.passkeys and not owner.factors.passkeys:
            return self.owners.lead(owner)
        notice = request.query.get("notice", "")
        is_full = len(owner.factors.passkeys) >= MOST_PASSKEYS
        may_add = self.owners.ways.passkeys and not is_full
        account, cookie = owner.person.account, owner.visitor.cookie
        context = {
            "rows": [_row(passkey) for passkey in owner.factors.passkeys],
            "options": self.ceremonies.creation_options(cookie, account, owner.factors)
            if may_add
            else "",
            "is_full": is_full,
            "longest_name": LONGEST_PASSKEY_NAME,
            "notice": notice,
        }
        status = _PROBLEMS.get(notice, 200)
        return self.owners.show(
            owner, "account/passkeys.html", context, status=status, policy=PASSKEY_POLICY
        )

    async def add(self, request: web.Request) -> web.Response:
        """Add the passkey that the browser has made."""
        owner = await self.owners.read(request)
        if isinstance(owner, web.Response):
            return owner
        if not self.owners.ways.passkeys or len(owner.factors.passkeys) >= MOST_PASSKEYS:
            return self._back(owner, "full")
        try:
            passkey = await self.ceremonies.register(
                owner.visitor.cookie,
                owner.person.account,
                _name_in(owner),
                owner.fields.get("credential", ""),
            )
        except CeremonyRefused as refusal:
            log.info("passkey.refused", reason=str(refusal), address=owner.visitor.address)
            return self._back(owner, "refused")

        def edit(factors: Factors) -> Factors | None:
            others = tuple(each for each in factors.passkeys if each.id != passkey.id)
            if len(others) >= MOST_PASSKEYS:
                return None
            return replace(factors, passkeys=(*others, passkey))

        return await self.additions.add(owner, edit, "passkey_added", PASSKEY)

    async def rename(self, request: web.Request) -> web.Response:
        """Give a passkey another name."""
        owner = await self.owners.read(request)
        if isinstance(owner, web.Response):
            return owner
        passkey_id, name = owner.fields.get("passkey", ""), _name_in(owner)

        def edit(factors: Factors) -> Factors | None:
            if factors.passkey(passkey_id) is None:
                return None
            renamed = (
                replace(each, name=name) if each.id == passkey_id else each
                for each in factors.passkeys
            )
            return replace(factors, passkeys=tuple(renamed))

        changed = await self.owners.factors.change(owner.sub, edit)
        return self._back(owner, "renamed" if changed else "outdated")

    async def remove(self, request: web.Request) -> web.Response:
        """Remove a passkey; one that the account does not have is left alone."""
        owner = await self.owners.read(request)
        if isinstance(owner, web.Response):
            return owner
        passkey_id = owner.fields.get("passkey", "")
        if owner.factors.passkey(passkey_id) is None:
            return self._back(owner, "outdated")

        def edit(factors: Factors) -> Factors | None:
            left = tuple(each for each in factors.passkeys if each.id != passkey_id)
            return replace(factors, passkeys=left) if left != factors.passkeys else None

        response = await self.additions.remove(owner, edit, "passkey_removed")
        if (await self.owners.factors.of(owner.sub)).passkey(passkey_id) is None:
            await self.owners.factors.forget_passkey(passkey_id)
        return response

    def _back(self, owner: Owner, notice: str) -> web.Response:
        return self.owners.lead(owner, PASSKEYS_PATH, notice=notice)


def _name_in(owner: Owner) -> str:
    """Return the name in a form, fit to be shown; a plain one if there is none."""
    typed = repaired(owner.fields.get("name", "")[:LONGEST_PASSKEY_NAME])
    return typed or gettext("account.passkeys.default_name")


def _row(passkey: Passkey) -> PasskeyRow:
    used = passkey.used_at
    return PasskeyRow(
        id=passkey.id,
        name=passkey.name,
        added=words.on(passkey.added_at),
        added_iso=words.iso(passkey.added_at),
        used=words.on(used) if used else "",
        used_iso=words.iso(used) if used else "",
    )
