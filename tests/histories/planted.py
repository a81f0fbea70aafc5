"""Mistakes that a run plants into the servers, to show that the checker finds them.

A mistake is planted from outside, when the Python of a host or a command starts
(`launch/sitecustomize.py`). Nothing in the package knows of it.
"""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from deviceflow.core import grant, pace
from deviceflow.core.clock import Clock
from deviceflow.core.grant import ClaimedBy, Event, State
from deviceflow.oauth.poll.verdict import PollJudge
from deviceflow.store import scripts
from deviceflow.store.devices import Devices
from deviceflow.store.families import Families
from deviceflow.store.grants import Grants
from deviceflow.store.log_reader import LogReader
from deviceflow.store.redemptions import RedeemedTokens, Redemptions, new_seed
from deviceflow.store.scripts import lua
from deviceflow.store.users import Users

VARIABLE = "HISTORIES_BUG"
LATE_S = 5.0
TOO_STRICT_MS = 300

_HERE = Path(__file__).parent
_Original = Callable[..., Any]


def variables(name: str) -> dict[str, str]:
    """Return the environment of a host with the mistake `name`."""
    paths = (_HERE / "launch", _HERE.parents[1], *filter(None, [os.environ.get("PYTHONPATH")]))
    return {VARIABLE: name, "PYTHONPATH": os.pathsep.join(map(str, paths))}


def plant(name: str) -> None:
    """Make a mistake in this process. May raise KeyError: there is no such mistake."""
    BUGS[name]()


def redeemed_by_get_then_set() -> None:
    """The state is read, and then changed, whatever it is by then."""
    grant.TRANSITIONS[State.REDEEMED, Event.REDEEM] = State.REDEEMED


def no_catch_up() -> None:
    """Decisions reach a worker by push messages alone."""
    _replace(LogReader, "_take_hints", lambda *_: None)


def claim_not_checked() -> None:
    """Any account may decide a grant that another one has claimed."""
    for event in (Event.APPROVE, Event.DENY):
        grant.CLAIM_RULES[event] = frozenset(ClaimedBy)


def denial_overwritten() -> None:
    """An approval after a denial counts."""
    grant.TRANSITIONS[State.DENIED, Event.APPROVE] = State.APPROVED


def cancelled_after_redemption() -> None:
    """A cancellation is acknowledged although the device has its tokens."""
    grant.TRANSITIONS[State.REDEEMED, Event.CANCEL] = State.CANCELLED


def no_family() -> None:
    """A redemption gives a refresh token, and stores no family."""
    original: _Original = Grants.redeem

    async def redeem(self: Grants, of: Any, _: object, *rest: Any) -> Any:  # noqa: ANN401
        return await original(self, of, None, *rest)

    _replace(Grants, "redeem", redeem)


def other_tokens_again() -> None:
    """A repetition of a redemption gives other tokens."""
    original: _Original = Redemptions.find

    async def find(self: Redemptions, name: str) -> RedeemedTokens | None:
        tokens: RedeemedTokens | None = await original(self, name)
        return tokens and msgspec.structs.replace(tokens, seed=new_seed())

    _replace(Redemptions, "find", find)


def no_repetition() -> None:
    """A code gives its tokens once, whether or not they arrive."""

    async def find(*_: object) -> None:
        return None

    _replace(Redemptions, "find", find)


def refresh_token_good_for_one_use() -> None:
    """A refresh token ends with its first use, whether or not the answer arrives."""
    before = "'next', successors, 'used', ARGV[6])"
    after = "'current', successor, 'next', '', 'used', ARGV[6])"
    original = lua.source

    def source(name: str) -> str:
        text = original(name)
        if name != "rotate_refresh_token":
            return text
        assert before in text
        return text.replace(before, after)

    _replace(scripts, "source", source)


def revocation_forgotten() -> None:
    """A revocation is acknowledged, and changes nothing."""

    async def revoke(*_: object) -> None:
        return None

    _replace(Families, "revoke", revoke)


def disabled_not_checked() -> None:
    """The devices of a disabled person are not disconnected, and get tokens."""

    async def may_sign_in(*_: object) -> bool:
        return True

    async def disconnect_all(*_: object) -> int:
        return 0

    _replace(Users, "may_sign_in", may_sign_in)
    _replace(Devices, "disconnect_all", disconnect_all)


def whole_scope() -> None:
    """An approval of a part of the scope grants all of it."""
    original: _Original = Grants.claim_and_decide

    async def claim_and_decide(self: Grants, *rest: Any) -> Any:  # noqa: ANN401
        return await original(self, *rest[:3])

    _replace(Grants, "claim_and_decide", claim_and_decide)


def expires_late() -> None:
    """Polls are answered some seconds after the end of their grants."""
    original: _Original = PollJudge.__init__

    def make(self: PollJudge, *parts: Any) -> None:  # noqa: ANN401
        *first, clock, steady = parts
        original(self, *first, _slow(clock), steady)

    _replace(PollJudge, "__init__", make)


def _replace(owner: object, name: str, value: object) -> None:
    setattr(owner, name, value)


def _slow(clock: Clock) -> Clock:
    return lambda: clock() - LATE_S


def no_allowance_for_jitter() -> None:
    """Devices have to wait a little longer than their interval."""
    _replace(pace, "_earliest", lambda interval: interval * 1000 + TOO_STRICT_MS)


BUGS: Mapping[str, Callable[[], None]] = {
    bug.__name__.replace("_", "-"): bug
    for bug in (
        redeemed_by_get_then_set,
        no_catch_up,
        claim_not_checked,
        denial_overwritten,
        cancelled_after_redemption,
        no_family,
        other_tokens_again,
        no_repetition,
        refresh_token_good_for_one_use,
        revocation_forgotten,
        disabled_not_checked,
        whole_scope,
        expires_late,
        no_allowance_for_jitter,
    )
}
