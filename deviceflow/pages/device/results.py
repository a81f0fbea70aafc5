"""How a request ended, in words: the last page that a person sees."""

from typing import NamedTuple

from deviceflow.core.grant import State
from deviceflow.pages.errors import Link

_ANOTHER = Link("/device", "Connect another device")
_NEW_CODE = Link("/device", "Enter a new code")


class Result(NamedTuple):
    """One such page. `mood`: good, calm or bad, which is how it looks."""

    status: int
    mood: str
    title: str
    happened: str
    next_step: str
    link: Link = _ANOTHER


def approved(name: str) -> Result:
    """Make the page after Approve; `name`: the client's."""
    return Result(
        200,
        "good",
        "You can go back to your device",
        f"You have connected {name} to your account. The device will notice within a few seconds.",
        "You may close this page.",
    )


def denied(name: str) -> Result:
    """Make the page after Deny."""
    return Result(
        200,
        "calm",
        "Request denied",
        f"{name} was not connected and got no access to your account. "
        "This code cannot be used any more.",
        "If somebody sent you the code, it was right to deny it, and you need do nothing else. "
        "If it was your own device, start again there to get a new code.",
    )


def expired() -> Result:
    """Make the page for a decision that came too late."""
    return Result(
        410,
        "bad",
        "This code is no longer valid",
        "A code lives only for a short time, and this one ended before your answer arrived. "
        "Nothing was connected.",
        "Get a new code on your device and enter it here.",
        _NEW_CODE,
    )


def already_decided(state: State) -> Result:
    """Make the page for a request that this account has answered before."""
    answer = {
        State.DENIED: "You have denied this request, and that is final. Nothing was connected.",
        State.CANCELLED: "The people who run this server have ended this request. "
        "Nothing was connected.",
    }.get(state, "You have approved this request, and the device was told.")
    return Result(
        409,
        "calm",
        "This request is already answered",
        f"{answer} It can be answered only once.",
        "To change your mind, get a new code on your device and enter it here.",
        _NEW_CODE,
    )


def claimed_by_another() -> Result:
    """Make the page for a code that another account was first to enter."""
    return Result(
        409,
        "bad",
        "Somebody else has entered this code",
        "A code belongs to the first account that enters it, and that was not yours. "
        "Nothing was connected to your account.",
        "If this is your device, get a new code on it. If somebody sent you this code, "
        "do not use it, and do not ask them for another.",
        _NEW_CODE,
    )


def client_unavailable() -> Result:
    """Make the page for an application that is unknown or switched off."""
    return Result(
        403,
        "bad",
        "This application cannot be connected",
        "The application that asks is not allowed to sign people in on this server at the "
        "moment. Nothing was connected.",
        "Tell the maker of the application, or the people who run this server.",
    )
