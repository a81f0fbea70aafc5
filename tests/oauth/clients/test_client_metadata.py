"""What becomes of client metadata (RFC 7591 2, RFC 7592 2.2): what is taken, and what stays."""

from collections.abc import Iterator

import msgspec
import pytest

from deviceflow.config import Settings
from deviceflow.core.client import Client
from deviceflow.core.client_methods import CLIENT_METHODS, REGISTERED_METHODS, AuthMethod
from deviceflow.core.clients import Clients
from deviceflow.core.messages import DEVICE_CODE_GRANT, RegistrationRequest
from deviceflow.core.resources import ProtectedResource
from deviceflow.oauth.clients.client_metadata import apply_metadata
from deviceflow.store.clients import StoredClients
from tests.stage.oauth import People, Stage, Worker
from tests.stage.proving import (
    API,
    INITIAL,
    KEY,
    OTHER_KEY,
    REGISTER,
    claims_of,
    tokens,
    with_surface,
)
from tests.stage.registering import PUBLIC, Metadata, ask, change, operator_sets, register

INVALID_METADATA = (400, "invalid_client_metadata")


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return with_surface(settings)


async def test_without_a_name(worker: Worker) -> None:
    """RFC 7591 2: client_name is optional; what people then read is no machine's id."""
    answer = await ask(worker, "POST", REGISTER, INITIAL, {})
    assert answer.status == 201
    assert answer.body["client_name"] == "Unnamed application"


async def test_keys_behind_an_address(worker: Worker) -> None:
    """RFC 7591 2: whoever sends jwks_uri is told what to send; null is nothing (RFC 7591 3.1)."""
    metadata = PUBLIC | {"token_endpoint_auth_method": "private_key_jwt"}
    jwks = {"keys": [KEY.as_dict(private=False)]}
    for also in ({}, {"jwks": jwks}):
        wanted = metadata | also | {"jwks_uri": "https://client.example.com/jwks"}
        refused = await ask(worker, "POST", REGISTER, INITIAL, wanted)
        assert refused.outcome == INVALID_METADATA
        assert "jwks_uri is not supported" in refused.body["error_description"]
    await register(worker, jwks=jwks, jwks_uri=None)


BAD: dict[str, Metadata] = {
    "native with client_secret_basic": {
        "application_type": "native",
        "token_endpoint_auth_method": "client_secret_basic",
    },
    "native with client_secret_post": {
        "application_type": "native",
        "token_endpoint_auth_method": "client_secret_post",
    },
    "native with the default": {"application_type": "native", "token_endpoint_auth_method": None},
    "a certificate": {"token_endpoint_auth_method": "tls_client_auth"},
    "no jwks": {"token_endpoint_auth_method": "private_key_jwt"},
    "no key": {"token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": []}},
    "a symmetric key": {
        "token_endpoint_auth_method": "private_key_jwt",
        "jwks": {"keys": [{"kty": "oct"}]},
    },
    "a key that is a text": {
        "token_endpoint_auth_method": "private_key_jwt",
        "jwks": {"keys": ["x"]},
    },
    "a private key": {"jwks": {"keys": [KEY.as_dict(private=True)]}},
    "keys that are an object": {"jwks": {"keys": {}}},
    "jwks that are a list": {"jwks": []},
    "another grant": {"grant_types": ["authorization_code"]},
    "refresh alone": {"grant_types": ["refresh_token"]},
    "grants that are a text": {"grant_types": "refresh_token"},
    "no grant": {"grant_types": []},
    "an empty method": {"token_endpoint_auth_method": ""},
    "a tab in scope": {"scope": "openid\tprofile"},
    "an unknown scope": {"scope": "admin"},
    "one unknown scope": {"scope": "openid admin"},
    "a scope that is a number": {"scope": 1},
    "no signature": {"id_token_signed_response_alg": "none"},
    "a symmetric signature": {"id_token_signed_response_alg": "HS256"},
    "an algorithm of the operator's": {"id_token_signed_response_alg": "Ed25519"},
    "an algorithm in small letters": {"id_token_signed_response_alg": "rs256"},
    "an empty algorithm": {"id_token_signed_response_alg": ""},
    "an algorithm that is a list": {"id_token_signed_response_alg": ["RS256"]},
    "a name of two lines": {"client_name": "two\nlines"},
    "an empty name": {"client_name": ""},
    "a name with a space before it": {"client_name": " x"},
    "a long name": {"client_name": "x" * 41},
    "a name that reads backwards": {"client_name": "\u202eknaB"},
    "a name of nothing": {"client_name": "\u200b"},
    "a name of two lines of Unicode": {"client_name": "two\u2028lines"},
    "a name that is an object": {"client_name": {}},
}


