"""An OpenID provider that signs everybody in at once, and lies where a test wants it to.

A lie is one field of `Lies`. The provider is on a socket of its own, because the server under test
is a client of it like of any other.
"""

import asyncio
import warnings
from base64 import b64decode
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import urlencode

from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, OKPKey, RSAKey
from joserfc.jws import JWSRegistry
from yarl import URL

from deviceflow.core.pkce import proves
from tests.stage.clock import Clock

CLIENT_ID = "deviceflow"
CLIENT_SECRET = "a secret: 100% & more"
SUBJECT = "248289761001"
KEY = ECKey.generate_key("P-256", {"alg": "ES256", "use": "sig"}, auto_kid=True)
ED_KEY = OKPKey.generate_key("Ed25519", {"alg": "EdDSA", "use": "sig"}, auto_kid=True)
FOREIGN_KEY = ECKey.generate_key("P-256", {"alg": "ES256", "use": "sig"}, auto_kid=True)
ALGORITHMS = ["ES256", "RS256", "EdDSA"]
GONE = object()
"""The value of a claim or a member that is left out."""

Key = ECKey | RSAKey | OKPKey


@cache
def rsa_key() -> RSAKey:
    """A key of RSA; it takes long to make, so a process that needs none makes none."""
    return RSAKey.generate_key(2048, {"alg": "RS256", "use": "sig"}, auto_kid=True)


class _AnyHeader(JWSRegistry):
    """Writes headers that the library would not write."""

    def check_header(self, header: dict[str, Any]) -> None:
        """Accept all."""


@dataclass
class Lies:
    """What the provider does otherwise than it should. Empty: it is honest.

    `answer`: fields of the answer to the authorization request; `metadata`, `claims`, `tokens` (the
    token response), `userinfo`: members; GONE leaves one out. `status`: by the path. `bodies`: raw
    bytes in place of the JSON, by the path. `hangs`: paths that are never answered.
    """

    answer: Mapping[str, object] = field(default_factory=dict)
    metadata: Mapping[str, object] = field(default_factory=dict)
    claims: Mapping[str, object] = field(default_factory=dict)
    tokens: Mapping[str, object] = field(default_factory=dict)
    userinfo: Mapping[str, object] = field(default_factory=dict)
    header: Mapping[str, object] = field(default_factory=dict)
    status: Mapping[str, int] = field(default_factory=dict)
    bodies: Mapping[str, bytes] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    hangs: frozenset[str] = frozenset()
    signs_with: Key | None = None
    id_token: str | None = None


