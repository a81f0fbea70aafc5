"""DPoP proofs of requests (RFC 9449): they are read first, and spent later.

Even the first proof must have a nonce (section 8), so a proof that was made in advance is useless.
`read` verifies a proof in memory. `spend` uses up its `jti` in the store, and is only called if
the answer has tokens or claims. So a pending poll with a proof still costs no look-up.
"""

from dataclasses import dataclass
from typing import NamedTuple

from aiohttp import web

from deviceflow.core import dpop
from deviceflow.core.clock import Clock
from deviceflow.core.dpop import NonceError, ProofError, ProofRequirements
from deviceflow.core.errors import invalid_dpop_proof, use_dpop_nonce
from deviceflow.core.origin import origin_of
from deviceflow.signing.dpop import read_proof, unverified_proof
from deviceflow.store.installation import Installation
from deviceflow.store.replay import Replay

KEPT_LONGER_S = 60
"""How much longer than a nonce a used `jti` is remembered: the clocks of hosts differ."""


class Possession(NamedTuple):
    """A verified proof of possession of the key `jkt`. Its `jti` is not used up yet."""

    jkt: str
    jti: str


@dataclass(frozen=True, kw_only=True)
class DPoPProofs:
    """The DPoP proofs of requests to `issuer`."""

    issuer: str
    installation: Installation
    replay: Replay
    clock: Clock

    def requirements(
        self, request: web.Request, access_token: str | None = None
    ) -> ProofRequirements:
        """Return what the proof of a request to this server must match."""
        # The configured address, because a proxy may have changed the one in the request.
        url = origin_of(self.issuer) + request.rel_url.raw_path
        return ProofRequirements(request.method, url, access_token)

    def read(
        self, request: web.Request, expected: ProofRequirements | None = None
    ) -> Possession | None:
        """Verify the DPoP header. Return None if there is none. May raise OAuthError.

        `expected`: what the proof must match, if this is not a request to this server itself.
        """
        headers = request.headers.getall("DPoP", [])
        if not headers:
            return None
        if len(headers) > 1:
            raise invalid_dpop_proof("A request carries one DPoP proof.")
        now = self.clock()
        expected = expected or self.requirements(request)
        try:
            # The signature comes last: a stranger chooses the key, and so what it costs to check.
            claimed = unverified_proof(headers[0])
            jti = dpop.check_proof(claimed, expected)
            dpop.check_nonce(claimed, self.installation.challenge_keys(), now)
            proof = read_proof(headers[0])
        except NonceError:
            raise use_dpop_nonce(self.nonce()) from None
        except ProofError as error:
            raise invalid_dpop_proof(str(error)) from None
        return Possession(proof.jkt, jti)

    async def spend(self, possession: Possession | None) -> None:
        """Use up the proof. May raise OAuthError (a replay), StoreUnavailable."""
        if possession is None:
            return
        keep_s = dpop.PROOF_LIFETIME_S + KEPT_LONGER_S
        if not await self.replay.use("dpop", possession.jkt, possession.jti, keep_s):
            raise invalid_dpop_proof("The DPoP proof was used before.")

    def nonce(self) -> str:
        """Return the nonce for the client's next proof."""
        return dpop.nonce(self.installation.challenge_keys()[0], self.clock())
