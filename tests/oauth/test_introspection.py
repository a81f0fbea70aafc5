"""POST /oauth2/introspect (RFC 7662, RFC 9701)."""

from typing import Any

import msgspec
import pytest
from joserfc import jws, jwt
from joserfc.jwk import KeySet

from deviceflow.config import Settings
from deviceflow.core.claims import Subject
from deviceflow.signing.keys import is_usable, new_key
from deviceflow.store.connection import Connection
from deviceflow.store.signing_keys import SigningKeys
from tests.oauth.clients.test_authentication import basic
from tests.stage.clock import Clock
from tests.stage.oauth import SECRET as CONSOLE_SECRET
from tests.stage.oauth import People, Stage, Worker
from tests.stage.proving import (
    INACTIVE,
    INTROSPECT,
    ISSUER,
    SECRET,
    claims_of,
    introspect,
    revoke,
    tokens,
    with_surface,
)

SIGNED = "application/token-introspection+jwt"
INVALID_CLIENT = (401, "invalid_client")


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return with_surface(settings)


@pytest.mark.parametrize("client_id", ["tv-app", "opaque"])
async def test_an_access_token(worker: Worker, people: People, client_id: str) -> None:
    """RFC 7662 2.2: the answer is the same for a JWT and an opaque token."""
    body = await tokens(worker, people, client_id, scope="openid profile")
    state = await introspect(worker, body["access_token"])
    assert state.pop("exp") - state.pop("iat") == body["expires_in"]
    assert len(state.pop("jti")) >= 20
    assert state == {
        "active": True,
        "username": "ada",
        "scope": "openid profile",
        "client_id": client_id,
        "sub": "sub-ada",
        "aud": ISSUER,
        "iss": ISSUER,
        "auth_time": 1_700_000_000,
        "amr": ["pwd"],
        "token_type": "Bearer",
    }


@pytest.mark.parametrize("client_id", ["tv-app", "opaque"])
@pytest.mark.parametrize(
    ("amr", "acr", "told"),
    [
        (("pwd", "otp"), "urn:example:two", {"amr": ["pwd", "otp"], "acr": "urn:example:two"}),
        ((), None, {}),
    ],
    ids=["known", "unknown"],
)
async def test_how_sure_we_are_of_the_person(
    worker: Worker,
    people: People,
    monkeypatch: pytest.MonkeyPatch,
    client_id: str,
    amr: tuple[str, ...],
    acr: str | None,
    told: dict[str, Any],
) -> None:
    """RFC 9470 6.2: the claims by which a resource server requires a stronger sign-in."""
    known = people.subject

    async def subject(username: str) -> Subject:
        return msgspec.structs.replace(await known(username), amr=amr, acr=acr)

    monkeypatch.setattr(people, "subject", subject)
    body = await tokens(worker, people, client_id)
    state = await introspect(worker, body["access_token"])
    assert {name: state[name] for name in ("amr", "acr") if name in state} == told


@pytest.mark.parametrize("hint", ["access_token", "refresh_token", "nonsense"])
async def test_a_wrong_hint(worker: Worker, people: People, hint: str) -> None:
    """7662-2.1-b: a wrong hint does not matter."""
    body = await tokens(worker, people)
    for token in (body["access_token"], body["refresh_token"]):
        state = await introspect(worker, token, token_type_hint=hint)
        assert (state["active"], state["sub"]) == (True, "sub-ada")


async def test_nobody_and_a_public_client(worker: Worker, people: People) -> None:
    """7662-2.1-a: 401, with a challenge for a request without credentials or of a public client."""
    token = (await tokens(worker, people))["access_token"]
    for form in ({"token": token}, {"token": token, "client_id": "tv-app"}):
        answer = await worker.post(INTROSPECT, form)
        assert answer.outcome == INVALID_CLIENT
        assert answer.headers["WWW-Authenticate"].startswith("Basic ")
    wrong = {"token": token, "client_id": "rs", "client_secret": "wrong"}
    assert (await worker.post(INTROSPECT, wrong)).outcome == INVALID_CLIENT
    assert (await worker.post(INTROSPECT, wrong | {"client_secret": ""})).outcome == INVALID_CLIENT


