"""What a person does with devices, browsers and ways of signing in, wired."""

from aiohttp import web

from deviceflow.pages.account.additions import Additions
from deviceflow.pages.account.app import AppPage
from deviceflow.pages.account.devices import DevicesPage
from deviceflow.pages.account.door import AccountDoor
from deviceflow.pages.account.not_me import NotMePage
from deviceflow.pages.account.owner import Owners
from deviceflow.pages.account.passkeys import PasskeysPage
from deviceflow.pages.account.password import ChangePasswordPage
from deviceflow.pages.account.recovery import NewCodes, RecoveryPage
from deviceflow.pages.account.security import SecurityPage
from deviceflow.pages.account.sessions import SessionsPage
from deviceflow.pages.account.sign_out import SignOutPage
from deviceflow.pages.shared import SharedParts
from deviceflow.pages.way_back import WayBack
from deviceflow.parts import Parts


def account_routes(parts: Parts, shared: SharedParts) -> list[web.RouteDef]:
    """Wire what a person sees of devices and browsers, and ends."""
    door = AccountDoor(
        visitors=shared.visitors, way_back=WayBack(cookie=shared.cookie), seal=shared.seal
    )
    devices = DevicesPage(
        settings=parts.settings,
        door=door,
        devices=parts.devices,
        access=parts.person_access,
        clients=parts.clients,
        places=parts.places,
        clock=parts.clock,
        audit=parts.audit,
    )
    sessions = SessionsPage(
        door=door,
        sessions=parts.sessions,
        access=parts.person_access,
        cookie=shared.cookie,
        clock=parts.clock,
        audit=parts.audit,
    )
    not_me = NotMePage(
        settings=parts.settings,
        visitors=shared.visitors,
        seal=shared.seal,
        links=parts.notice_links,
        devices=parts.devices,
        clients=parts.clients,
        clock=parts.clock,
        audit=parts.audit,
    )
    return [*devices.routes(), *sessions.routes(), *not_me.routes()]


def security_routes(parts: Parts, shared: SharedParts) -> list[web.RouteDef]:
    """Wire what a person changes about signing in."""
    owners = Owners(
        visitors=shared.visitors,
        codes=shared.codes,
        ways=shared.ways,
        factors=parts.factors,
        clock=parts.clock,
    )
    new_codes = NewCodes(store=parts.factors, cookie=shared.cookie)
    additions = Additions(
        owners=owners,
        new_codes=new_codes,
        sessions=parts.sessions,
        cookie=shared.cookie,
        audit=parts.audit,
    )
    password = ChangePasswordPage(
        owners=owners,
        users=parts.users,
        check=shared.password_check,
        access=parts.person_access,
        cookie=shared.cookie,
        throttle=shared.throttle,
        known_browsers=shared.known_browsers,
        audit=parts.audit,
    )
    return [
        *SecurityPage(owners=owners).routes(),
        *password.routes(),
        *RecoveryPage(owners=owners, new_codes=new_codes, audit=parts.audit).routes(),
        *AppPage(owners=owners, additions=additions, pages=parts.settings.pages).routes(),
        *PasskeysPage(owners=owners, additions=additions, ceremonies=shared.ceremonies).routes(),
    ]


def sign_out_page(parts: Parts, shared: SharedParts) -> SignOutPage:
    """Wire the end of a session."""
    return SignOutPage(
        visitors=shared.visitors,
        codes=shared.codes,
        sessions=parts.sessions,
        cookie=shared.cookie,
        providers=parts.providers,
        issuer=parts.settings.issuer_url,
        audit=parts.audit,
    )
