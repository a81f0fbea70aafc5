"""A check: one sentence that a server keeps or breaks, the clause that asks for it, and a test.

Adding a check is one function in a file of `checks/`:

    @check("8628-3.5-a", Level.MUST, "RFC 8628 3.5", "A pending grant is authorization_pending")
    async def pending(site: Site) -> str:
        answer = await site.poll(await site.start())
        require(answer.error == "authorization_pending", f"the answer is {answer.summary}")
        return "the first poll says authorization_pending"
"""

from collections.abc import Awaitable, Callable
from enum import StrEnum

import msgspec

from deviceflow.conformance.exchange import Exchange
from deviceflow.conformance.site import Site


class Level(StrEnum):
    """How strongly the clause asks (RFC 2119). PRUDENT: no clause, but attackers use it."""

    MUST = "MUST"
    SHOULD = "SHOULD"
    PRUDENT = "PRUDENT"


class Judgement(StrEnum):
    """What a check has found."""

    PASS = "pass"  # noqa: S105, a word
    FAIL = "fail"
    WARNING = "warning"
    NOT_APPLICABLE = "not applicable"
    UNJUDGED = "could not be judged"


class Violated(Exception):  # noqa: N818, it states a condition
    """The server breaks the clause. The text is one sentence of how."""


class NotApplicable(Exception):  # noqa: N818
    """The server does not offer what the check is about."""


class Unjudged(Exception):  # noqa: N818
    """The check could not see enough. The text says what it needs."""


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One check. `group`: the file that it is in. `is_alone`: nothing else may run beside it."""

    id: str
    level: Level
    clause: str
    title: str
    group: str
    test: Callable[[Site], Awaitable[str]]
    is_alone: bool = False


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one check: `reason` in one sentence, `exchanges` as they went."""

    check: Check
    judgement: Judgement
    reason: str
    seconds: float
    exchanges: list[Exchange]


CATALOGUE: dict[str, Check] = {}
"""Every check by its id, in the order of the files. `checks` fills it."""

_Test = Callable[[Site], Awaitable[str]]


def check(
    id_: str, level: Level, clause: str, title: str, *, is_alone: bool = False
) -> Callable[[_Test], _Test]:
    """Put a function into the catalogue. `clause` begins with the document: `RFC 8628 3.5`."""

    def add(test: _Test) -> _Test:
        if id_ in CATALOGUE:
            raise ValueError(f"two checks are called {id_}")
        group = test.__module__.rpartition(".")[2]
        CATALOGUE[id_] = Check(
            id=id_,
            level=level,
            clause=clause,
            title=title,
            group=group,
            test=test,
            is_alone=is_alone,
        )
        return test

    return add


def require(is_kept: bool, otherwise: str) -> None:  # noqa: FBT001, reads as a sentence
    """Raise Violated with the sentence `otherwise`, unless the clause is kept."""
    if not is_kept:
        raise Violated(otherwise)