@pytest.mark.parametrize("metadata", BAD.values(), ids=BAD)
async def test_refused(stage: Stage, worker: Worker, metadata: Metadata) -> None:
    """RFC 7591 3.2.2; 6749-2.3-b, 6749-10.1-a: a native application asks for a secret in vain."""
    answer = await ask(worker, "POST", REGISTER, INITIAL, PUBLIC | metadata)
    assert answer.outcome == INVALID_METADATA
    assert await stage.keys("df:clients") == []
    if metadata.get("client_name"):
        assert metadata["client_name"] not in answer.body["error_description"]


KEYS = {"keys": [KEY.as_dict(private=False)]}
OTHER_KEYS = {"keys": [OTHER_KEY.as_dict(private=False)]}


async def test_what_only_the_operator_sets(worker: Worker, stored: StoredClients) -> None:
    """A client that was disabled does not enable itself; its audience stays, too."""
    client = await register(worker)
    before = await operator_sets(
        stored, client, enabled=False, audience="https://api.example", pkce="required"
    )
    assert (await change(worker, client, client_name="Clock")).status == 200
    assert await stored.find(client["client_id"]) == msgspec.structs.replace(
        before, name="Clock", verified=False
    )


async def test_what_the_operator_has_tightened(worker: Worker, stored: StoredClients) -> None:
    """RFC 7592 2.2, RFC 7591 3.2.1: it stays, and the answer says what is in force."""
    client = await register(worker)
    before = await operator_sets(
        stored,
        client,
        scopes=("openid", "print"),
        dpop="required",
        refresh_token=False,
        auth_method="private_key_jwt",
        jwks=KEYS,
    )
    answer = await change(worker, client)
    assert answer.status == 200
    told = answer.body
    assert await stored.find(client["client_id"]) == before
    assert told["token_endpoint_auth_method"] == "private_key_jwt"
    assert (told["scope"], told["dpop_bound_access_tokens"]) == ("openid print", True)
    assert told["grant_types"] == [DEVICE_CODE_GRANT]
    assert told["jwks"] == KEYS
    # What was shown can be sent back (RFC 7592 2.2), and means no change either.
    sent_back = {name: told[name] for name in told if not name.startswith("registration_")}
    assert (await change(worker, client, **sent_back)).body == told
    wider = await change(worker, client, scope="profile openid")
    assert wider.body["scope"] == "openid"
    assert (await change(worker, client, scope="openid admin")).outcome == INVALID_METADATA


async def test_an_algorithm(worker: Worker, stored: StoredClients) -> None:
    """OpenID Connect Registration 2, RFC 7592 2.2: it may change, and stays if it is left out."""
    client = await register(worker, id_token_signed_response_alg="RS256")
    assert client["id_token_signed_response_alg"] == "RS256"
    assert (await change(worker, client)).body["id_token_signed_response_alg"] == "RS256"
    await operator_sets(stored, client, algorithm="Ed25519")
    kept = await change(worker, client, id_token_signed_response_alg="Ed25519")
    assert (kept.status, kept.body["id_token_signed_response_alg"]) == (200, "Ed25519")
    changed = await change(worker, client, id_token_signed_response_alg="ES256")
    assert changed.body["id_token_signed_response_alg"] == "ES256"
    found = await stored.find(client["client_id"])
    assert found is not None
    assert found.algorithm == "ES256"


