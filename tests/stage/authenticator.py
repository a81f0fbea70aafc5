"""An authenticator in software: passkeys with ES256, honest unless a test has it lie.

What it signs is built by hand from WebAuthn 6.1 and 6.5, so that a mistake of the library which
checks it is not made twice.
"""

import json
import re
import secrets
from dataclasses import dataclass, field
from hashlib import sha256
from html import unescape
from typing import Any

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from deviceflow.core import base64url
from tests.stage.pages import Browser

UP, UV, AT = 0x01, 0x04, 0x40


@dataclass
class Lie:
    """What is not as it should be. None: it is."""

    origin: str | None = None
    rp_id: str | None = None
    challenge: bytes | None = None
    type: str | None = None
    flags: int | None = None
    sign_count: int | None = None
    user_handle: bytes | None = None
    cross_origin: bool = False


@dataclass
class SoftAuthenticator:
    """One device, with one passkey. `counts`: whether it counts its signatures."""

    origin: str = "http://localhost:8628"
    counts: bool = True
    credential_id: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )
    sign_count: int = 0
    user_handle: bytes = b""

    @property
    def id(self) -> str:
        return base64url.encode(self.credential_id)

    def create(self, options: dict[str, Any], lie: Lie | None = None) -> str:
        """The JSON of a new credential."""
        lie = lie or Lie()
        self.user_handle = base64url.decode(options["user"]["id"])
        client_data = self._client_data("webauthn.create", options, lie)
        numbers = self.key.public_key().public_numbers()
        x, y = (number.to_bytes(32) for number in (numbers.x, numbers.y))
        public_key = cbor2.dumps({1: 2, 3: -7, -1: 1, -2: x, -3: y})
        length = len(self.credential_id).to_bytes(2)
        attested = bytes(16) + length + self.credential_id + public_key
        data = self._data(options["rp"]["id"], lie, AT) + attested
        attestation = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data})
        return self._json(
            {
                "clientDataJSON": base64url.encode(client_data),
                "attestationObject": base64url.encode(attestation),
                "transports": ["internal", "telepathy"],
            }
        )

    def get(self, options: dict[str, Any], lie: Lie | None = None) -> str:
        """The JSON of a signature."""
        lie = lie or Lie()
        if self.counts:
            self.sign_count += 1
        client_data = self._client_data("webauthn.get", options, lie)
        data = self._data(options["rpId"], lie, 0)
        signed = data + sha256(client_data).digest()
        handle = self.user_handle if lie.user_handle is None else lie.user_handle
        return self._json(
            {
                "clientDataJSON": base64url.encode(client_data),
                "authenticatorData": base64url.encode(data),
                "signature": base64url.encode(self.key.sign(signed, ec.ECDSA(hashes.SHA256()))),
                "userHandle": base64url.encode(handle),
            }
        )

    def _client_data(self, kind: str, options: dict[str, Any], lie: Lie) -> bytes:
        challenge = options["challenge"]
        return json.dumps(
            {
                "type": lie.type or kind,
                "challenge": base64url.encode(lie.challenge) if lie.challenge else challenge,
                "origin": lie.origin or self.origin,
                "crossOrigin": lie.cross_origin,
            }
        ).encode()

    def _data(self, rp_id: str, lie: Lie, flags: int) -> bytes:
        flags |= UP | UV if lie.flags is None else lie.flags
        count = self.sign_count if lie.sign_count is None else lie.sign_count
        return sha256((lie.rp_id or rp_id).encode()).digest() + bytes([flags]) + count.to_bytes(4)

    def _json(self, response: dict[str, Any]) -> str:
        parts = {"id": self.id, "rawId": self.id, "type": "public-key", "response": response}
        return json.dumps(parts)


def options_on(browser: Browser) -> dict[str, Any]:
    """The options of the ceremony that the open page offers."""
    found = re.search(r'data-options="([^"]*)"', browser.page)
    assert found is not None, "the page offers no passkey"
    options: dict[str, Any] = json.loads(unescape(found[1]))
    return options
