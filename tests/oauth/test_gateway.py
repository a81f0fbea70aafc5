"""GET /oauth2/gateway: which requests a proxy lets through (RFC 6750 3, RFC 9449 7)."""

import json
from typing import Any

import msgspec
import pytest

from deviceflow.config import Settings
from deviceflow.core.claims import ACCESS_TOKEN_TYPE, Claims
from deviceflow.oauth.gateway import FACTS, METHODS, facts
from tests.stage.clock import Clock
from tests.stage.oauth import Answer, People, Stage, Worker
from tests.stage.proving import (
    API,
    FILES,
    Holder,
    bound,
    claims_of,
    revoke,
    s256,
    tokens,
    with_surface,
)

GATEWAY = "/oauth2/gateway"
INVALID_TOKEN = (401, "invalid_token")
INVALID_REQUEST = (400, "invalid_request")
OF_API = f"resource={API}"
FORWARDED = {
    "X-Forwarded-Method": "PUT",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "api.example.com",
    "X-Forwarded-Uri": "/readings/1?unit=C",
}
HTU = "https://api.example.com/readings/1"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    settings = with_surface(settings)
    server = msgspec.structs.replace(settings.server, trusted_proxies=("127.0.0.1/32",))
    return msgspec.structs.replace(settings, server=server)


async def ask(
    worker: Worker,
    authorization: str = "",
    query: str = "",
    *,
    method: str = "GET",
    path: str = "",
    headers: dict[str, str] | None = None,
) -> Answer:
    """Ask as a proxy does. `path`: what Envoy appends, in place of `query`."""
    address = GATEWAY + (path or (f"?{query}" if query else ""))
    sent = dict(headers or {}) | ({"Authorization": authorization} if authorization else {})
    async with worker.client.request(method, address, headers=sent) as response:
        text = await response.text()
        assert response.headers["Cache-Control"] == "no-store"
        assert "Access-Control-Allow-Origin" not in response.headers
        answer = Answer(response.status, response.headers, json.loads(text) if text else {})
    described = f"{GATEWAY}/any/path" if path else GATEWAY
    worker.described.check(method, described, *answer.outcome)
    return answer


@pytest.mark.parametrize("client_id", ["tv-app", "opaque"])
async def test_a_good_token(worker: Worker, people: People, client_id: str) -> None:
    """The facts, of a JWT and of an opaque token. Without `resource`, it is for the issuer."""
    body = await tokens(worker, people, client_id, scope="openid profile")
    answer = await ask(worker, f"Bearer {body['access_token']}", "scope=profile")
    assert answer.status == 204
    told = {name: answer.headers[name] for name in FACTS}
    expires_at = int(told.pop("X-Token-Expires-At"))
    assert expires_at == int(worker.parts.clock()) + body["expires_in"]
    assert told == {
        "X-Token-Subject": "sub-ada",
        "X-Token-Client-Id": client_id,
        "X-Token-Scope": "openid profile",
        "X-Token-Audience": "http://127.0.0.1:8628",
    }


async def test_the_api_of_the_proxy(worker: Worker, people: People) -> None:
    """9068-4: a token for one API is no token for another, nor for the server itself."""
    one = (await tokens(worker, people, "apis", resource=FILES))["access_token"]
    claims = claims_of(one) | {"aud": [API, FILES]}
    both = worker.parts.signer.sign(claims, ACCESS_TOKEN_TYPE)
    answer = await ask(worker, f"Bearer {both}", OF_API)
    assert (answer.status, answer.headers["X-Token-Audience"]) == (204, f"{API} {FILES}")
    assert (await ask(worker, f"Bearer {one}", OF_API)).outcome == INVALID_TOKEN
    assert (await ask(worker, f"Bearer {one}")).outcome == INVALID_TOKEN
    assert (await ask(worker, f"Bearer {one}", f"{OF_API}&resource={FILES}")).status == 204
    here = (await tokens(worker, people))["access_token"]
    assert (await ask(worker, f"Bearer {here}", OF_API)).outcome == INVALID_TOKEN


