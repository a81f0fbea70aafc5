"""How many wrong user codes a person may try: RFC 8628 5.1."""

import random

from deviceflow.conformance.answers import Started
from deviceflow.conformance.check import Level, Unjudged, Violated, check
from deviceflow.conformance.decisions import Undecided
from deviceflow.conformance.site import Site

GUESSES = 30


@check(
    "8628-5.1-c",
    Level.SHOULD,
    "RFC 8628 5.1",
    "Guesses at user codes are limited",
    is_alone=True,
)
async def limited(site: Site) -> str:
    if not site.parties.may_guess:
        raise Unjudged("wrong user codes are only typed with --guess-at, which names the issuer")
    if not site.parties.decisions.can_guess:
        raise Unjudged("wrong codes need a command, or a recipe that has `refused`")
    await _type_right_code(site)  # whether typing works at all
    model = await site.start()
    seen = ""
    for count in range(1, GUESSES + 1):
        refusal = await _guess(site, model)
        if (seen and refusal != seen) or count == GUESSES:
            try:
                await _type_right_code(site)
            except Undecided as why:
                return f"after {count} wrong codes a right one is not taken: {why}"
        seen = refusal
    raise Violated(f"after {GUESSES} wrong codes a right one is taken")


async def _type_right_code(site: Site) -> None:
    """Begin a grant, and have it approved by its typed code. Raises Undecided."""
    grant = await site.start()
    await site.decide(grant, "approve", typed=grant.user_code)
    answer = await site.poll_decided(grant)
    if not answer.has_tokens:
        raise Undecided(f"then the device gets {answer.summary}")


async def _guess(site: Site, model: Started) -> str:
    """Type a wrong code that looks like that of `model`, and return how it is refused."""
    try:
        await site.decide(model, "approve", typed=_another(model.user_code))
    except Undecided as refusal:
        return str(refusal)
    raise Unjudged("a wrong code seems to be taken: the recipe or the command does not fit")


def _another(code: str) -> str:
    """Return a code of the same look, made of the same letters and digits."""
    marks = [mark for mark in code if mark.isalnum()]
    found = code
    while found == code:
        chosen = iter(random.choices(marks, k=len(marks)))  # noqa: S311, it is no secret
        found = "".join(next(chosen) if mark.isalnum() else mark for mark in code)
    return found