async def test_a_client_that_may_not(worker: Worker, people: People) -> None:
    """7662-4-b: a confidential client that is not a resource server."""
    token = (await tokens(worker, people))["access_token"]
    form = {"token": token, "client_id": "no-rs", "client_secret": SECRET}
    assert (await worker.post(INTROSPECT, form)).error == "unauthorized_client"
    headers = {"Authorization": basic("console", CONSOLE_SECRET)}
    answer = await worker.post(INTROSPECT, {"token": token}, headers=headers)
    assert answer.error == "unauthorized_client"


async def test_no_token(worker: Worker) -> None:
    form = {"client_id": "rs", "client_secret": SECRET, "token": ""}
    assert (await worker.post(INTROSPECT, form)).outcome == (400, "invalid_request")


@pytest.mark.parametrize(
    "token", ["x", "a.b.c", "dfa_x", "dfa_é", "A" * 16 + "." + "B" * 43, "e30.e30.", "é", "\x00"]
)
async def test_garbage(worker: Worker, token: str) -> None:
    """7662-2.2-a, 7662-4-a."""
    assert await introspect(worker, token) == INACTIVE


async def test_what_is_no_access_token(worker: Worker, people: People) -> None:
    """7662-2.2-a, 9068-4-a: an ID token, a device code, or a changed token."""
    grant = await worker.authorize()
    body = await tokens(worker, people)
    head, claims, signature = body["access_token"].split(".")
    other = signature[:-4] + ("AAAA" if signature[-4:] != "AAAA" else "BBBB")
    for token in (
        body["id_token"],
        grant.body["device_code"],
        f"{head}.{claims}.{other}",
        f"{head}.{claims}.",
        f"eyJhbGciOiJub25lIn0.{claims}.",
    ):
        assert await introspect(worker, token) == INACTIVE


async def test_signed_by_somebody_else(worker: Worker, people: People) -> None:
    """7662-4-a: a token with the right claims and key id, but signed by another key."""
    token = (await tokens(worker, people))["access_token"]
    async with worker.client.get("/oauth2/jwks") as response:
        key_id = (await response.json())["keys"][0]["kid"]
    forged_by = new_key("ES256", 1)
    key = KeySet.import_key_set({"keys": [forged_by.jwk]}).keys[0]
    header = {"alg": "ES256", "typ": "at+jwt", "kid": key_id}
    forged = jwt.encode(header, claims_of(token), key)
    assert await introspect(worker, forged) == INACTIVE
    assert (await introspect(worker, token))["active"] is True


@pytest.mark.parametrize("client_id", ["tv-app", "opaque"])
async def test_expired(worker: Worker, people: People, clock: Clock, client_id: str) -> None:
    """7662-2.2-a, 7662-4-a."""
    body = await tokens(worker, people, client_id)
    clock.advance(body["expires_in"])
    assert await introspect(worker, body["access_token"]) == INACTIVE


async def test_used_refresh_tokens(worker: Worker, people: People) -> None:
    """7662-4-a: a refresh token is inactive after its successor was used."""
    first = (await tokens(worker, people))["refresh_token"]
    second = (await worker.refresh(first)).body["refresh_token"]
    third = (await worker.refresh(second)).body["refresh_token"]
    assert await introspect(worker, first) == INACTIVE
    assert (await introspect(worker, third))["active"] is True
    name, _, _ = third.partition(".")
    assert await introspect(worker, f"{name}.{'A' * 43}") == INACTIVE


async def test_for_another_resource_server(worker: Worker, people: People) -> None:
    """7662-2.3-a, 7662-4-a: an API learns only about tokens for it, and no refresh tokens."""
    body = await tokens(worker, people)
    for token in (body["access_token"], body["refresh_token"]):
        assert await introspect(worker, token, "rs-api") == INACTIVE


