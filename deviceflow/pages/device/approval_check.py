"""What stands between a person and an approval, by the rules of the client.

Every page of a request looks at it, and so does the decision. The last look is what counts: a form
can be kept, a person can move to another network, and a setting can change.
"""

from dataclasses import dataclass
from typing import NamedTuple

from deviceflow.config import Settings
from deviceflow.core.assurance import Shortfall, shortfall
from deviceflow.core.client import Client
from deviceflow.core.clock import Clock
from deviceflow.core.proximity import FarAnswer, answer_to
from deviceflow.pages.device.origin import Origin, Origins
from deviceflow.pages.visitor import Person, Visitor
from deviceflow.policy.phishing import ClientRules, rules_of
from deviceflow.store.grant_records import Grant


class Findings(NamedTuple):
    """What was found. `is_outside`: the person is in no network from which one may approve.

    `far`: what follows from where the device is, None if nothing does. `lacks`: what the sign-in
    lacks, None if it is enough; `rules` say what would be.
    """

    rules: ClientRules
    origin: Origin
    is_outside: bool
    far: FarAnswer | None
    lacks: Shortfall | None


@dataclass(frozen=True, kw_only=True)
class ApprovalCheck:
    """Looks at a person for a client."""

    settings: Settings
    origins: Origins
    clock: Clock

    def rules(self, client: Client) -> ClientRules:
        """Return the rules of a client."""
        return rules_of(client, self.settings)

    async def look(
        self, visitor: Visitor, person: Person, grant: Grant, client: Client
    ) -> Findings:
        """Say what stands between a person and the approval of a grant."""
        rules, session = self.rules(client), person.session
        origin = await self.origins.compare(grant.address, visitor.address, rules.near)
        far = answer_to(rules.if_far, is_near=origin.is_within)
        if far == "step_up":
            rules = rules.stepped_up()
        lacks = shortfall(
            rules.sign_in,
            rules.max_sign_in_age_s,
            amr=session.amr,
            acr=session.acr,
            age_s=self.clock() - session.auth_time,
        )
        return Findings(rules, origin, not rules.may_approve(visitor.address), far, lacks)
