"""The run: every check once, several at the same time, each with a result."""

import asyncio
from collections.abc import Callable, Iterable, Sequence

from deviceflow.conformance.check import (
    Check,
    Judgement,
    Level,
    NotApplicable,
    Result,
    Unjudged,
    Violated,
)
from deviceflow.conformance.decisions import Undecided
from deviceflow.conformance.exchange import EXCHANGES, Exchange
from deviceflow.conformance.site import Site, Stopped, Unreachable

AT_ONCE = 6
"""How many checks run at the same time. Most of them wait for the interval."""

Listener = Callable[[Result], None]


async def run(
    site: Site, checks: Sequence[Check], on_result: Listener = lambda _: None
) -> list[Result]:
    """Run the checks, and return their results in the order of `checks`.

    `on_result` is called when a check ends. Those that must be alone come last, one by one.
    """
    together = [each for each in checks if not each.is_alone]
    results: dict[str, Result] = {}
    limit = asyncio.Semaphore(AT_ONCE)

    async def one(each: Check) -> None:
        async with limit:
            results[each.id] = await judge(site, each)
        on_result(results[each.id])

    await asyncio.gather(*map(one, together))
    for each in checks:
        if each.is_alone:
            await one(each)
    return [results[each.id] for each in checks]


async def judge(site: Site, check: Check) -> Result:
    """Run one check. Whatever happens is a result."""
    exchanges: list[Exchange] = []
    EXCHANGES.set(exchanges)
    began = site.time.clock()
    try:
        judgement, reason = Judgement.PASS, await check.test(site)
    except Violated as violation:
        is_must = check.level is Level.MUST
        judgement, reason = (Judgement.FAIL if is_must else Judgement.WARNING), str(violation)
    except NotApplicable as why:
        judgement, reason = Judgement.NOT_APPLICABLE, str(why)
    except (Unjudged, Undecided, Unreachable, Stopped) as why:
        judgement, reason = Judgement.UNJUDGED, str(why)
    except Exception as error:  # noqa: BLE001, a surprising answer ends this check alone
        reason = f"the check could not read an answer: {type(error).__name__}: {error}"
        judgement = Judgement.UNJUDGED
    seconds = round(site.time.clock() - began, 3)
    return Result(
        check=check, judgement=judgement, reason=reason, seconds=seconds, exchanges=exchanges
    )


def counts(results: Iterable[Result]) -> dict[Judgement, int]:
    """Return how many results there are of each judgement."""
    found = dict.fromkeys(Judgement, 0)
    for result in results:
        found[result.judgement] += 1
    return found