async def test_the_algorithm_of_the_server(worker: Worker, stored: StoredClients) -> None:
    """RFC 7591 3.2.1: a client that names none follows the setting, and the answer names it."""
    client = await register(worker, id_token_signed_response_alg=None)
    assert client["id_token_signed_response_alg"] == "ES256"
    # What was shown can be sent back (RFC 7592 2.2): it goes on following the setting.
    assert (await change(worker, client, id_token_signed_response_alg="ES256")).status == 200
    found = await stored.find(client["client_id"])
    assert found is not None
    assert found.algorithm is None


def test_an_algorithm_that_only_the_setting_offers(settings: Settings) -> None:
    """What the answer has named can be sent back (RFC 7592 2.2)."""
    tokens = msgspec.structs.replace(settings.tokens, algorithm="Ed25519")
    settings = msgspec.structs.replace(settings, tokens=tokens)
    metadata = RegistrationRequest(
        token_endpoint_auth_method="none", id_token_signed_response_alg="Ed25519"
    )
    assert apply_metadata(metadata, "client", None, settings).client.algorithm == "Ed25519"


async def test_a_certificate_that_the_operator_asks_for(
    worker: Worker, stored: StoredClients
) -> None:
    """Nobody registers with tls_client_auth, and nobody leaves it by a change."""
    client = await register(worker)
    before = await operator_sets(
        stored, client, auth_method="tls_client_auth", tls_client_auth_subject_dn="CN=x"
    )
    for metadata in (
        {"token_endpoint_auth_method": "tls_client_auth"},
        {"token_endpoint_auth_method": "client_secret_basic"},
        {"token_endpoint_auth_method": "private_key_jwt", "jwks": KEYS},
    ):
        answer = await change(worker, client, **metadata)
        assert answer.body["token_endpoint_auth_method"] == "tls_client_auth"
        assert "client_secret" not in answer.body
    after = await stored.find(client["client_id"])
    assert after == msgspec.structs.replace(before, jwks=KEYS)


async def test_what_a_registrant_may_change(worker: Worker, stored: StoredClients) -> None:
    """Name and keys, and whatever narrows; a refresh policy of the operator's stays."""
    client = await register(worker, scope="openid profile")
    await operator_sets(stored, client, refresh_token=True)
    post = await change(worker, client, token_endpoint_auth_method="client_secret_post")
    assert len(post.body["client_secret"]) >= 43
    basic = await change(worker, client, token_endpoint_auth_method="client_secret_basic")
    assert "client_secret" not in basic.body
    assert basic.body["token_endpoint_auth_method"] == "client_secret_basic"
    for jwks in (KEYS, OTHER_KEYS):
        keyed = {"token_endpoint_auth_method": "private_key_jwt", "jwks": jwks}
        assert (await change(worker, client, scope="openid", **keyed)).status == 200
        after = await stored.find(client["client_id"])
        assert after == Client(
            client_id=client["client_id"],
            name="Radio",
            scopes=("openid",),
            auth_method="private_key_jwt",
            jwks=jwks,
            refresh_token=True,
            verified=False,
        )
    await change(worker, client, grant_types=[DEVICE_CODE_GRANT], **keyed)
    after = await stored.find(client["client_id"])
    assert after is not None
    assert after.refresh_token is False


async def test_held_to_the_rules(worker: Worker, stored: StoredClients) -> None:
    """Those for a client of the file; of what breaks one nothing is repeated."""
    client = await register(worker)
    before = await operator_sets(stored, client, interval_s=3333)
    answer = await change(worker, client)
    assert answer.outcome == INVALID_METADATA
    assert "3333" not in answer.body["error_description"]
    assert await stored.find(client["client_id"]) == before