@pytest.mark.parametrize("query", ["scope=profile+email", "scope=profile&scope=email"])
async def test_a_scope_that_is_not_enough(worker: Worker, people: People, query: str) -> None:
    """6750-3.1-a: 403, with the scope that is needed. All of it is."""
    token = (await tokens(worker, people, scope="openid profile"))["access_token"]
    answer = await ask(worker, f"Bearer {token}", query)
    assert answer.outcome == (403, "insufficient_scope")
    expected = 'Bearer realm="deviceflow", error="insufficient_scope", scope="profile email"'
    assert answer.headers["WWW-Authenticate"] == expected
    assert not FACTS.keys() & answer.headers.keys()


@pytest.mark.parametrize("authorization", ["", "Basic eDp5", "Bearer", "Token x"])
async def test_no_token(worker: Worker, authorization: str) -> None:
    """6750-3-a: a challenge without an error code."""
    answer = await ask(worker, authorization, "scope=profile")
    assert (answer.status, answer.body) == (401, {})
    assert answer.headers["WWW-Authenticate"].startswith('Bearer realm="deviceflow", DPoP ')
    assert "error" not in answer.headers["WWW-Authenticate"]


@pytest.mark.parametrize("token", ["x", "a.b.c", "dfa_" + "A" * 43, "dfa_é"])
async def test_garbage(worker: Worker, token: str) -> None:
    answer = await ask(worker, f"Bearer {token}")
    assert answer.outcome == INVALID_TOKEN
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="deviceflow", error="invalid_token"'


async def test_other_kinds_of_tokens(worker: Worker, people: People) -> None:
    """9068-4-a."""
    body = await tokens(worker, people)
    for token in (body["id_token"], body["refresh_token"]):
        assert (await ask(worker, f"Bearer {token}")).outcome == INVALID_TOKEN


@pytest.mark.parametrize("client_id", ["tv-app", "opaque"])
async def test_an_end_is_seen_at_once(
    worker: Worker, people: People, clock: Clock, client_id: str
) -> None:
    """Expired, revoked, and of a person who was disabled."""
    body = await tokens(worker, people, client_id)
    clock.advance(body["expires_in"])
    assert (await ask(worker, f"Bearer {body['access_token']}")).outcome == INVALID_TOKEN

    token = (await tokens(worker, people, client_id))["access_token"]
    assert (await ask(worker, f"Bearer {token}")).status == 204
    await revoke(worker, token, client_id)
    assert (await ask(worker, f"Bearer {token}")).outcome == INVALID_TOKEN

    token = (await tokens(worker, people, client_id))["access_token"]
    account = await people.users.find("ada")
    assert account is not None
    await people.users.put(msgspec.structs.replace(account, disabled=True))
    assert (await ask(worker, f"Bearer {token}")).outcome == INVALID_TOKEN


@pytest.mark.parametrize(
    "query",
    [
        "scopes=profile",
        "scope=",
        "scope",
        "scope=+",
        "resource=",
        'scope="',
        "scope=%C3%A9",
        "scope=%FF",
        "scope=a%0D%0AX:y",
        "scope=profile&access_token=x",
        f"{OF_API}&required=yes",
    ],
)
async def test_a_mistake_of_the_proxy_lets_nothing_through(
    worker: Worker, people: People, query: str
) -> None:
    """A misspelt name or an unset variable would otherwise require nothing."""
    token = (await tokens(worker, people))["access_token"]
    assert (await ask(worker, f"Bearer {token}", query)).outcome == INVALID_REQUEST


@pytest.mark.parametrize("method", METHODS)
async def test_envoy_appends_the_path(worker: Worker, people: People, method: str) -> None:
    """What the client's own query says is no requirement. Envoy takes only 200 for a yes."""
    token = (await tokens(worker, people, scope="openid profile"))["access_token"]
    bearer = f"Bearer {token}"
    for appended in ("/", "/a/b?scope=other&resource=x", "/oauth2/gateway/scope=x/y"):
        for required, status in (("scope=profile", 200), ("scope=email", 403), ("email", 400)):
            path = f"/{required}{appended}"
            answer = await ask(worker, bearer, method=method, path=path)
            assert answer.status == status, path
    assert (await ask(worker, method=method, path="/scope=profile/")).status == 401
    resource = "/resource=https%3A%2F%2Fapi.example.com/"
    assert (await ask(worker, bearer, method=method, path=resource)).status == 401


