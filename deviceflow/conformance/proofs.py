"""A device's key and its DPoP proofs (RFC 9449 4.2), right ones and wrong ones."""

import json
import secrets
import time
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from deviceflow.conformance.answers import SiteAnswer, Started
from deviceflow.conformance.site import Site
from deviceflow.core import base64url

ALGORITHM = "ES256"
_NUMBER_BYTES = 32

Members = dict[str, Any]


class Key:
    """A key pair on P-256."""

    def __init__(self) -> None:
        self._pair = ec.generate_private_key(ec.SECP256R1())

    @property
    def jwk(self) -> dict[str, str]:
        """The public key (RFC 7517)."""
        numbers = self._pair.public_key().public_numbers()
        return {"kty": "EC", "crv": "P-256", "x": _number(numbers.x), "y": _number(numbers.y)}

    @property
    def private_jwk(self) -> dict[str, str]:
        """The key with its private part, which no proof may have."""
        return self.jwk | {"d": _number(self._pair.private_numbers().private_value)}

    @property
    def thumbprint(self) -> str:
        """The thumbprint (RFC 7638), which a bound token names as `jkt`."""
        return base64url.sha256_digest(json.dumps(self.jwk, sort_keys=True, separators=(",", ":")))

    def signature(self, signed: str) -> str:
        """Return the signature of ES256 (RFC 7518 3.4)."""
        r, s = decode_dss_signature(self._pair.sign(signed.encode(), ec.ECDSA(SHA256())))
        both = r.to_bytes(_NUMBER_BYTES, "big") + s.to_bytes(_NUMBER_BYTES, "big")
        return base64url.encode(both)


class Flaw(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong with a proof, in words that follow "a proof".

    `header` and `claims` replace members; None removes one. `key`: whose signature it has.
    """

    what: str = ""
    header: Members = {}
    claims: Members = {}
    key: Key | None = None


RIGHT = Flaw()


class Holder:
    """A device that holds a key. It keeps the server's nonces (RFC 9449 8)."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self.key = Key()
        self.nonce = ""

    def proof(self, method: str, url: str, flaw: Flaw = RIGHT, access_token: str = "") -> str:
        """Make a proof for one request."""
        header = {"typ": "dpop+jwt", "alg": ALGORITHM, "jwk": self.key.jwk} | flaw.header
        claims = {
            "jti": secrets.token_urlsafe(16),
            "htm": method,
            "htu": url.partition("?")[0],
            "iat": int(time.time()),
            "ath": base64url.sha256_digest(access_token) if access_token else None,
            "nonce": self.nonce or None,
        }
        signed = f"{_part(header)}.{_part(claims | flaw.claims)}"
        signature = "" if header["alg"] == "none" else (flaw.key or self.key).signature(signed)
        return f"{signed}.{signature}"

    async def poll(self, grant: Started, flaw: Flaw = RIGHT) -> SiteAnswer:
        """Poll with a proof; again if the server asks for its nonce."""
        proof = self.proof("POST", self._site.at.token, flaw)
        answer = await self._site.poll(grant, headers={"DPoP": proof})
        if self.learns_from(answer):
            proof = self.proof("POST", self._site.at.token, flaw)
            answer = await self._site.poll(grant, headers={"DPoP": proof})
        return answer

    async def refresh(self, token: str) -> SiteAnswer:
        """Refresh with a proof; again if the server asks for its nonce."""
        answer = await self.refresh_with(token, self.proof("POST", self._site.at.token))
        if self.learns_from(answer):
            answer = await self.refresh_with(token, self.proof("POST", self._site.at.token))
        return answer

    async def refresh_with(self, token: str, proof: str) -> SiteAnswer:
        """Refresh with this proof."""
        form = {"grant_type": "refresh_token", "refresh_token": token}
        return await self._site.post(self._site.at.token, form, headers={"DPoP": proof})

    async def get(self, url: str, access_token: str, flaw: Flaw = RIGHT) -> SiteAnswer:
        """GET a protected resource (RFC 9449 7.1); again if it asks for its nonce."""
        answer = await self._get(url, access_token, flaw)
        return await self._get(url, access_token, flaw) if self.learns_from(answer) else answer

    async def _get(self, url: str, access_token: str, flaw: Flaw) -> SiteAnswer:
        proof = self.proof("GET", url, flaw, access_token)
        headers = {"Authorization": f"DPoP {access_token}", "DPoP": proof}
        return await self._site.send("GET", url, headers=headers)

    def learns_from(self, answer: SiteAnswer) -> bool:
        """Keep the nonce of an answer. Return whether the request failed for want of it."""
        before, self.nonce = self.nonce, answer.headers.get("DPoP-Nonce", self.nonce)
        is_asked = "use_dpop_nonce" in answer.error + answer.headers.get("WWW-Authenticate", "")
        return is_asked and self.nonce != before


def _part(members: Members) -> str:
    present = {name: value for name, value in members.items() if value is not None}
    return base64url.encode(json.dumps(present).encode())


def _number(value: int) -> str:
    return base64url.encode(value.to_bytes(_NUMBER_BYTES, "big"))