async def test_scopes_of_an_api(stage: Stage, people: People, stored: StoredClients) -> None:
    """RFC 8707: who may ask for an API's scopes may name the API."""
    settings = msgspec.structs.replace(
        stage.settings,
        resources=(ProtectedResource(resource=API, scopes=("print",)),),
        registration=msgspec.structs.replace(
            stage.settings.registration, scopes=("openid", "print")
        ),
    )
    worker = await stage.start_worker(settings)
    client = await register(worker, scope="print")
    found = await stored.find(client["client_id"])
    assert found is not None
    assert found.resources == (API,)
    body = await tokens(worker, people, client["client_id"], resource=API)
    assert claims_of(body["access_token"])["aud"] == API
    # One that was registered before there were resources.
    await operator_sets(stored, client, resources=())
    assert (await change(worker, client)).status == 200
    assert await stored.find(client["client_id"]) == found
    before = await operator_sets(stored, client, resources=(), audience=API)
    assert (await change(worker, client)).status == 200
    assert await stored.find(client["client_id"]) == before


@pytest.mark.parametrize("requested", REGISTERED_METHODS)
@pytest.mark.parametrize("current", CLIENT_METHODS)
def test_a_change_never_makes_a_client_weaker(current: AuthMethod, requested: AuthMethod) -> None:
    """RFC 7592 2.2: the method stays, or another takes its place that is as strong."""
    before = Client(
        client_id="client_x",
        name="Radio",
        auth_method=current,
        secret_sha256=("a" * 64,) if CLIENT_METHODS[current].has_secret else (),
        jwks=KEYS if CLIENT_METHODS[current].has_keys else None,
        tls_client_auth_subject_dn="CN=radio",
    )
    metadata = RegistrationRequest(token_endpoint_auth_method=requested, jwks=KEYS)
    client, secret = apply_metadata(metadata, before.client_id, before, Settings())
    stays = CLIENT_METHODS[requested].strength < before.method.strength
    # An operator has allowed both places of a secret: the client can only name one of them.
    stays |= requested in before.announced_methods
    assert client.auth_method == (current if stays else requested)
    # A secret is kept while one is needed, and made only where there was none.
    assert bool(client.secret_sha256) is client.method.has_secret
    assert (secret is None) is (not (client.method.has_secret and not before.secret_sha256))
    assert not client.lacks_credential


# Names


@pytest.mark.parametrize("name", ["Radio", "RADIO", "Ra\u0301dio", "Rad io"])
async def test_a_name_that_another_client_has(worker: Worker, name: str) -> None:
    """It would be the twin of that client on the page where people decide."""
    await register(worker)
    await worker.feed.catch_up()
    answer = await ask(worker, "POST", REGISTER, INITIAL, PUBLIC | {"client_name": name})
    assert answer.outcome == INVALID_METADATA
    other = await register(worker, client_name="Clock")
    assert (await change(worker, other, client_name=name)).outcome == INVALID_METADATA
    assert (await change(worker, other, client_name="CLOCK")).status == 200


async def test_a_name_that_a_client_of_the_file_has(worker: Worker) -> None:
    [tv] = [client for client in worker.parts.clients if client.client_id == "tv-app"]
    taken = PUBLIC | {"client_name": tv.name.upper()}
    assert (await ask(worker, "POST", REGISTER, INITIAL, taken)).outcome == INVALID_METADATA
    other = await register(worker, client_name="Clock")
    assert (await change(worker, other, client_name=tv.name)).outcome == INVALID_METADATA


