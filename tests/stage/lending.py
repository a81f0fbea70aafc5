"""What is alive at a server, lent to generated requests: credentials, codes and tokens.

Of what schemathesis makes up, nothing gets past the first door. A `Lender` puts known clients
into three of four forms and live codes and tokens into fields that are there, learns new ones from
the answers, and has a person decide about the grants. It looks at the wire only, from outside.
"""

import asyncio
import re
import time
from base64 import b64encode
from collections import defaultdict, deque
from collections.abc import Callable, Coroutine, Sequence
from itertools import count, cycle
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, quote_plus, urlsplit

from schemathesis import Case, Response
from schemathesis.core.parameters import ParameterLocation

from tests.stage.clock import Clock
from tests.stage.proving import API, INITIAL, KEY, SECRET, Holder, s256

FORM = "application/x-www-form-urlencoded"
SCOPE = r"[\x21\x23-\x5b\x5d-\x7e]+( [\x21\x23-\x5b\x5d-\x7e]+)*"
NAME = r"[^\x00-\x20\x7f]([^\x00-\x1f\x7f]{0,38}[^\x00-\x20\x7f])?"
SIGNED = "application/token-introspection+jwt"
BASIC, POST, NONE, GUESS = "client_secret_basic", "client_secret_post", "none", "guess"


class Known(NamedTuple):
    """A client of the settings, and how it authenticates."""

    client_id: str
    method: str = NONE
    dpop: bool = False


class Lent(NamedTuple):
    """A code or token, and whose it is."""

    value: str
    client: Known


TV = Known("tv")
DEVICES = (
    TV,
    Known("console", BASIC),
    Known("box", POST),
    Known("opaque"),
    Known("bound", dpop=True),
    Known("apis"),
    Known("brief"),
    Known("guessed", GUESS),
)
SERVERS = (Known("rs", POST), Known("rs-basic", BASIC), Known("console", BASIC), TV)
BY_ID = {client.client_id: client for client in (*DEVICES, *SERVERS)}

SCOPES = ("openid profile offline_access", "openid email offline_access", "profile")
PATTERNED = ("scope", "dpop_jkt", "code_challenge", "code_challenge_method", "code_verifier")
FIELDS = ("device_code", "refresh_token", "token")
JWKS = {"keys": [KEY.as_dict(private=False)]}

Decide = Callable[[str], Coroutine[Any, Any, object]]


