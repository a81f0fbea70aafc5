"""The detour to a provider and back: what binds the answer to the request, and to the browser.

The `state` (RFC 6749 10.12) is a random value, the time, and two seals: of this server for one
provider, and of the browser's cookie. `nonce` and `code_verifier` are derived from both. Everything
can be computed again when the answer comes, so nothing is stored, and a stranger who begins
sign-ins without end fills no memory.

Where the person goes on afterwards, and with which user code, is kept in a cookie: it is nobody's
business at the provider.
"""

import hashlib
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from hmac import compare_digest

from aiohttp import web

from deviceflow.core import base64url
from deviceflow.core.clock import Clock
from deviceflow.pages.codes import Codes
from deviceflow.pages.cookie import SessionCookie
from deviceflow.pages.onward import Onward
from deviceflow.upstream.authorization import Detour

LIFETIME_S = 600
"""How long a person may take at the provider."""

KEPT_DETOURS = 4
"""For how many detours at once it is kept where they lead: tabs of one browser."""

# 45 bytes: base64url of a multiple of three has one spelling only.
_RANDOM, _TIME, _SEAL = 16, 5, 12
_LENGTH = _RANDOM + _TIME + 2 * _SEAL
_TAG = 8
_KEPT = re.compile(r"([A-Za-z0-9_-]{8})~([A-Za-z0-9-]{0,64})(?:~([a-z]{1,16}))?")


class StateFault(StrEnum):
    """What is wrong with the state of an answer."""

    FOREIGN = "foreign"
    LATE = "late"
    OTHER_BROWSER = "other_browser"


@dataclass(frozen=True, kw_only=True)
class Detours:
    """Begins detours and recognises their answers. `keys`: as those of `Csrf`."""

    keys: Callable[[], Sequence[bytes]]
    issuer: str
    cookie: SessionCookie
    clock: Clock

    def begin(self, provider_id: str, cookie: str) -> Detour:
        """Begin a detour of the browser with `cookie`."""
        key = self.keys()[0]
        stem = secrets.token_bytes(_RANDOM) + int(self.clock()).to_bytes(_TIME)
        own = _seal(key, b"provider", provider_id, stem)
        bound = _seal(key, b"browser", cookie, stem + own)
        state = base64url.encode(stem + own + bound)
        return self._detour(key, state, provider_id, cookie)

    def fault(self, provider_id: str, state: str) -> StateFault | None:
        """Return what is wrong with a state, as far as that can be said without the cookie."""
        parts = _parts(state)
        if parts is None:
            return StateFault.FOREIGN
        stem, own, _ = parts
        if self._key_of(provider_id, stem, own) is None:
            return StateFault.FOREIGN
        left_at = int.from_bytes(stem[_RANDOM:])
        return StateFault.LATE if self.clock() >= left_at + LIFETIME_S else None

    def find(self, provider_id: str, state: str, cookie: str | None) -> Detour | StateFault:
        """Return the detour of a state, or what is wrong with the state."""
        if fault := self.fault(provider_id, state):
            return fault
        parts = _parts(state)
        if parts is None or cookie is None:
            return StateFault.OTHER_BROWSER
        stem, own, bound = parts
        key = self._key_of(provider_id, stem, own)
        if key is None or not compare_digest(bound, _seal(key, b"browser", cookie, stem + own)):
            return StateFault.OTHER_BROWSER
        return self._detour(key, state, provider_id, cookie)

    def keep(
        self, request: web.Request, response: web.Response, state: str, onward: Onward
    ) -> None:
        """Keep where the person goes on until the answer comes."""
        own = {state[:_TAG]: onward} if onward.user_code or onward.page else {}
        self._write(response, own | self._kept(request))

    def onward(self, request: web.Request, state: str, codes: Codes) -> Onward:
        """Return where the person goes on. It is the browser's word, so it is read again.

        Its tag is the beginning of the state, which is random.
        """
        kept = self._kept(request).get(state[:_TAG], Onward())
        return Onward.of(codes, kept.fields)

    def forget(self, request: web.Request, response: web.Response, state: str) -> None:
        """Make the browser forget it."""
        kept = self._kept(request)
        if kept.pop(state[:_TAG], None) is not None:
            self._write(response, kept)

    @property
    def _name(self) -> str:
        return f"{self.cookie.name}-detour"

    def _kept(self, request: web.Request) -> dict[str, Onward]:
        sent = request.cookies.get(self._name, "").split(".")[:KEPT_DETOURS]
        matches = [_KEPT.fullmatch(entry) for entry in sent]
        return {match[1]: Onward(match[2], match[3] or "") for match in matches if match}

    def _write(self, response: web.Response, kept: Mapping[str, Onward]) -> None:
        # A version before this one reads entries without a page.
        entries = [
            f"{tag}~{onward.user_code}" + (f"~{onward.page}" if onward.page else "")
            for tag, onward in kept.items()
        ][:KEPT_DETOURS]
        response.set_cookie(
            self._name,
            ".".join(entries),
            max_age=LIFETIME_S if entries else 0,
            path="/",
            secure=self.cookie.https,
            httponly=True,
            samesite="Lax",
        )

    def _detour(self, key: bytes, state: str, provider_id: str, cookie: str) -> Detour:
        return Detour(
            state=state,
            nonce=_derived(key, b"nonce", state, cookie),
            verifier=_derived(key, b"verifier", state, cookie),
            redirect_uri=redirect_uri(self.issuer, provider_id),
        )

    def _key_of(self, provider_id: str, stem: bytes, own: bytes) -> bytes | None:
        """Return the key that sealed a state, None for a foreign one."""
        for key in self.keys():
            if compare_digest(own, _seal(key, b"provider", provider_id, stem)):
                return key
        return None


def _seal(key: bytes, purpose: bytes, bearer: str, data: bytes) -> bytes:
    digest = hashlib.blake2b(key=key, digest_size=_SEAL, person=b"df-det " + purpose)
    digest.update(len(data).to_bytes(4) + data + bearer.encode())
    return digest.digest()


def _derived(key: bytes, purpose: bytes, state: str, cookie: str) -> str:
    """Derive 256 bits, 43 characters of base64url, that only this browser's cookie leads to."""
    digest = hashlib.blake2b(key=key, digest_size=32, person=b"df-det " + purpose)
    digest.update(f"{state} {cookie}".encode())
    return base64url.encode(digest.digest())


def redirect_uri(issuer: str, provider_id: str) -> str:
    """Return the address at which a provider's answers come; it is registered there."""
    return f"{issuer}/login/upstream/{provider_id}/callback"


def _parts(state: str) -> tuple[bytes, bytes, bytes] | None:
    """Take a state apart: random value and time, and the two seals; None if it is none."""
    try:
        data = base64url.decode(state)
    except ValueError:
        return None
    if len(data) != _LENGTH:
        return None
    return data[: _RANDOM + _TIME], data[_RANDOM + _TIME : -_SEAL], data[-_SEAL:]