async def test_a_bound_token(worker: Worker, people: People, holder: Holder, thief: Holder) -> None:
    """9449-7.1-a: its proof is of the request that the client sent to the proxy."""
    token = (await bound(worker, people, holder))["access_token"]

    async def outcome(proof: str, scheme: str = "DPoP", **changes: str) -> tuple[int, str]:
        headers = FORWARDED | {"DPoP": proof} | changes
        return (await ask(worker, f"{scheme} {token}", headers=headers)).outcome

    def proof(holder: Holder = holder, **changes: Any) -> str:  # noqa: ANN401, claims of any type
        return holder.proof(**({"method": "PUT", "htu": HTU, "ath": s256(token)} | changes))

    assert await outcome(used := proof()) == (204, "")
    assert await outcome(used) == (401, "invalid_dpop_proof")
    assert await outcome(proof(), "Bearer") == INVALID_TOKEN
    assert await outcome(proof(thief)) == INVALID_TOKEN
    assert await outcome(proof(ath="x")) == (401, "invalid_dpop_proof")
    assert await outcome(proof(htu="https://api.example.com/other")) == (401, "invalid_dpop_proof")
    assert await outcome(proof(htm="GET")) == (401, "invalid_dpop_proof")
    other_host = {"X-Forwarded-Host": "other.example.com"}
    assert await outcome(proof(), **other_host) == (401, "invalid_dpop_proof")
    answer = await ask(
        worker, f"DPoP {token}", headers=FORWARDED | {"DPoP": proof(nonce="invented")}
    )
    assert answer.outcome == (401, "use_dpop_nonce")
    assert answer.headers["DPoP-Nonce"] == holder.nonce
    assert answer.headers["WWW-Authenticate"].startswith("DPoP ")


async def test_a_bound_token_by_envoy(worker: Worker, people: People, holder: Holder) -> None:
    token = (await bound(worker, people, holder))["access_token"]
    headers = {
        "Host": "api.example.com",
        "X-Forwarded-Proto": "https",
        "DPoP": holder.proof(method="PUT", htu=HTU, ath=s256(token)),
    }
    path = f"/resource={claims_of(token)['aud'].replace('/', '%2F')}/readings/1?unit=C"
    answer = await ask(worker, f"DPoP {token}", method="PUT", path=path, headers=headers)
    assert (answer.status, answer.headers["X-Token-Subject"]) == (200, "sub-ada")


async def test_a_bound_token_at_an_unknown_address(
    stage: Stage, worker: Worker, people: People, holder: Holder
) -> None:
    """What a stranger says of the address is not believed; the answer says why."""
    token = (await bound(worker, people, holder))["access_token"]
    proof = {"DPoP": holder.proof(method="PUT", htu=HTU, ath=s256(token))}
    server = msgspec.structs.replace(stage.settings.server, trusted_proxies=())
    alone = await stage.start_worker(msgspec.structs.replace(stage.settings, server=server))
    missing = dict(FORWARDED)
    del missing["X-Forwarded-Host"]
    for place, headers in ((alone, FORWARDED), (worker, missing)):
        answer = await ask(place, f"DPoP {token}", headers=headers | proof)
        assert answer.outcome == INVALID_TOKEN
        assert "the request's address is unknown" in answer.headers["WWW-Authenticate"]
        assert "the request's address is unknown" in answer.body["error_description"]
    path = f"/resource={claims_of(token)['aud'].replace('/', '%2F')}/readings/1"
    envoy = {"Host": "api.example.com", "X-Forwarded-Proto": "https"} | proof
    answer = await ask(alone, f"DPoP {token}", method="PUT", path=path, headers=envoy)
    assert answer.outcome == INVALID_TOKEN


def test_a_fact_is_one_line_of_ascii() -> None:
    """No claim can add a header, or a character that programs read differently."""
    claims: Claims = {
        "sub": "Zo\u00eb\r\nX-Admin: 100%",
        "client_id": "tv",
        "scope": "",
        "aud": [API],
        "exp": 1,
    }
    assert facts(claims) == {
        "X-Token-Subject": "Zo%C3%AB%0D%0AX-Admin: 100%25",
        "X-Token-Client-Id": "tv",
        "X-Token-Scope": "",
        "X-Token-Audience": API,
        "X-Token-Expires-At": "1",
    }
