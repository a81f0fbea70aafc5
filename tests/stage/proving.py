"""What a device or a resource server holds: keys, DPoP proofs and client assertions.

`Surface` speaks to the endpoints beside the token endpoint; its answers may have no body.
"""

import json
import secrets
from base64 import urlsafe_b64encode
from hashlib import sha256
from typing import Any

import msgspec
from joserfc import jws
from joserfc.jwk import ECKey

from deviceflow.config import Registration, Settings
from deviceflow.core.assertion import TYPE
from deviceflow.core.client import Client
from deviceflow.core.messages import DEVICE_CODE_GRANT
from tests.stage.clock import Clock
from tests.stage.oauth import Answer, People, Worker

ISSUER = "http://127.0.0.1:8628"
AUTHORIZE = "/oauth2/device_authorization"
TOKEN = "/oauth2/token"
INTROSPECT = "/oauth2/introspect"
REVOKE = "/oauth2/revoke"
USERINFO = "/oauth2/userinfo"
REGISTER = "/oauth2/register"
API = "https://api.example.com"
FILES = "https://files.example.com/v1"
INITIAL = "the initial access token"
SECRET = "a resource server's secret"
VERIFIER = "v" * 43
INACTIVE = {"active": False}
SUBJECT_DN = "CN=box-17,O=Example"
DN_HEADER = "X-SSL-Client-S-DN"

KEY = ECKey.generate_key("P-256", auto_kid=True)
OTHER_KEY = ECKey.generate_key("P-256", auto_kid=True)


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def _secret(client_id: str, **more: Any) -> Client:  # noqa: ANN401, fields of any type
    return Client(
        client_id=client_id,
        name=client_id,
        auth_method="client_secret_post",
        secret_sha256=(_digest(SECRET),),
        **more,
    )


CLIENTS = (
    Client(
        client_id="asserting",
        name="Signs",
        scopes=("profile",),
        auth_method="private_key_jwt",
        jwks={"keys": [OTHER_KEY.as_dict(private=False), KEY.as_dict(private=False)]},
        introspect=True,
    ),
    Client(
        client_id="tls",
        name="Has a certificate",
        scopes=("profile",),
        auth_method="tls_client_auth",
        tls_client_auth_subject_dn=SUBJECT_DN,
    ),
    Client(client_id="pkce", name="Always PKCE", scopes=("profile",), pkce="required"),
    Client(
        client_id="dpop", name="Always DPoP", scopes=("openid", "offline_access"), dpop="required"
    ),
    Client(
        client_id="apis",
        name="For two APIs",
        scopes=("profile", "offline_access"),
        resources=(API, FILES),
    ),
    Client(
        client_id="opaque",
        name="Opaque",
        scopes=("openid", "profile", "email", "offline_access"),
        token_format="opaque",
    ),
    _secret("rs", introspect=True),
    _secret("rs-api", introspect=True, audience=API),
    _secret("rs-else", introspect=True, resources=("https://else.example.com",)),
    _secret("no-rs", scopes=("profile",)),
)


def with_surface(settings: Settings) -> Settings:
    """`settings` with the clients of these tests, and with registration."""
    registration = Registration(enabled=True, initial_access_token_sha256=(_digest(INITIAL),))
    clients = (*settings.clients, *CLIENTS)
    return msgspec.structs.replace(settings, clients=clients, registration=registration)


def with_certificates(settings: Settings) -> Settings:
    """`settings` that believe what the peer says of a certificate that it has verified."""
    server = msgspec.structs.replace(
        settings.server, trusted_proxies=("127.0.0.1/32",), client_certificate_header=DN_HEADER
    )
    return msgspec.structs.replace(settings, server=server)


def s256(text: str) -> str:
    """The SHA-256 in base64url, as PKCE and `ath` have it."""
    return _base64(sha256(text.encode()).digest())


def claims_of(token: str) -> dict[str, Any]:
    """What a token says; whether it is signed is not asked."""
    return dict(msgspec.json.decode(jws.extract_compact(token.encode()).payload))


