"""How often a device may poll: RFC 8628 3.2 and 3.5."""

import asyncio
from itertools import pairwise

from deviceflow.conformance.answers import SiteAnswer, Started
from deviceflow.conformance.check import Level, NotApplicable, Unjudged, Violated, check, require
from deviceflow.conformance.site import Site

_FAST_POLLS = 6
_LOST_POLLS = 5
LONGEST_INTERVAL_S = 60


def _require_waiting(answer: SiteAnswer) -> None:
    if answer.error not in ("authorization_pending", "slow_down"):
        raise Unjudged(f"a poll is answered {answer.summary}")


async def _hurry(site: Site, grant: Started, count: int = _FAST_POLLS) -> list[SiteAnswer]:
    answers = [await site.poll(grant, at_once=True) for _ in range(count)]
    for answer in answers:
        _require_waiting(answer)
    return answers


async def _slowed_down(site: Site) -> Started:
    """Start a grant, and poll it too fast until the server slows it down."""
    grant = await site.start()
    await site.poll(grant, at_once=True)
    hurried = await site.poll(grant, at_once=True)
    if hurried.error != "slow_down":
        raise Unjudged(f"the server did not slow down: {hurried.summary}")
    return grant


@check("8628-3.5-f", Level.SHOULD, "RFC 8628 3.5", "The first poll is free")
async def first_poll(site: Site) -> str:
    answer = await site.poll(await site.start(), at_once=True)
    require(answer.error == "authorization_pending", f"it is answered {answer.summary}")
    return "it is authorization_pending at once"


@check("8628-3.2-b", Level.MUST, "RFC 8628 3.2", "A device in time is never slowed down")
async def obedient(site: Site) -> str:
    grant = await site.start()
    answers = [await site.poll(grant) for _ in range(4)]
    for number, answer in enumerate(answers, 1):
        require(answer.error != "slow_down", f"poll {number}, in time, is slow_down")
        _require_waiting(answer)
    return f"four polls, one each {grant.interval} s, are authorization_pending"


@check("8628-3.5-b", Level.SHOULD, "RFC 8628 3.5", "Polls that are too fast get slow_down")
async def too_fast(site: Site) -> str:
    answers = await _hurry(site, await site.start())
    slowed = [answer for answer in answers if answer.error == "slow_down"]
    require(bool(slowed), f"{len(answers)} polls one after the other are all answered pending")
    return f"{len(slowed)} of {len(answers)} polls at once are slow_down"


@check("8628-3.5-g", Level.SHOULD, "RFC 8628 3.5", "New connections do not hide a fast poll")
async def too_fast_by_connections(site: Site) -> str:
    grant = await site.start()
    slowed = 0
    for _ in range(_FAST_POLLS):
        async with site.connections() as session:
            answer = await site.poll(grant, at_once=True, session=session)
        _require_waiting(answer)
        slowed += answer.error == "slow_down"
    require(slowed > 0, f"{_FAST_POLLS} polls, each on its own connection, are all pending")
    return f"{slowed} of {_FAST_POLLS} polls on their own connections are slow_down"


@check("8628-3.5-h", Level.MUST, "RFC 8628 3.5", "After slow_down, five seconds more are enough")
async def converges(site: Site) -> str:
    grant = await _slowed_down(site)
    slowed = grant.interval
    for _ in range(2):
        answer = await site.poll(grant)
        require(
            answer.error != "slow_down", f"a poll {slowed} s later, as the RFC asks, is slow_down"
        )
        _require_waiting(answer)
    return f"polls each {slowed} s are authorization_pending"


@check("8628-3.5-o", Level.PRUDENT, "RFC 8628 3.5", "A missed slow_down does no lasting harm")
async def converges_after_loss(site: Site) -> str:
    grant = await _slowed_down(site)
    known = grant.interval
    await site.poll(grant, at_once=True)  # its answer is lost on the way
    for count in range(_LOST_POLLS):
        grant.interval = known  # as the RFC has it: 5 s more for each slow_down that was heard
        if site.time.clock() + known > grant.began + grant.expires_in:
            raise Unjudged(f"a code of {grant.expires_in} s ends too soon to see it")
        await site.time.sleep(known + 0.1)
        answer = await site.poll(grant, at_once=True)
        if answer.error != "slow_down":
            _require_waiting(answer)
            return f"it is in step again after {count} more slow_down"
        known += 5
    raise Violated(f"{_LOST_POLLS} polls, each 5 s later than the one before, are all slow_down")


@check("8628-3.5-p", Level.PRUDENT, "RFC 8628 3.5", "The interval that slow_down tells is enough")
async def told(site: Site) -> str:
    grant = await site.start()
    interval = grant.interval
    await site.poll(grant, at_once=True)
    slowed = await site.poll(grant, at_once=True)
    if slowed.error != "slow_down" or "interval" not in slowed.members:
        raise NotApplicable("no interval comes with slow_down")
    grown = slowed.members["interval"]
    require(isinstance(grown, int), f"the interval is {grown!r}")
    require(grown >= interval + 5, f"it grows from {interval} s to {grown} s, not by 5 s")
    await site.time.sleep(grown + 0.1)
    answer = await site.poll(grant, at_once=True)
    require(answer.error != "slow_down", f"a poll after the told {grown} s is slow_down")
    _require_waiting(answer)
    return f"it grows to {grown} s, and a poll after that time is in time"


@check(
    "8628-3.5-i", Level.PRUDENT, "RFC 8628 3.5", "An eager device is not slowed down without end"
)
async def bounded(site: Site) -> str:
    grant = await site.start()
    answers = await _hurry(site, grant, 30)
    told = [int(interval) for answer in answers if (interval := answer.members.get("interval"))]
    most = max(LONGEST_INTERVAL_S, grant.expires_in // 2)
    require(not told or told[-1] <= most, f"the interval has grown to {told[-1:]} s")
    is_growing = all(later >= earlier for earlier, later in pairwise(told))
    require(is_growing, f"the interval goes up and down: {told}")
    return f"after 30 fast polls the interval is {told[-1]} s" if told else "no interval is told"


@check("8628-3.5-j", Level.PRUDENT, "RFC 8628 3.5", "One device's haste does not slow another")
async def separate(site: Site) -> str:
    eager, calm = await asyncio.gather(site.start(), site.start())
    await _hurry(site, eager)
    answer = await site.poll(calm, at_once=True)
    require(answer.error == "authorization_pending", f"the other device gets {answer.summary}")
    return "the other device's first poll is authorization_pending"
