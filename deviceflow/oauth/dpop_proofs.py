"""DPoP at this server's endpoints (RFC 9449): reading proofs and spending them.

The nonce is demanded from the first proof on (section 8), so a proof that was made in advance
is worthless. A proof is verified in memory; its `jti` is only used up where something is
given for it, so that a pending poll with a proof still costs no look-up.
"""

from dataclasses import dataclass
from typing import NamedTuple

from aiohttp import web

from deviceflow.core import dpop
from deviceflow.core.clock import Clock
from deviceflow.core.dpop import NonceError, ProofError, ProofRequirements
from deviceflow.core.errors import invalid_dpop_proof, use_dpop_nonce
from deviceflow.core.origin import origin_of
from deviceflow.signing import read_proof
from deviceflow.store.installation import Installation
from deviceflow.store.replay import Replay


class Possession(NamedTuple):
    """The key that the caller has proved to hold; `jti` is not used up yet."""

    jkt: str
    jti: str


@dataclass(frozen=True, kw_only=True)
class DPoPProofs:
    """Checks the DPoP header of requests to `issuer`."""

    issuer: str
    installation: Installation
    replay: Replay
    clock: Clock

    def read(self, request: web.Request, access_token: str | None = None) -> Possession | None:
        """The key behind the DPoP header, None without one. Raises OAuthError."""
        headers = request.headers.getall("DPoP", [])
        if not headers:
            return None
        if len(headers) > 1:
            raise invalid_dpop_proof("A request carries one DPoP proof.")
        now = self.clock()
        # The address as people configured it: what a proxy made of it on the way is not asked.
        url = origin_of(self.issuer) + request.path
        expected = ProofRequirements(request.method, url, now, access_token)
        try:
            proof = read_proof(headers[0])
            jti = dpop.check_proof(proof, expected)
            dpop.check_nonce(proof, self.installation.nonce_key(), now)
        except NonceError:
            raise use_dpop_nonce(self.nonce()) from None
        except ProofError as error:
            raise invalid_dpop_proof(str(error)) from None
        return Possession(proof.jkt, jti)

    async def spend(self, possession: Possession | None) -> None:
        """Use the proof up. Raises OAuthError for a replay, StoreUnavailable."""
        if possession is None:
            return
        keep_s = dpop.MAX_AGE_S + dpop.PROOF_SKEW_S
        if not await self.replay.use("dpop", possession.jkt, possession.jti, keep_s):
            raise invalid_dpop_proof("The DPoP proof was used before.")

    def nonce(self) -> str:
        """The nonce for the caller's next proof."""
        return dpop.nonce(self.installation.nonce_key(), self.clock())