class Holder:
    """Whoever holds a key: signs proofs of it and remembers the server's last nonce."""

    def __init__(self, clock: Clock, key: ECKey = KEY) -> None:
        self.clock = clock
        self.key = key
        self.nonce = ""

    @property
    def jkt(self) -> str:
        return self.key.thumbprint()

    def proof(
        self,
        path: str = TOKEN,
        *,
        method: str = "POST",
        header: dict[str, Any] | None = None,
        drop: str = "",
        **claims: Any,  # noqa: ANN401, claims of any type
    ) -> str:
        """A proof for a request to `path`; `header` and `claims` change or add members."""
        content = {
            "jti": secrets.token_hex(8),
            "htm": method,
            "htu": ISSUER + path,
            "iat": int(self.clock()),
            "nonce": self.nonce,
        } | claims
        content.pop(drop, None)
        public = self.key.as_dict(private=False)
        head = {"typ": "dpop+jwt", "alg": "ES256", "jwk": public} | (header or {})
        return sign(head, content, self.key)

    async def learn_nonce(self, worker: Worker) -> None:
        """Ask without a nonce, and keep the one that comes."""
        form = {"client_id": "tv-app", "grant_type": "refresh_token", "refresh_token": "x"}
        answer = await worker.post(TOKEN, form, headers={"DPoP": self.proof(drop="nonce")})
        assert answer.outcome == (400, "use_dpop_nonce")
        self.nonce = answer.headers["DPoP-Nonce"]

    async def poll(
        self,
        worker: Worker,
        device_code: str,
        client_id: str = "tv-app",
        **changes: Any,  # noqa: ANN401, claims of any type
    ) -> Answer:
        """A poll with a proof, which `changes` may spoil (see `proof`)."""
        form = {"grant_type": DEVICE_CODE_GRANT, "device_code": device_code}
        headers = {"DPoP": self.proof(**changes)}
        return await worker.post(TOKEN, form | {"client_id": client_id}, headers=headers)

    async def refresh(self, worker: Worker, token: str, client_id: str = "tv-app") -> Answer:
        form = {"grant_type": "refresh_token", "refresh_token": token, "client_id": client_id}
        return await worker.post(TOKEN, form, headers={"DPoP": self.proof()})


async def bound(worker: Worker, people: People, holder: Holder) -> dict[str, Any]:
    """Return the tokens of a device that sent a proof with its poll."""
    grant = await worker.authorize()
    await people.approve(grant.body["user_code"])
    answer = await holder.poll(worker, grant.body["device_code"])
    assert answer.status == 200, answer.body
    return answer.body


def sign(header: dict[str, Any], content: dict[str, Any] | str, key: ECKey) -> str:
    """A JWS that ES256 signed, whatever the header says; `content` may be JSON already."""
    payload = content if isinstance(content, str) else json.dumps(content)
    signed = f"{_base64(json.dumps(header))}.{_base64(payload)}"
    algorithm = jws.JWSRegistry(algorithms=["ES256"]).get_alg("ES256")
    return f"{signed}.{_base64(algorithm.sign(signed.encode(), key))}"


def _base64(part: str | bytes) -> str:
    raw = part.encode() if isinstance(part, str) else part
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def assertion(
    clock: Clock,
    *,
    key: ECKey = KEY,
    header: dict[str, Any] | None = None,
    drop: str = "",
    **claims: Any,  # noqa: ANN401, claims of any type
) -> dict[str, str]:
    """The form fields of private_key_jwt; `header` and `claims` change or add members."""
    content = {
        "iss": "asserting",
        "sub": "asserting",
        "aud": ISSUER,
        "exp": int(clock()) + 60,
        "jti": secrets.token_hex(8),
    } | claims
    content.pop(drop, None)
    text = sign({"alg": "ES256"} | (header or {}), content, key)
    return {"client_assertion_type": TYPE, "client_assertion": text}


async def tokens(
    worker: Worker, people: People, client_id: str = "tv-app", **parameters: str
) -> dict[str, Any]:
    """The tokens of a device of a public client that Ada has approved."""
    grant = await worker.authorize(client_id, **parameters)
    assert grant.status == 200, grant.body
    await people.approve(grant.body["user_code"])
    answer = await worker.poll(grant.body["device_code"], client_id)
    assert answer.status == 200, answer.body
    return answer.body


async def introspect(
    worker: Worker, token: str, client_id: str = "rs", **parameters: str
) -> dict[str, Any]:
    """What a resource server is told."""
    form = {"client_id": client_id, "client_secret": SECRET, "token": token} | parameters
    answer = await worker.post(INTROSPECT, form)
    assert answer.status == 200, answer.body
    return answer.body


async def revoke(worker: Worker, token: str, client_id: str = "tv-app", **parameters: str) -> None:
    """Revoke a token of a public client; the answer is 200 whatever it is (RFC 7009 2.2)."""
    form = {"client_id": client_id, "token": token} | parameters
    async with worker.client.post(REVOKE, data=form) as response:
        assert response.status == 200
        assert response.headers["Cache-Control"] == "no-store"
        assert await response.read() == b""


async def userinfo(
    worker: Worker,
    authorization: str = "",
    *,
    method: str = "GET",
    **options: Any,  # noqa: ANN401
) -> Answer:
    """An answer of the userinfo endpoint; a bare challenge has no body."""
    headers = options.pop("headers", {})
    if authorization:
        headers = headers | {"Authorization": authorization}
    async with worker.client.request(method, USERINFO, headers=headers, **options) as response:
        text = await response.text()
        assert response.headers["Cache-Control"] == "no-store"
        return Answer(response.status, response.headers, json.loads(text) if text else {})