class Lender:
    """Hooks of schemathesis. `decisions`: what people do about one grant after the other."""

    def __init__(
        self,
        url: str,
        clock: Clock,
        decisions: Sequence[Decide | None],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._url = url
        self._holder = Holder(clock)
        self._decisions = cycle(decisions)
        self._loop = loop
        self._turns = cycle((True, True, True, False))
        self._devices, self._servers = cycle(DEVICES), cycle(SERVERS)
        self._scopes, self._accepts = cycle(SCOPES), cycle(("*/*", SIGNED))
        self._pools: dict[str, deque[Lent]] = defaultdict(lambda: deque(maxlen=12))
        self._registered: dict[str, str] = {}
        self._alive: dict[str, None] = {}
        self._secrets: dict[str, str] = {}
        self._names = count()

    # Before a request

    def lend(self, case: Case[Any]) -> None:
        """Make a request worth while."""
        if case.operation.path == "/oauth2/gateway":
            self._lend_to_gateway(case)
        if not isinstance(case.body, dict):
            return
        body: dict[str, Any] = dict(case.body)
        if case.media_type == FORM:
            self._lend_to_form(case, body)
        elif case.operation.path.startswith("/oauth2/register"):
            self._lend_to_registration(case, body)

    def _lend_to_gateway(self, case: Case[Any]) -> None:
        """Require nothing: no scope that is made up is one that a token has."""
        is_bad = case.meta is not None and case.meta.is_negative_at(ParameterLocation.QUERY)
        if not is_bad and next(self._turns):
            case.query = {}

    def _lend_to_form(self, case: Case[Any], body: dict[str, Any]) -> None:
        is_bad = case.meta is not None and case.meta.is_negative_at(ParameterLocation.BODY)
        # RFC 6749 3.2: without a value it would not be bad, it would not be there.
        body |= {name: " " for name in PATTERNED if is_bad and body.get(name) == ""}
        case.body = body
        client = self._owner(body)
        if client is None and not next(self._turns):
            return
        if client is None:
            client = self._lend_to_fields(body, is_last=case.operation.path == "/oauth2/revoke")
        asks = case.operation.path == "/oauth2/introspect"
        if asks:
            client = next(self._servers)
            case.headers["Accept"] = next(self._accepts)
        client = client or next(self._devices)
        self._ask_for_what_there_is(body, client)
        self._authenticate(case, body, client)
        case.body = body

    def _ask_for_what_there_is(self, body: dict[str, Any], client: Known) -> None:
        if re.fullmatch(SCOPE, str(body.get("scope", ""))):
            body["scope"] = next(self._scopes)
        if "resource" in body and client.client_id == "apis":
            body["resource"] = [API]
        elif body.get("resource"):
            del body["resource"]

    def _owner(self, body: dict[str, Any]) -> Known | None:
        """Whose the code or token in a form is that followed a link."""
        values = {body.get(name) for name in FIELDS if isinstance(body.get(name), str)}
        lent = (each for pool in self._pools.values() for each in pool)
        return next((each.client for each in lent if each.value in values), None)

    def _lend_to_fields(self, body: dict[str, Any], *, is_last: bool) -> Known | None:
        for name in FIELDS:
            pool = self._pools["access_token" if name == "token" else name]
            if isinstance(body.get(name), str) and pool:
                pool.rotate(-1)
                lent = pool.pop() if is_last else pool[-1]
                body[name] = lent.value
                return lent.client
        return None

    def _authenticate(self, case: Case[Any], body: dict[str, Any], client: Known) -> None:
        for name in ("client_secret", "client_assertion", "client_assertion_type"):
            body.pop(name, None)
        case.headers.pop("Authorization", None)
        case.headers.pop("DPoP", None)
        body["client_id"] = client.client_id
        if client.method == BASIC:
            pair = f"{quote_plus(client.client_id)}:{quote_plus(SECRET)}"
            case.headers["Authorization"] = f"Basic {b64encode(pair.encode()).decode()}"
        elif client.method != NONE:
            body["client_secret"] = SECRET if client.method == POST else "a guess"
        if client.dpop:
            case.headers["DPoP"] = self._proof(case)

    def _lend_to_registration(self, case: Case[Any], body: dict[str, Any]) -> None:
        """Keys that are good, the client_id of the address, the secret that belongs to it.

        And a name that no other client has: a schema cannot say that, nor what cannot be seen.
        """
        jwks, client_id = body.get("jwks"), case.path_parameters.get("client_id")
        if isinstance(jwks, dict) and jwks.get("keys"):
            body["jwks"] = JWKS
        if re.fullmatch(NAME, str(body.get("client_name", "") or "")):
            body["client_name"] = f"Radio {next(self._names)}"
        if client_id is not None:
            own = {"client_id": client_id, "client_secret": self._secrets.get(str(client_id))}
            body |= {name: own[name] for name in own if isinstance(body.get(name), str)}
        case.body = body

    def _proof(self, case: Case[Any], token: str = "") -> str:
        url = self._url + urlsplit(case.formatted_path).path
        claims: dict[str, Any] = {"htu": url, "iat": int(time.time())}
        if token:
            claims["ath"] = s256(token)
        if not next(self._turns):
            claims["nonce"] = "an old one"
        return self._holder.proof(method=case.method, **claims)

    # Bearer tokens

    def authorization(self, case: Case[Any]) -> str | None:
        """The Authorization header for `case`, None to leave it as it is."""
        path = case.operation.path
        if path == "/oauth2/register":
            return f"Bearer {INITIAL}"
        if path.startswith("/oauth2/register/"):
            return self._manage(case)
        pool = self._pools["access_token"]
        if path not in {"/oauth2/userinfo", "/oauth2/gateway"} or not pool or not next(self._turns):
            return None
        pool.rotate(-1)
        return f"{'DPoP' if pool[0].client.dpop else 'Bearer'} {pool[0].value}"

    def authorize(self, case: Case[Any], header: str) -> None:
        """Put it there, with the proof that it may need."""
        case.headers["Authorization"] = header
        scheme, _, token = header.partition(" ")
        if scheme == "DPoP":
            case.headers["DPoP"] = self._proof(case, token)

    def _manage(self, case: Case[Any]) -> str | None:
        named = str(case.path_parameters.get("client_id"))
        if named not in self._registered:
            if not self._alive or not next(self._turns):
                return None
            named = next(reversed(self._alive))
            case.path_parameters["client_id"] = named
        return f"Bearer {self._registered[named]}"

    # After an answer

    def learn(self, case: Case[Any], response: Response) -> None:
        """Keep what is alive; let a person decide."""
        nonce = response.headers.get("dpop-nonce")
        if nonce:
            self._holder.nonce = nonce[0]
        path, status = case.operation.path, response.status_code
        if path.startswith("/oauth2/register"):
            self._learn_registration(case, response)
        elif status == 401 and path == "/oauth2/userinfo":
            self._forget(str(response.request.headers.get("Authorization")))
        elif status == 200 and path == "/oauth2/device_authorization":
            self._learn_grant(_client_of(response), response.json())
        elif status == 200 and path == "/oauth2/token":
            for name in ("access_token", "refresh_token"):
                if name in response.json():
                    self._pools[name].appendleft(Lent(response.json()[name], _client_of(response)))

    def _forget(self, header: str) -> None:
        """A token that is of no use any more."""
        pool = self._pools["access_token"]
        for dead in [lent for lent in pool if header.endswith(lent.value)]:
            pool.remove(dead)

    def _learn_grant(self, client: Known, grant: dict[str, Any]) -> None:
        self._pools["device_code"].appendleft(Lent(grant["device_code"], client))
        decide = next(self._decisions)
        if decide is not None and client.client_id != "brief":
            deciding = decide(grant["user_code"])
            asyncio.run_coroutine_threadsafe(deciding, self._loop).result(10)

    def _learn_registration(self, case: Case[Any], response: Response) -> None:
        if response.status_code in {200, 201}:
            body = response.json()
            self._registered[body["client_id"]] = body["registration_access_token"]
            self._alive[body["client_id"]] = None
            if "client_secret" in body:
                self._secrets[body["client_id"]] = body["client_secret"]
            elif not body["token_endpoint_auth_method"].startswith("client_secret"):
                self._secrets.pop(body["client_id"], None)
        elif response.status_code == 204:
            # The token is kept, for a look at what should not be there any more.
            self._alive.pop(str(case.path_parameters["client_id"]), None)


def _client_of(response: Response) -> Known:
    """Whom the request was for."""
    body = response.request.body
    text = body.decode() if isinstance(body, bytes) else str(body)
    client_id = dict(parse_qsl(text)).get("client_id", "")
    return BY_ID.get(client_id, Known(client_id))