async def test_a_person_who_was_disabled(worker: Worker, people: People) -> None:
    body = await tokens(worker, people)
    account = await people.users.find("ada")
    assert account is not None
    await people.users.put(msgspec.structs.replace(account, disabled=True))
    for token in (body["access_token"], body["refresh_token"]):
        assert await introspect(worker, token) == INACTIVE


async def test_a_client_that_was_disabled(stage: Stage, worker: Worker, people: People) -> None:
    """Its tokens are inactive, also refresh tokens."""
    body = await tokens(worker, people)
    clients = tuple(
        msgspec.structs.replace(client, enabled=client.client_id != "tv-app")
        for client in stage.settings.clients
    )
    changed = await stage.start_worker(msgspec.structs.replace(stage.settings, clients=clients))
    for token in (body["access_token"], body["refresh_token"]):
        assert await introspect(changed, token) == INACTIVE


async def test_revoked(worker: Worker, people: People) -> None:
    """7662-4-a."""
    body = await tokens(worker, people)
    await revoke(worker, body["access_token"])
    for token in (body["access_token"], body["refresh_token"]):
        assert await introspect(worker, token) == INACTIVE


async def test_a_signed_answer(worker: Worker, people: People) -> None:
    """RFC 9701 5: for this client, with its own type and a published key."""
    token = (await tokens(worker, people))["access_token"]
    async with worker.client.get("/oauth2/jwks") as response:
        keys = KeySet.import_key_set(await response.json())
    for asked, active in ((token, True), ("garbage", False)):
        form = {"client_id": "rs", "client_secret": SECRET, "token": asked}
        async with worker.client.post(INTROSPECT, data=form, headers={"Accept": SIGNED}) as got:
            assert got.status == 200
            assert got.content_type == SIGNED
            assert got.headers["Cache-Control"] == "no-store"
            answer = await got.text()
        signed = jwt.decode(answer, keys)
        assert signed.header["typ"] == "token-introspection+jwt"
        assert (signed.claims["iss"], signed.claims["aud"]) == (ISSUER, "rs")
        assert signed.claims["token_introspection"]["active"] is active
        # 9068-4-a: it is not an access token.
        assert await introspect(worker, answer) == INACTIVE


async def test_keys_change_under_running_workers(
    stage: Stage, worker: Worker, other_worker: Worker, people: People
) -> None:
    """OIDC-10.1.1-a: old tokens stay valid until their key is withdrawn, at every worker.

    Tokens of a withdrawn key are refused everywhere.
    """
    before = (await tokens(worker, people))["access_token"]
    connection = Connection.open(stage.url)
    keys = SigningKeys(connection, worker.parts.installation, 3600, is_usable, stage.clock)
    (old,) = await keys.live_keys()
    new = new_key("ES256", old.created_at)
    await keys.rotate(new)
    for each in (worker, other_worker):
        await _publishes(each, {old.key_id, new.key_id})
        assert (await introspect(each, before))["active"] is True
    after = (await tokens(other_worker, people))["access_token"]
    assert (await introspect(worker, after))["active"] is True
    assert jws.extract_compact(after.encode()).headers()["kid"] == new.key_id
    assert await keys.retire(old.key_id)
    for each in (worker, other_worker):
        await _publishes(each, {new.key_id})
        assert await introspect(each, before) == INACTIVE
        assert (await introspect(each, after))["active"] is True
    await connection.close()


async def _publishes(worker: Worker, key_ids: set[str]) -> None:
    """Wait, at most 5 s, until the worker publishes the keys. It reads them once a second."""
    for _ in range(500):
        async with worker.client.get("/oauth2/jwks") as response:
            published = (await response.json())["keys"]
        if {key["kid"] for key in published} == key_ids:
            assert not any("d" in key for key in published)
            return
    pytest.fail("the worker did not hear of the change")
