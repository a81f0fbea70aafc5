"""A server of RFC 8628 in memory that is right, or wrong in one way that a test names.

It stands for no server: it is small, slow and forgets. Its time is the test's.
"""

import json
import secrets
from base64 import b64decode
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal
from urllib.parse import parse_qsl, unquote_plus

from aiohttp import web

from deviceflow.conformance.decisions import ToDecide, Undecided
from tests.stage.wrong_proofs import NONCE, ProofReader, WrongProof
from tests.stage.wrong_tokens import Granted, token_answer

GRANT_TYPE = "urn:ietf:params:oauth:grant-type:device_code"
CLIENTS = {"tv": "", "other": "", "printer": "a secret:%+"}
LIFETIME_S, INTERVAL_S, SLOWER_S = 120, 5, 5
SCOPES = {"openid", "profile", "offline_access"}
WRONG_CODES = 8
LETTERS = "BCDFGHJKLMNPQRSTVWXZ"

Form = list[tuple[str, str]]
State = Literal["pending", "approved", "denied", "redeemed"]


@dataclass
class OneGrant:
    """A grant as the server remembers it; times in s."""

    device_code: str
    user_code: str
    client_id: str
    scope: str
    expires_at: float
    interval: float = INTERVAL_S
    last_poll: float | None = None
    state: State = "pending"
    heard_at: float = 0.0
    tokens: dict[str, Any] = field(default_factory=dict)
    is_used: bool = False
    jkt: str = ""


class OAuthRefusal(Exception):  # noqa: N818, it is an answer
    """An error of RFC 6749 5.2."""

    def __init__(self, code: str, status: int = 400, **headers: str) -> None:
        super().__init__(code)
        self.code, self.status, self.headers = code, status, headers


