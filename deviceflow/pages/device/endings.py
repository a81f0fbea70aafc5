"""How a request ends, in words: the last page that a person sees."""

from collections.abc import Sequence
from typing import Literal, NamedTuple
from urllib.parse import urlencode

from deviceflow.pages.errors import Button
from deviceflow.pages.texts import gettext, isolated


class Ending(NamedTuple):
    """One such page. `mood` is how it looks. `way_out`: a link to what undoes it.

    `allowed`: scopes in words, if there was a choice.
    """

    status: int
    mood: Literal["good", "calm", "bad"]
    title: str
    happened: str
    next_step: str
    button: Button
    way_out: Button | None = None
    allowed: Sequence[str] = ()


def approved(name: str, device: str = "", allowed: Sequence[str] = ()) -> Ending:
    """Make the page after Approve.

    `name`: the client's; `device`: the id of its grant; `allowed`: what the person chose.
    """
    return Ending(
        status=200,
        mood="good",
        title=gettext("device.done.approved.title"),
        happened=gettext("device.done.approved.happened", client=isolated(name)),
        next_step=gettext("device.done.approved.next_step"),
        button=_another_device(),
        way_out=_disconnect(device),
        allowed=allowed,
    )


def denied(name: str) -> Ending:
    """Make the page after Deny."""
    return Ending(
        status=200,
        mood="calm",
        title=gettext("device.done.denied.title"),
        happened=gettext("device.done.denied.happened", client=isolated(name)),
        next_step=gettext("device.done.denied.next_step"),
        button=_another_device(),
    )


def reported() -> Ending:
    """Make the page after the report that somebody sent the code."""
    return Ending(
        status=200,
        mood="calm",
        title=gettext("device.done.reported.title"),
        happened=gettext("device.done.reported.happened"),
        next_step=gettext("device.done.reported.next_step"),
        button=_another_device(),
    )


def expired() -> Ending:
    """Make the page for a decision that came too late."""
    return Ending(
        status=410,
        mood="bad",
        title=gettext("device.done.expired.title"),
        happened=gettext("device.done.expired.happened"),
        next_step=gettext("device.done.expired.next_step"),
        button=_new_code(),
    )


def approved_before(name: str, device: str = "") -> Ending:
    """Make the page for Deny after Approve: the request is approved, and that is what counts."""
    return Ending(
        status=409,
        mood="bad",
        title=gettext("device.done.approved_before.title"),
        happened=gettext("device.done.approved_before.happened", client=isolated(name)),
        next_step=gettext("device.done.approved_before.next_step"),
        button=_another_device(),
        way_out=_disconnect(device),
    )


def denied_before(name: str) -> Ending:
    """Make the page for Approve after Deny: a denial is final."""
    return Ending(
        status=409,
        mood="calm",
        title=gettext("device.done.denied_before.title"),
        happened=gettext("device.done.denied_before.happened", client=isolated(name)),
        next_step=gettext("device.done.denied_before.next_step"),
        button=_new_code(),
    )


def cancelled() -> Ending:
    """Make the page for a request that the operator has ended."""
    return Ending(
        status=409,
        mood="calm",
        title=gettext("device.done.cancelled.title"),
        happened=gettext("device.done.cancelled.happened"),
        next_step=gettext("device.done.cancelled.next_step"),
        button=_new_code(),
    )


def disconnected(name: str) -> Ending:
    """Make the page for a request that was approved, and whose device is connected no more."""
    return Ending(
        status=200,
        mood="calm",
        title=gettext("device.done.disconnected.title"),
        happened=gettext("device.done.disconnected.happened", client=isolated(name)),
        next_step=gettext("device.done.disconnected.next_step"),
        button=_another_device(),
    )


def nothing_known() -> Ending:
    """Make the page for a code without an answer of this account, whatever the reason is."""
    return Ending(
        status=404,
        mood="calm",
        title=gettext("device.done.nothing_known.title"),
        happened=gettext("device.done.nothing_known.happened"),
        next_step=gettext("device.done.nothing_known.next_step"),
        button=_new_code(),
    )


def claimed_by_another() -> Ending:
    """Make the page for a code that another account was first to enter."""
    return Ending(
        status=409,
        mood="bad",
        title=gettext("device.done.claimed.title"),
        happened=gettext("device.done.claimed.happened"),
        next_step=gettext("device.done.claimed.next_step"),
        button=_new_code(),
    )


def client_unavailable() -> Ending:
    """Make the page for an application that is unknown or switched off."""
    return Ending(
        status=403,
        mood="bad",
        title=gettext("device.done.client_unavailable.title"),
        happened=gettext("device.done.client_unavailable.happened"),
        next_step=gettext("device.done.client_unavailable.next_step"),
        button=_another_device(),
    )


def outside(address: str) -> Ending:
    """Make the page for a person at an address from which nobody may approve this request."""
    return Ending(
        status=403,
        mood="bad",
        title=gettext("device.done.outside.title"),
        happened=gettext("device.done.outside.happened", address=isolated(address)),
        next_step=gettext("device.done.outside.next_step"),
        button=_another_device(),
    )


def far_away() -> Ending:
    """Make the page for a device that is too far away for its client."""
    return Ending(
        status=403,
        mood="bad",
        title=gettext("device.done.far.title"),
        happened=gettext("device.done.far.happened"),
        next_step=gettext("device.done.far.next_step"),
        button=_new_code(),
    )


def enough_devices() -> Ending:
    """Make the page for a person who has approved as much as is allowed in an hour."""
    return Ending(
        status=429,
        mood="bad",
        title=gettext("device.done.too_many.title"),
        happened=gettext("device.done.too_many.happened"),
        next_step=gettext("device.done.too_many.next_step"),
        button=Button("/account", gettext("device.done.too_many.button")),
    )


def _another_device() -> Button:
    return Button("/device", gettext("button.another_device"))


def _disconnect(device: str) -> Button | None:
    """Make the link to the question whether to disconnect, None if there is no device."""
    if not device:
        return None
    path = f"/account/disconnect?{urlencode({'device': device})}"
    return Button(path, gettext("device.done.disconnect"))


def _new_code() -> Button:
    return Button("/device", gettext("button.new_code"))