class StageProvider:
    """The provider. `person`: the claims about who signs in. `seen`: the requests, by path."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.lies = Lies()
        self.key: Key = KEY
        self.published: list[Key] = [KEY]
        self.person: dict[str, Any] = {
            "sub": SUBJECT,
            "preferred_username": "ada",
            "name": "Ada Lovelace",
            "email": "ada@example.com",
            "email_verified": True,
        }
        self.in_userinfo: set[str] = set()
        self.seen: dict[str, list[dict[str, str]]] = {}
        self.issuer = ""
        self._codes: dict[str, dict[str, str]] = {}
        self._released = asyncio.Event()

    def requests(self, path: str) -> list[dict[str, str]]:
        """The parameters of the requests to a path so far."""
        return self.seen.get(path, [])

    def app(self) -> web.Application:
        app = web.Application()
        for method, path, handler in (
            ("GET", "/.well-known/openid-configuration", self._discovery),
            ("GET", "/jwks", self._jwks),
            ("GET", "/authorize", self._authorize),
            ("POST", "/token", self._token),
            ("GET", "/userinfo", self._userinfo),
        ):
            app.router.add_route(method, path, handler)
        return app

    async def visit(self, address: str) -> str:
        """Go to the authorization endpoint, as a browser does; where the answer leads."""
        async with (
            ClientSession() as session,
            session.get(URL(address, encoded=True), allow_redirects=False) as response,
        ):
            assert response.status == 303, await response.text()
            return response.headers["Location"]

    def logout_token(self, **claims: object) -> str:
        """A logout token for the person; `claims` change it, GONE leaves one out."""
        now = int(self.clock())
        usual: dict[str, object] = {
            "iss": self.issuer,
            "aud": CLIENT_ID,
            "iat": now,
            "exp": now + 120,
            "jti": "logout-1",
            "sub": self.person["sub"],
            "events": {"http://schemas.openid.net/event/backchannel-logout": {}},
        }
        return self._sign(_changed(usual, claims))

    async def _discovery(self, request: web.Request) -> web.StreamResponse:
        usual: dict[str, object] = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/jwks",
            "userinfo_endpoint": f"{self.issuer}/userinfo",
            "end_session_endpoint": f"{self.issuer}/end?theme=plain",
            "id_token_signing_alg_values_supported": ALGORITHMS,
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "private_key_jwt"],
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": True,
            "response_types_supported": ["code"],
        }
        return await self._respond(request, _changed(usual, self.lies.metadata))

    async def _jwks(self, request: web.Request) -> web.StreamResponse:
        return await self._respond(request, KeySet(list(self.published)).as_dict(private=False))

    async def _authorize(self, request: web.Request) -> web.Response:
        sent = dict(request.query)
        self._note(request, sent)
        code = f"code-{len(self._codes)}"
        self._codes[code] = sent
        usual = {"code": code, "state": sent["state"], "iss": self.issuer}
        answer = urlencode(_changed(usual, self.lies.answer))
        return web.Response(status=303, headers={"Location": f"{sent['redirect_uri']}?{answer}"})

    async def _token(self, request: web.Request) -> web.StreamResponse:
        form = {name: str(value) for name, value in (await request.post()).items()}
        form["authorization"] = _credentials(request)
        request_of_code = self._codes.pop(form.get("code", ""), None)
        is_good = (
            request_of_code is not None
            and request_of_code["redirect_uri"] == form["redirect_uri"]
            and proves(form["code_verifier"], request_of_code["code_challenge"])
        )
        if request_of_code is None or not is_good:
            return await self._respond(request, {"error": "invalid_grant"}, form, status=400)
        tokens = {
            "access_token": "upstream-access-token",
            "token_type": "Bearer",
            "id_token": self.lies.id_token or self._id_token(request_of_code),
        }
        return await self._respond(request, _changed(tokens, self.lies.tokens), form)

    def _id_token(self, sent: Mapping[str, str]) -> str:
        now = int(self.clock())
        usual = {
            "iss": self.issuer,
            "aud": CLIENT_ID,
            "iat": now,
            "exp": now + 300,
            "nonce": sent["nonce"],
            "auth_time": now - 10,
        }
        person = {name: self.person[name] for name in self.person.keys() - self.in_userinfo}
        return self._sign(_changed(usual | person, self.lies.claims))

    def _sign(self, claims: Mapping[str, object]) -> str:
        key = self.lies.signs_with or self.key
        algorithm = str(key.alg)
        header = _changed({"alg": algorithm, "kid": str(key.kid)}, self.lies.header)
        registry = _AnyHeader(algorithms=[algorithm])
        with warnings.catch_warnings():
            # The library warns of the name EdDSA, which most providers still use.
            warnings.simplefilter("ignore")
            return jwt.encode(header, dict(claims), key, registry=registry)

    async def _userinfo(self, request: web.Request) -> web.StreamResponse:
        sent = {"authorization": request.headers.get("Authorization", "")}
        person = {name: self.person[name] for name in {"sub"} | self.in_userinfo}
        return await self._respond(request, _changed(person, self.lies.userinfo), sent)

    async def _respond(
        self,
        request: web.Request,
        body: Mapping[str, object],
        sent: Mapping[str, str] | None = None,
        status: int = 200,
    ) -> web.StreamResponse:
        path = request.path
        self._note(request, sent or {})
        if path in self.lies.hangs:
            await self._released.wait()
        status = self.lies.status.get(path, status)
        raw = self.lies.bodies.get(path)
        if raw is not None:
            return web.Response(body=raw, status=status, headers=self.lies.headers)
        return web.json_response(dict(body), status=status, headers=self.lies.headers)

    def _note(self, request: web.Request, sent: Mapping[str, str]) -> None:
        self.seen.setdefault(request.path, []).append(dict(sent))

    def release(self) -> None:
        """Let the requests go that hang."""
        self._released.set()


@asynccontextmanager
async def running_provider(clock: Clock) -> AsyncIterator[StageProvider]:
    """The provider, until the block ends."""
    provider = StageProvider(clock)
    async with TestServer(provider.app()) as server:
        provider.issuer = str(server.make_url("")).rstrip("/")
        yield provider
        provider.release()


def _changed(usual: Mapping[str, object], changes: Mapping[str, object]) -> dict[str, Any]:
    changed = dict(usual) | dict(changes)
    return {name: value for name, value in changed.items() if value is not GONE}


def _credentials(request: web.Request) -> str:
    """The client and its secret as the header has them, decoded from base64 only."""
    kind, _, value = request.headers.get("Authorization", "").partition(" ")
    return b64decode(value).decode() if kind == "Basic" else ""