async def test_a_name_costs_the_same_however_many_clients_there_are(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No request looks at all clients: neither at the worker's, nor at the store's."""
    looks: list[str] = []

    def all_of_them(_: Clients) -> Iterator[Client]:
        looks.append("worker")
        return iter(())

    async def all_stored(_: StoredClients) -> list[Client]:
        looks.append("store")
        return []

    await worker.feed.catch_up()
    monkeypatch.setattr(Clients, "__iter__", all_of_them)
    monkeypatch.setattr(StoredClients, "all", all_stored)
    client = await register(worker, client_name="Clock")
    assert (await change(worker, client, client_name="Bell")).status == 200
    refused = await ask(worker, "POST", REGISTER, INITIAL, PUBLIC | {"client_name": "bell"})
    assert refused.outcome == INVALID_METADATA
    assert (await worker.authorize(client["client_id"])).status == 200
    assert looks == []


async def test_many_clients_may_have_no_name(worker: Worker) -> None:
    for _ in range(2):
        client = await register(worker, client_name=None)
        await worker.feed.catch_up()
        assert (await change(worker, client, client_name=client["client_name"])).status == 200


async def test_a_name_in_its_normal_form(worker: Worker) -> None:
    assert (await register(worker, client_name="Bu\u0308ro"))["client_name"] == "B\u00fcro"


async def test_nobody_has_verified_the_name(worker: Worker, stored: StoredClients) -> None:
    """Until the operator does; and again after the registrant has changed it."""
    client = await register(worker)
    registered = await stored.find(client["client_id"])
    assert registered is not None
    assert not registered.verified
    await operator_sets(stored, client, verified=True)
    for name, verified in (("Radio", True), ("Clock", False), ("Radio", False)):
        assert (await change(worker, client, client_name=name)).status == 200
        changed = await stored.find(client["client_id"])
        assert changed is not None
        assert changed.verified is verified


async def test_the_operators_choice_of_optional_scopes(
    worker: Worker, stored: StoredClients
) -> None:
    """They stay with a change, as far as the client keeps the scopes."""
    client = await register(worker)
    optional = ("profile", "offline_access")
    await operator_sets(stored, client, optional_scopes=optional)
    assert (await change(worker, client, scope="openid profile")).status == 200
    kept = await stored.find(client["client_id"])
    assert kept is not None
    assert (kept.scopes, kept.optional_scopes) == (("openid", "profile"), ("profile",))


PAGES = {
    "client_uri": "https://radio.example",
    "policy_uri": "https://radio.example/privacy",
    "tos_uri": "https://radio.example/terms?v=2",
}


async def test_pages_about_the_client(worker: Worker, stored: StoredClients) -> None:
    """RFC 7591 2: shown to people. A logo is not taken: this server fetches nothing."""
    client = await register(worker, **PAGES, logo_uri="https://radio.example/logo.png")
    assert {name: client[name] for name in PAGES} == PAGES
    assert "logo_uri" not in client
    kept = await stored.find(client["client_id"])
    assert kept is not None
    assert (kept.client_uri, kept.logo, kept.verified) == (PAGES["client_uri"], None, False)


@pytest.mark.parametrize(
    "page",
    [
        "http://radio.example",
        "javascript:alert(1)",
        "https://bank.example@radio.example/",
        "https://",
        "https://radio.example/\u00fc",
        "https://radio.example/a b",
        "https://radio.example/" + "a" * 501,
        "",
        5,
        ["https://radio.example"],
    ],
)
async def test_a_page_that_cannot_be_shown_is_left_out(worker: Worker, page: object) -> None:
    client = await register(worker, client_uri=page, tos_uri=PAGES["tos_uri"])
    assert "client_uri" not in client
    assert client["tos_uri"] == PAGES["tos_uri"]


@pytest.mark.parametrize("changed", [{"tos_uri": "https://elsewhere.example"}, {"tos_uri": None}])
async def test_other_pages_are_verified_anew(
    worker: Worker, stored: StoredClients, changed: Metadata
) -> None:
    client = await register(worker, **PAGES)
    await operator_sets(stored, client, verified=True)
    await change(worker, client, **PAGES)
    kept = await stored.find(client["client_id"])
    assert kept is not None
    assert kept.verified
    await change(worker, client, **PAGES | changed)
    kept = await stored.find(client["client_id"])
    assert kept is not None
    assert not kept.verified
