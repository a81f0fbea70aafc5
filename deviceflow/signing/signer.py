"""The signer: this server's keys, as they sign its tokens and verify them.

The newest key of an algorithm signs. All keys are published, so that tokens of an earlier key can
still be verified.
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

import msgspec
from joserfc import jws

from deviceflow.core import base64url
from deviceflow.core.clock import Clock
from deviceflow.core.errors import temporarily_unavailable
from deviceflow.core.signing_key import SigningKey, age
from deviceflow.signing.errors import BadToken
from deviceflow.signing.keys import JoseKey, import_jwk
from deviceflow.signing.verification import VerifiedToken, read_header, verify_signature


class Signer:
    """The server's keys: the newest key of an algorithm signs, and all keys verify.

    `algorithm`: what signs unless a client has another one.

    A superseded key is neither published nor accepted after its expiry.
    """

    def __init__(
        self,
        keys: Iterable[SigningKey],
        algorithm: str,
        clock: Clock,
    ) -> None:
        self.algorithm = algorithm
        self._clock = clock
        self._keys: dict[str, JoseKey] = {}
        self.adopt(keys)

    def adopt(self, keys: Iterable[SigningKey]) -> None:
        """Use `keys` from now on, as the store has them."""
        stored = sorted(keys, key=age)
        # Importing an RSA key is slow and blocks the event loop, so keep the keys that are
        # already imported. An id is a thumbprint: the same id is the same key.
        self._keys = {
            key.key_id: self._keys.get(key.key_id) or import_jwk(key.jwk) for key in stored
        }
        self._stored = {key.key_id: key for key in stored}
        signing = [key for key in stored if key.algorithm == self.algorithm]
        self._signing_id = signing[-1].key_id if signing else ""

    @property
    def signing_key(self) -> SigningKey:
        """The key that signs. May raise OAuthError: the keys could not be read yet."""
        self._need_keys()
        return self._stored[self._signing_id]

    def _need_keys(self) -> None:
        # A server that started without its store. An empty answer would be a wrong one: an API
        # would keep it, and refuse every token.
        if not self._keys:
            raise temporarily_unavailable()

    @property
    def known(self) -> Mapping[str, SigningKey]:
        """The keys by their ids, as the store has them."""
        return self._stored

    def sign(self, claims: Mapping[str, Any], token_type: str, algorithm: str | None = None) -> str:
        """Return a signed JWT (RFC 7519). `token_type`: its `typ`.

        May raise OAuthError, if there is no key of that algorithm yet: it is made within a second
        after the first client has asked for it (`reload.py`).
        """
        key = self.key_for(algorithm or self.algorithm)
        if key is None:
            raise temporarily_unavailable(retry_after=1)
        signed = _encoded_header(key.algorithm, token_type, key.key_id)
        signed += b"." + base64url.encode(msgspec.json.encode(claims)).encode()
        # `jwt.encode` takes twice as long: it checks the header and the key each time.
        algorithm_model = jws.JWSRegistry.algorithms[key.algorithm]
        signature = algorithm_model.sign(signed, self._keys[key.key_id])
        return f"{signed.decode()}.{base64url.encode(signature)}"

    def key_for(self, algorithm: str) -> SigningKey | None:
        """Return the key that signs with `algorithm`; None if there is none that verifiers know.

        A key that was just superseded signs until its successor is here (`LATE_S`).
        """
        found = [
            key
            for key_id, key in self._stored.items()
            if key.algorithm == algorithm and self._is_live(key_id)
        ]
        return found[-1] if found else None

    def verify(self, token: str) -> VerifiedToken:
        """Verify a token of this server. May raise BadToken, or OAuthError without keys."""
        self._need_keys()
        header = read_header(token)
        key_id = str(header.get("kid"))
        key = self._keys.get(key_id)
        if key is None or not self._is_live(key_id):
            raise BadToken
        return verify_signature(token, key, (str(key.alg),))

    def jwks(self) -> dict[str, list[Any]]:
        """Return the public keys (RFC 7517 5), without private members.

        May raise OAuthError: the keys could not be read yet.
        """
        self._need_keys()
        live = [key for key_id, key in self._keys.items() if self._is_live(key_id)]
        return {"keys": [key.as_dict(private=False) for key in live]}

    def _is_live(self, key_id: str) -> bool:
        # The signing key may have an expiry, for example if its successor was withdrawn. Until
        # there is a new key, its tokens must verify.
        return key_id == self._signing_id or self._stored[key_id].is_live(self._clock())


@lru_cache(maxsize=64)
def _encoded_header(algorithm: str, token_type: str, key_id: str) -> bytes:
    """Return the header of a JWT as it is signed (RFC 7515 7.1)."""
    header = {"alg": algorithm, "typ": token_type, "kid": key_id}
    return base64url.encode(msgspec.json.encode(header)).encode()
