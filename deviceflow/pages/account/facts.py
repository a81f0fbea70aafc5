"""What a person reads about a device or a browser that is connected to the account."""

from collections.abc import Mapping
from typing import NamedTuple

from deviceflow.config.values import Words
from deviceflow.core.clients import Clients
from deviceflow.pages import words
from deviceflow.pages.account.kinds import Kind, kind_of
from deviceflow.pages.texts import gettext
from deviceflow.store.devices import ConnectedDevice
from deviceflow.store.sessions import NamedSession


class Moment(NamedTuple):
    """A time: how long ago it was, when it was, and the same for machines."""

    ago: str
    at: str
    iso: str

    @classmethod
    def of(cls, then: int, now: int) -> "Moment | None":
        """Describe `then` (s), None if it is not known."""
        if not then:
            return None
        return cls(words.ago(then, max(then, now)), words.at(then), words.iso(then))


class DeviceFacts(NamedTuple):
    """The facts about a device, in words. `title`: what it is called. `subtitle`: what else it is.

    `grant_id` names it in addresses. `own_name`: as the person has typed it. `near` and
    `approved_near`: about where the addresses are, empty on a list of devices.
    """

    grant_id: str
    kind: Kind
    title: str
    subtitle: str
    own_name: str
    client_name: str
    is_verified: bool
    device: str
    scopes: list[str]
    approved: Moment | None
    approved_from: str
    approved_near: str
    address: str
    near: str
    used: Moment | None
    ends: str
    ends_iso: str
    is_waiting: bool


def device_facts(
    device: ConnectedDevice, clients: Clients, meanings: Mapping[str, Words], now: int
) -> DeviceFacts:
    """Say what `device` is; `meanings`: of the scopes; `now` in s."""
    entry, client = device.entry, clients.find(device.entry.client_id)
    client_name = client.name if client else gettext("account.devices.unknown_client")
    described = words.device_in_words(entry.device)
    title = entry.name or described or client_name
    others = [text for text in (client_name, described) if text and text != title]
    return DeviceFacts(
        grant_id=device.grant_id,
        kind=kind_of(entry.device),
        title=title,
        subtitle=" · ".join(others),
        own_name=entry.name,
        client_name=client_name,
        is_verified=client is None or client.verified,
        device=described,
        scopes=words.scopes_in_words(entry.scope, meanings),
        approved=Moment.of(entry.approved_at, now),
        approved_from=entry.approved_from,
        approved_near="",
        address=entry.address,
        near="",
        used=None if device.is_waiting else Moment.of(device.used_at, now),
        ends=words.on(device.ends_at),
        ends_iso=words.iso(device.ends_at),
        is_waiting=device.is_waiting,
    )


class SessionFacts(NamedTuple):
    """The facts about a session of a browser, in words. `name` names it in forms."""

    name: str
    kind: Kind
    title: str
    began: Moment | None
    address: str
    is_this: bool


def session_facts(named: NamedSession, this: str, now: int) -> SessionFacts:
    """Say what a session is; `this`: the name of the one that the page is shown in."""
    session = named.session
    return SessionFacts(
        name=named.name,
        kind=kind_of(session.browser),
        title=words.device_in_words(session.browser) or gettext("account.sessions.unknown"),
        began=Moment.of(session.auth_time, now),
        address=session.address,
        is_this=named.name == this,
    )
