"""Hand-made histories, for the tests of the checker.

Times are in s. Every operation takes a tenth of a second, unless a test says otherwise.
"""

from typing import Any

from tests.histories.history import Operation, Outcome

TOOK_S = 0.1
ADA, BOB = "ada", "bob"
SCOPE = "openid profile offline_access"

DONE, REFUSED, MAYBE = Outcome.DONE, Outcome.REFUSED, Outcome.MAYBE


def operation(
    at: float,
    name: str,
    *,
    outcome: Outcome = DONE,
    took: float | None = TOOK_S,
    result: dict[str, Any] | None = None,
    process: str = "somebody",
    **args: Any,  # noqa: ANN401, JSON
) -> Operation:
    """An operation of any kind; with `took` None, it never ends."""
    return Operation(
        number=int(at * 1000),
        process=process,
        name=name,
        args=args,
        invoked=at,
        completed=None if took is None else at + took,
        outcome=outcome,
        result=result or {},
    )


def start(
    at: float = 0.0, *, grant: str = "g", lifetime_s: int = 60, interval: int = 1
) -> Operation:
    args: dict[str, Any] = {"client": "tv", "scope": SCOPE, "lifetime_s": lifetime_s}
    return operation(at, "start", result={"grant": grant, "interval": interval}, **args)


def poll(at: float, answer: str = "authorization_pending", **options: Any) -> Operation:  # noqa: ANN401
    """A poll; `answer` is empty for one without an answer."""
    options.setdefault("grant", "g")
    outcome = options.pop("outcome", DONE if answer else MAYBE)
    result = {"answer": answer} | options.pop("result", {})
    return operation(at, "poll", outcome=outcome, result=result, **options)


def redeemed(at: float, *, number: int = 1, sub: str = ADA, **options: Any) -> Operation:  # noqa: ANN401
    """A poll that gets the tokens with this number."""
    tokens = {
        "jti": f"access-{number}",
        "refresh": f"refresh-{number}",
        "sub": sub,
        "scope": options.pop("scope", SCOPE),
    }
    return poll(at, "tokens", result=tokens, **options)


def refreshed(at: float, old: int, new: int, **options: Any) -> Operation:  # noqa: ANN401, a test's
    """A refresh token is used; the new tokens have the number `new`, 0 for `invalid_grant`."""
    answer = {"answer": "tokens", "jti": f"access-{new}", "refresh": f"refresh-{new}"}
    result = answer if new else {"answer": "invalid_grant"}
    return operation(
        at, "refresh", grant="g", token=f"refresh-{old}", **({"result": result} | options)
    )


def by(at: float, name: str, sub: str = ADA, **options: Any) -> Operation:  # noqa: ANN401, a test's
    """What an account does to the grant."""
    return operation(at, name, grant="g", sub=sub, **options)


def fault(at: float, seconds: float, **args: Any) -> Operation:  # noqa: ANN401, a test's
    return operation(at, "fault", took=seconds, kind="a fault", **args)