@dataclass
class WrongServer:
    """The server. `defect`: what is wrong with it, nothing if it is empty.

    `wants_nonce`: whether a DPoP proof needs the server's nonce. `heard_after_s`: how long after a
    decision polls learn of it.
    """

    clock: Callable[[], float]
    defect: str = ""
    wants_nonce: bool = False
    heard_after_s: float = 0.0
    issuer: str = ""
    grants: dict[str, OneGrant] = field(default_factory=dict)
    refresh_tokens: dict[str, OneGrant] = field(default_factory=dict)
    old_tokens: dict[str, OneGrant] = field(default_factory=dict)
    access_tokens: dict[str, OneGrant] = field(default_factory=dict)
    last_poll: float | None = None
    seen_from: dict[object, set[str]] = field(default_factory=dict)
    count: int = 0
    wrong_codes: int = 0
    can_guess: ClassVar = True

    def __post_init__(self) -> None:
        self.proofs = ProofReader(self.has, wants_nonce=self.wants_nonce)

    # What a person does.

    async def decide(self, grant: ToDecide) -> None:
        """Decide, as somebody at its page. Raises Undecided."""
        if self.wrong_codes >= WRONG_CODES and not self.has("guesses without end"):
            raise Undecided("too many wrong codes")
        typed = grant.user_code
        if not self.has("picky about the user code"):
            typed = typed.replace("-", "").replace(" ", "").upper()
            typed = f"{typed[:4]}-{typed[4:]}" if len(typed) > 4 else typed
        for each in self.grants.values():
            if each.user_code in {typed, grant.user_code}:
                is_denied = grant.choice == "deny"
                if self.has("a denial that does not hold"):
                    is_denied = is_denied or each.state == "denied"
                elif each.state != "pending":
                    raise Undecided("already decided")
                each.state = "denied" if is_denied else "approved"
                each.heard_at = self.clock() + self.heard_after_s
                return
        self.wrong_codes += 1
        raise Undecided("the code is not known")

    async def close(self) -> None:
        """Nothing is open."""

    # What a device sends.

    def application(self) -> web.Application:
        app = web.Application()
        app.add_routes(
            [
                web.get("/.well-known/oauth-authorization-server", self.metadata),
                web.get("/jwks", self.jwks),
                web.get("/device", self.page),
                web.route("*", "/authorize-device", self.answering(self.authorize)),
                web.route("*", "/token", self.answering(self.token)),
                web.post("/revoke", self.answering(self.revoke)),
                web.post("/introspect", self.answering(self.introspect)),
                web.get("/userinfo", self.userinfo),
            ]
        )
        return app

    def has(self, defect: str) -> bool:
        """Whether this is the thing that is wrong."""
        return self.defect == defect

    async def metadata(self, _: web.Request) -> web.Response:
        document: dict[str, Any] = {
            "issuer": self.issuer + ("/" if self.has("another issuer") else ""),
            "device_authorization_endpoint": f"{self.issuer}/authorize-device",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/jwks",
            "revocation_endpoint": f"{self.issuer}/revoke",
            "introspection_endpoint": f"{self.issuer}/introspect",
            "userinfo_endpoint": f"{self.issuer}/userinfo",
            "grant_types_supported": [GRANT_TYPE, "refresh_token"],
            "token_endpoint_auth_methods_supported": ["none", "client_secret_basic"],
            "dpop_signing_alg_values_supported": ["ES256"],
        }
        if self.has("symmetric proofs"):
            document["dpop_signing_alg_values_supported"].append("HS256")
        if self.has("no grant type"):
            del document["grant_types_supported"]
        if self.has("no device endpoint"):
            del document["device_authorization_endpoint"]
        if self.has("assertions without algorithms"):
            document["token_endpoint_auth_methods_supported"] = ["none", "private_key_jwt"]
        kind = "text/plain" if self.has("metadata as text") else "application/json"
        return web.Response(text=json.dumps(document), content_type=kind)

    async def jwks(self, _: web.Request) -> web.Response:
        key = {"kty": "EC", "kid": "other" if self.has("another key") else "1", "crv": "P-256"}
        if self.has("private keys"):
            key["d"] = "AAAA"
        return web.json_response({"keys": [key]})

    async def page(self, request: web.Request) -> web.Response:
        if self.has("no page"):
            return web.Response(status=404)
        if self.has("approved by GET") and (code := request.query.get("user_code")):
            await self.decide(
                ToDecide(
                    user_code=code,
                    verification_uri="",
                    verification_uri_complete=None,
                    choice="approve",
                )
            )
        headers = {"Content-Security-Policy": "frame-ancestors 'none'"}
        if self.has("a page in frames"):
            headers = {}
        if self.has("a page for other sites"):
            headers["Access-Control-Allow-Origin"] = "*"
        return web.Response(text="Enter the code", content_type="text/html", headers=headers)

    async def form_of(self, request: web.Request) -> Form:
        """Read the form."""
        is_get = request.method != "POST"
        if is_get and not self.has("GET is POST"):
            raise OAuthRefusal("invalid_request", 405)
        text = request.query_string if is_get else await request.text()
        if self.has("credentials in the address"):
            text += "&" + request.query_string
        pairs = parse_qsl(text, keep_blank_values=True)
        names = [name for name, _ in pairs]
        if len({*names}) < len(names) and not self.has("repeated parameters"):
            raise OAuthRefusal("invalid_request")
        return pairs

    def answering(
        self, handler: Callable[[web.Request, Form], dict[str, Any]]
    ) -> Callable[[web.Request], Awaitable[web.Response]]:
        """Make a handler of forms into one of requests: errors, headers."""

        async def handle(request: web.Request) -> web.Response:
            headers: dict[str, str] = {}
            try:
                body, status = handler(request, await self.form_of(request)), 200
            except WrongProof as refusal:
                body, status = {"error": str(refusal)}, 400
                if str(refusal) == "use_dpop_nonce":
                    headers = {"DPoP-Nonce": NONCE}
            except OAuthRefusal as refusal:
                body, status, headers = {"error": refusal.code}, refusal.status, refusal.headers
                if refusal.code == "slow_down":
                    body["interval"] = int(refusal.headers["interval"])
                    headers = {}
                if self.has("errors with 200"):
                    status = 200
                if self.has("echo"):
                    body["error_description"] = 'unknown "\u00e9'
            if self.has("refusals without a word") and status >= 400:
                body = {}
            if not self.has("answers are kept"):
                headers = {"Cache-Control": "no-store", **headers}
            kind = "text/html" if self.has("JSON as HTML") else "application/json"
            return web.Response(
                text=json.dumps(body), status=status, content_type=kind, headers=headers
            )

        return handle

    def client_of(self, request: web.Request, form: dict[str, str]) -> str:
        """Authenticate."""
        client_id, secret = form.get("client_id", ""), form.get("client_secret", "")
        challenge: dict[str, str] = {}
        status = 400
        if header := request.headers.get("Authorization"):
            pair = b64decode(header.split()[1]).decode()
            client_id, secret = map(unquote_plus, pair.split(":"))
            challenge = {"WWW-Authenticate": "Basic"}
            status = 401
        if self.has("no challenge"):
            challenge = {}
        if not client_id:
            if self.has("clients without a name"):
                return "tv"
            raise OAuthRefusal("invalid_request")
        if client_id not in CLIENTS:
            if self.has("clients that do not exist") or self.has("codes of anybody"):
                return client_id
            raise OAuthRefusal("invalid_client", status, **challenge)
        if CLIENTS[client_id] != secret and not self.has("any secret"):
            raise OAuthRefusal("invalid_client", status, **challenge)
        return client_id

    def authorize(self, request: web.Request, pairs: Form) -> dict[str, Any]:
        form = dict(pairs)
        if self.has("unknown parameters") and {*form} - {"client_id", "scope", "client_secret"}:
            raise OAuthRefusal("invalid_request")
        if self.has("empty parameters") and form.get("scope") == "":
            raise OAuthRefusal("invalid_scope")
        client_id = self.client_of(request, form)
        scope = form.get("scope") or " ".join(sorted(SCOPES))
        self.count += 1
        grant = OneGrant(
            self.device_code(),
            self.user_code(),
            client_id,
            scope,
            self.clock() + LIFETIME_S,
        )
        if self.has("the user code in the device code"):
            grant.device_code += grant.user_code.replace("-", "")
        self.grants[grant.device_code] = grant
        uri = f"{self.issuer}/device"
        if self.has("the code in the address"):
            uri += f"?user_code={grant.user_code}"
        answer: dict[str, Any] = {
            "device_code": grant.device_code,
            "user_code": grant.user_code,
            "verification_uri": uri,
            "verification_uri_complete": f"{self.issuer}/device?user_code={grant.user_code}",
            "expires_in": LIFETIME_S,
            "interval": INTERVAL_S,
        }
        if self.has("no expires_in"):
            del answer["expires_in"]
        return answer

    def device_code(self) -> str:
        if self.has("short device codes"):
            return secrets.token_hex(8)
        if self.has("device codes to escape"):
            return secrets.token_urlsafe(32) + "+/="
        return secrets.token_urlsafe(32)

    def user_code(self) -> str:
        if self.has("user codes by number"):
            return f"{10_000_000 + self.count}"
        if self.has("short user codes"):
            return f"{secrets.randbelow(10_000):04}"
        if self.has("user codes with small letters"):
            return secrets.token_hex(4) + "-" + secrets.token_hex(2)
        code = "".join(secrets.choice(LETTERS) for _ in range(8))
        return f"{code[:4]}-{code[4:]}"

    def token(self, request: web.Request, pairs: Form) -> dict[str, Any]:
        form = dict(pairs)
        if form.get("grant_type") == "password" and self.has("a password grant"):
            return {"access_token": "x", "token_type": "Bearer"}
        if form.get("grant_type") not in (GRANT_TYPE, "refresh_token"):
            wrong = "invalid_grant" if self.has("grant types") else "unsupported_grant_type"
            raise OAuthRefusal(wrong)
        client_id = self.client_of(request, form)
        jkt = self.jkt_of(request)
        if form["grant_type"] == "refresh_token":
            return self.refresh(client_id, form, jkt)
        if "device_code" not in form:
            wrong = "invalid_grant" if self.has("a missing device_code") else "invalid_request"
            raise OAuthRefusal(wrong)
        grant = self.grants.get(form["device_code"])
        if grant is None:
            wrong = "authorization_pending" if self.has("unknown codes wait") else "invalid_grant"
            raise OAuthRefusal(wrong)
        is_open = self.has("codes of all clients") or self.has("codes of anybody")
        if grant.client_id != client_id and not is_open:
            if self.has("another client ends a code"):
                grant.state = "redeemed"
            raise OAuthRefusal("invalid_grant")
        if grant.state == "approved":
            grant.jkt = jkt
        return self.poll(request, grant, form)

    def jkt_of(self, request: web.Request, access_token: str = "") -> str:
        url = f"{self.issuer}{request.path}"
        return self.proofs.jkt(
            request.headers.getall("DPoP", []), request.method, url, access_token
        )

    def poll(self, request: web.Request, grant: OneGrant, form: dict[str, str]) -> dict[str, Any]:
        if self.clock() >= grant.expires_at and not self.has("codes without an end"):
            raise OAuthRefusal("expired_token")
        if self.clock() < grant.heard_at:
            self.pace(request, grant)
            raise OAuthRefusal("authorization_pending")
        if grant.state == "denied":
            if self.has("a denial that does not hold"):
                grant.state = "approved"
            wrong = "authorization_pending" if self.has("a silent denial") else "access_denied"
            raise OAuthRefusal(wrong)
        if grant.state == "approved" and not self.has("approved tokens wait"):
            return self.redeem(grant, form)
        if grant.state == "redeemed":
            return self.repeat(grant, form)
        self.pace(request, grant)
        if grant.state == "approved":
            return self.redeem(grant, form)
        wrong = "slow" if self.has("another word for pending") else "authorization_pending"
        raise OAuthRefusal(wrong)

    def pace(self, request: web.Request, grant: OneGrant) -> None:
        """Raise slow_down if it is too soon."""
        if self.has("no slow_down"):
            return
        last, now = grant.last_poll, self.clock()
        if self.has("one pace for all"):
            last, self.last_poll = self.last_poll, now
        if self.has("pace by connection"):
            assert request.transport is not None
            peer = request.transport.get_extra_info("peername")
            seen = self.seen_from.setdefault(peer, set())
            last = last if grant.device_code in seen else None
            seen.add(grant.device_code)
        if self.has("no free poll") and last is None:
            last = now
        grant.last_poll = now
        if self.has("an interval that is longer than told") and last is not None:
            last += INTERVAL_S
        if last is None or now - last >= grant.interval:
            return
        is_behind = now - last >= grant.interval - SLOWER_S > INTERVAL_S
        if is_behind and not self.has("a pace that runs away"):
            raise OAuthRefusal("slow_down", interval=str(int(grant.interval)))
        grant.interval += 60 if self.has("slow_down adds a minute") else SLOWER_S
        grant.interval = min(grant.interval, 1e9 if self.has("slow_down without end") else 60)
        is_wrong = self.has("slow_down adds a minute") or self.has("an old interval is told")
        told = INTERVAL_S if is_wrong else grant.interval
        raise OAuthRefusal("slow_down", interval=str(int(told)))

    def redeem(self, grant: OneGrant, form: dict[str, str]) -> dict[str, Any]:
        grant.state = "redeemed"
        if self.has("an approval without tokens"):
            raise OAuthRefusal("invalid_grant")
        scope = grant.scope
        if self.has("scope of the poll"):
            scope = form.get("scope", scope)
        grant.scope = scope
        grant.tokens = self.tokens_of(grant)
        return grant.tokens

    def repeat(self, grant: OneGrant, form: dict[str, str]) -> dict[str, Any]:
        if self.has("tokens again and again"):
            return self.redeem(grant, form)
        if grant.is_used and not self.has("repeated after use"):
            raise OAuthRefusal("invalid_grant")
        return grant.tokens

    def tokens_of(self, grant: OneGrant) -> dict[str, Any]:
        subject = Granted(grant.client_id, grant.scope, grant.jkt)
        answer = token_answer(self.has, self.issuer, int(self.clock()), subject)
        self.refresh_tokens[answer["refresh_token"]] = grant
        self.access_tokens[answer["access_token"]] = grant
        return answer

    def refresh(self, client_id: str, form: dict[str, str], jkt: str) -> dict[str, Any]:
        token = form.get("refresh_token", "")
        if self.has("codes are refresh tokens") and token in self.grants:
            return self.tokens_of(self.grants[token])
        grant = self.refresh_tokens.get(token)
        if grant is None and self.has("old refresh tokens"):
            grant = self.old_tokens.get(token)
        if grant is None:
            wrong = "server_error" if self.has("unknown refresh tokens") else "invalid_grant"
            raise OAuthRefusal(wrong)
        if grant.client_id != client_id and not self.has("refresh tokens of all clients"):
            raise OAuthRefusal("invalid_grant")
        if grant.jkt != jkt and not self.has("a refresh without its key"):
            raise OAuthRefusal("invalid_grant")
        if self.has("no refresh"):
            raise OAuthRefusal("invalid_grant")
        scope = form.get("scope", grant.scope)
        if {*scope.split()} - {*grant.scope.split()} and not self.has("a refresh that widens"):
            raise OAuthRefusal("invalid_scope")
        grant.is_used = True
        grant.scope = scope
        self.refresh_tokens.pop(token, None)
        self.old_tokens[token] = grant
        return self.tokens_of(grant)

    def revoke(self, request: web.Request, pairs: Form) -> dict[str, Any]:
        form = dict(pairs)
        self.client_of(request, form)
        token = form.get("token", "")
        if token not in self.refresh_tokens and self.has("unknown tokens at revocation"):
            raise OAuthRefusal("invalid_request")
        if form.get("token_type_hint") == "access_token" and self.has("the hint is believed"):
            return {}
        if not self.has("no revocation"):
            self.refresh_tokens.pop(token, None)
        return {}

    def introspect(self, request: web.Request, pairs: Form) -> dict[str, Any]:
        if not self.has("introspection by anybody"):
            self.client_of(request, dict(pairs))
        return {"active": dict(pairs).get("token") in self.access_tokens}

    async def userinfo(self, request: web.Request) -> web.Response:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if self.has("tokens in the address"):
            token = token or request.query.get("access_token", "")
        if not token:
            headers = {"WWW-Authenticate": "Bearer"}
            if self.has("no Bearer challenge"):
                headers = {}
            if self.has("an error without a token"):
                headers = {"WWW-Authenticate": 'Bearer error="invalid_token"'}
            return web.Response(status=401, headers=headers)
        if token not in self.access_tokens:
            headers = {"WWW-Authenticate": 'Bearer error="invalid_token"'}
            status = 400 if self.has("garbage is a bad request") else 401
            return web.Response(status=status, headers=headers)
        if not self.is_shown_rightly(request, scheme, token):
            headers = {"WWW-Authenticate": 'DPoP error="invalid_token"'}
            return web.Response(status=401, headers=headers)
        return web.json_response({} if self.has("userinfo without sub") else {"sub": "ada"})

    def is_shown_rightly(self, request: web.Request, scheme: str, token: str) -> bool:
        """Whether a bound token comes with a proof of its key (RFC 9449 7)."""
        bound_to = self.access_tokens[token].jkt
        if scheme != "DPoP":
            return not bound_to or self.has("bound tokens as Bearer")
        try:
            return self.jkt_of(request, token) == bound_to or self.has("no proof at userinfo")
        except WrongProof:
            return False
