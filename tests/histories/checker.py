"""The checker: holds a whole history against all rules."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from tests.histories.history import Operation, describe
from tests.histories.rules import RULES, TOKENS
from tests.histories.story import Story, stories

SHOWN = 60
"""How many operations of a story are shown. The last ones, where it is longer."""

NO_SHARED_TOKENS = "no two grants share a token"
NO_SERVER_ERROR = "no answer is a mistake of the server"


class Violation(NamedTuple):
    """A rule that was broken: how, and the operations that show it."""

    rule: str
    sentence: str
    grant: str
    operations: tuple[Operation, ...]

    def __str__(self) -> str:
        """Return the text for a report."""
        shown = self.operations[-SHOWN:]
        left_out = len(self.operations) - len(shown)
        head = [f"{self.rule}: {self.sentence} (grant {self.grant})"]
        if left_out:
            head.append(f"    ... {left_out} operations before")
        return "\n".join([*head, *(f"    {line}" for line in describe(shown))])


def check(operations: Sequence[Operation], grants: frozenset[str] | None = None) -> list[Violation]:
    """Return what breaks a rule, of all grants or of some.

    Operations that have not ended may have happened, so it may be called while they run.
    """
    told = stories(operations, grants)
    broken = [violation for story in told for violation in _check_story(story)]
    return [*broken, *_check_shared(told)]


def _check_story(story: Story) -> Iterator[Violation]:
    for name, rule in RULES.items():
        for sentence in dict.fromkeys(rule(story)):
            yield _violation(name, sentence, story)
    for operation in story.operations:
        if operation.result.get("status") == 500:
            yield _violation(NO_SERVER_ERROR, f"500 for a {operation.name}", story)


def _check_shared(told: Iterable[Story]) -> Iterator[Violation]:
    """Compare what every grant has got."""
    owners: dict[str, str] = {}
    for story in told:
        for each in story.all("poll", "refresh"):
            if each.answer != TOKENS:
                continue
            for name in filter(None, (each.result.get("jti"), each.result.get("refresh"))):
                if owners.setdefault(name, story.grant) != story.grant:
                    sentence = f"a token of {owners[name]}"
                    yield _violation(NO_SHARED_TOKENS, sentence, story)


def _violation(rule: str, sentence: str, story: Story) -> Violation:
    """Make a violation, with the faults of that time among the operations."""
    first, last = story.operations[0].invoked, story.operations[-1].invoked
    around = [
        each
        for each in (*story.world.faults, *story.world.orders)
        if each.invoked <= last and each.ended >= first
    ]
    shown = sorted((*story.operations, *around), key=lambda each: each.invoked)
    return Violation(rule, sentence, story.grant, tuple(shown))
