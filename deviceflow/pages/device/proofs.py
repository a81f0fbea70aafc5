"""Proofs of work: a browser has worked for one more code, while guessers are at work.

A challenge is stateless, for one session and account, and lasts for minutes. A right answer to it
uses it up in the store, so each answer is good for one code.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from deviceflow.core import base64url
from deviceflow.core.proof_of_work import is_answer
from deviceflow.ops.metrics import table
from deviceflow.ops.metrics.recorder import Recorder
from deviceflow.pages.challenges import Challenges
from deviceflow.pages.visitor import Person, Visitor

CHALLENGE_FIELD, ANSWER_FIELD = "proof_challenge", "proof_answer"


@dataclass(frozen=True, kw_only=True)
class Proofs:
    """Makes challenges and checks answers. `bits`: their difficulty, 0 for no proofs."""

    challenges: Challenges
    bits: int
    recorder: Recorder

    def make(self, visitor: Visitor, person: Person) -> str:
        """Make a challenge."""
        return base64url.encode(self.challenges.make(visitor.cookie, self._purpose(person)))

    async def take(self, visitor: Visitor, person: Person, fields: Mapping[str, str]) -> bool:
        """Use the answer in a form; return False if there is no good one.

        May raise StoreUnavailable.
        """
        challenge, answer = fields.get(CHALLENGE_FIELD, ""), fields.get(ANSWER_FIELD, "")
        if not (self.bits and challenge and answer):
            return False
        is_good = await self._use(visitor, person, challenge, answer)
        self.recorder.count(table.PROOFS, "accepted" if is_good else "refused")
        return is_good

    async def _use(self, visitor: Visitor, person: Person, challenge: str, answer: str) -> bool:
        """Check what costs nothing first: only a right answer is noted in the store."""
        try:
            made = base64url.decode(challenge)
        except ValueError:
            return False
        return (
            is_answer(challenge, answer, self.bits)
            and self.challenges.is_good(made, visitor.cookie, self._purpose(person))
            and await self.challenges.use(made)
        )

    def _purpose(self, person: Person) -> str:
        # A setting that was raised must not leave easy challenges behind.
        return f"proof {self.bits} {person.account.sub}"
