"""What people do with the codes that they see: approve after a while, deny, or walk away."""

import math
import random
from typing import NamedTuple

from deviceflow.conformance.decisions import Choice
from deviceflow.fleet.result import People

NOBODY = "nobody"


class Intention(NamedTuple):
    """What a person will do, and how long after the code is on the screen, in s."""

    choice: Choice
    after_s: float


def intend(people: People, chance: random.Random) -> Intention | None:
    """Draw what a person does; None: walks away, or there are no people."""
    place = chance.random()
    after_s = chance.lognormvariate(math.log(people.median_s), people.sigma)
    if people.by == NOBODY or place >= people.approve + people.deny:
        return None
    return Intention("approve" if place < people.approve else "deny", after_s)
