"""What proves a client: private_key_jwt (RFC 7523), tls_client_auth (RFC 8705)."""

from typing import Any
from warnings import catch_warnings, simplefilter

import msgspec
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from deviceflow.config import Server, Settings
from deviceflow.core.assertion import TYPE
from deviceflow.core.clients import Clients
from deviceflow.oauth.clients.methods import ClientAssertion
from deviceflow.oauth.clients.proof import ClientProof
from deviceflow.store.replay import Replay
from tests.stage.clock import Clock
from tests.stage.oauth import Stage, Worker
from tests.stage.proving import (
    AUTHORIZE,
    DN_HEADER,
    INTROSPECT,
    ISSUER,
    KEY,
    OTHER_KEY,
    SUBJECT_DN,
    assertion,
    sign,
    with_surface,
)

INVALID_CLIENT = (401, "invalid_client")
INVALID_REQUEST = (400, "invalid_request")


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return with_surface(settings)


@pytest.mark.parametrize("named", [{}, {"client_id": "asserting"}])
@pytest.mark.parametrize("key", [KEY, OTHER_KEY], ids=["first", "second"])
async def test_an_assertion(
    worker: Worker, clock: Clock, named: dict[str, str], key: ECKey
) -> None:
    """7523-3-a, 9700-2.5-a: by any of its keys, with or without client_id."""
    form = assertion(clock, key=key, header={"kid": key.as_dict()["kid"]}) | named
    assert (await worker.post(AUTHORIZE, form)).status == 200


WRONG: dict[str, dict[str, Any]] = {
    "another issuer": {"iss": "tv-app"},
    "another subject": {"sub": "tv-app"},
    "an unknown subject": {"sub": "nobody"},
    "the endpoint as audience": {"aud": f"{ISSUER}/oauth2/token"},
    "another audience": {"aud": "https://else.example.com"},
    "two audiences": {"aud": [ISSUER, "https://else.example.com"]},
    "an exp of 1970": {"exp": 1},
    "an endless exp": {"exp": 10**400},
    "an exp of 2096": {"exp": 4_000_000_000},
    "an nbf of 2096": {"nbf": 4_000_000_000},
    "no iss": {"drop": "iss"},
    "no sub": {"drop": "sub"},
    "no aud": {"drop": "aud"},
    "no exp": {"drop": "exp"},
    "no jti": {"drop": "jti"},
    "another key": {"key": ECKey.generate_key("P-256")},
    "another kid": {"header": {"kid": "another"}},
    "alg none": {"header": {"alg": "none"}},
    "alg HS256": {"header": {"alg": "HS256"}},
    "alg RS256": {"header": {"alg": "RS256"}},
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
async def test_a_wrong_assertion(worker: Worker, clock: Clock, wrong: dict[str, Any]) -> None:
    """7523-3-a, 7523-3-b: invalid_client."""
    answer = await worker.post(AUTHORIZE, assertion(clock, **wrong))
    assert answer.outcome == INVALID_CLIENT
    assert "device_code" not in answer.body


@pytest.mark.parametrize("jti", ["one", "é", "\ud800"])
async def test_a_replay_also_after_a_restart(
    stage: Stage, worker: Worker, clock: Clock, jti: str
) -> None:
    """OIDC-9-a: used once, at whichever worker."""
    form = assertion(clock, jti=jti) | {"client_id": "asserting"}
    assert (await worker.post(AUTHORIZE, form)).status == 200
    restarted = await stage.start_worker()
    for each in (worker, restarted):
        assert (await each.post(AUTHORIZE, form)).outcome == INVALID_CLIENT
    assert (await restarted.post(AUTHORIZE, assertion(clock))).status == 200


@pytest.mark.parametrize("text", ["x", "..", "a.b.c", "é", "e30.e30.", "A" * 1000])
async def test_what_is_no_assertion(worker: Worker, clock: Clock, text: str) -> None:
    form = assertion(clock) | {"client_assertion": text}
    for named in ({}, {"client_id": "asserting"}):
        assert (await worker.post(AUTHORIZE, form | named)).outcome == INVALID_CLIENT


@pytest.mark.parametrize("content", ["[" * 1100, '{"sub":' + "[" * 1100, "[]", "null", ""])
async def test_json_that_is_nested_deep(worker: Worker, clock: Clock, content: str) -> None:
    """However an assertion is broken, the answer is never a 500."""
    form = assertion(clock) | {"client_assertion": sign({"alg": "ES256"}, content, KEY)}
    for named in ({}, {"client_id": "asserting"}):
        assert (await worker.post(AUTHORIZE, form | named)).outcome == INVALID_CLIENT


async def test_other_clients_and_other_ways(worker: Worker, clock: Clock) -> None:
    """6749-2.3-a: the registered method, and one only."""
    good = assertion(clock)
    for form, outcome in (
        (good | {"client_id": "tv-app"}, INVALID_CLIENT),
        (good | {"client_id": "box"}, INVALID_CLIENT),
        ({"client_id": "asserting"}, INVALID_CLIENT),
        (good | {"client_assertion_type": "x"}, INVALID_REQUEST),
        (good | {"client_assertion_type": ""}, INVALID_REQUEST),
        (good | {"client_id": "asserting", "client_secret": "x"}, INVALID_REQUEST),
    ):
        assert (await worker.post(AUTHORIZE, form)).outcome == outcome
    answer = await worker.post(AUTHORIZE, good, headers={"Authorization": "Basic YTpi"})
    assert answer.outcome == INVALID_REQUEST
    assert (await worker.post(AUTHORIZE + "?client_assertion=x", {})).outcome == INVALID_REQUEST


async def test_at_introspection(worker: Worker, clock: Clock) -> None:
    """7662-2.1-a: an assertion is as good as a secret."""
    answer = await worker.post(INTROSPECT, assertion(clock) | {"token": "x"})
    assert answer.body == {"active": False}


async def test_keys_that_are_too_weak(stage: Stage, clock: Clock) -> None:
    """7523-3-a: RFC 7518 3.3; a client that registered such a key before is refused."""
    with catch_warnings():
        simplefilter("ignore")  # about the length that this test is about
        weak = RSAKey.generate_key(1024)
    for key, status in ((weak, 401), (RSAKey.generate_key(2048), 200)):
        clients = tuple(
            msgspec.structs.replace(client, jwks={"keys": [key.as_dict(private=False)]})
            for client in stage.settings.clients
            if client.client_id == "asserting"
        )
        worker = await stage.start_worker(msgspec.structs.replace(stage.settings, clients=clients))
        claims = {"iss": "asserting", "sub": "asserting", "aud": ISSUER, "jti": str(status)}
        content = claims | {"exp": int(clock()) + 60}
        with catch_warnings():
            simplefilter("ignore")
            text = jwt.encode({"alg": "RS256"}, content, key, algorithms=["RS256"])
        form = {"client_assertion_type": TYPE, "client_assertion": text}
        assert (await worker.post(AUTHORIZE, form)).status == status


async def test_a_certificate(behind_proxy: Worker) -> None:
    """RFC 8705 2.1: the name that the proxy has verified."""
    headers = {DN_HEADER: SUBJECT_DN}
    answer = await behind_proxy.post(AUTHORIZE, {"client_id": "tls"}, headers=headers)
    assert answer.status == 200


@pytest.mark.parametrize(
    "name",
    ["", "CN=box-18,O=Example", SUBJECT_DN.lower(), "é", "\udcff",
     # A certificate whose common name has these characters in it is another's.
     "CN=box-17%2CO=Example", "CN%3Dbox-17%2CO%3DExample", r"CN=box-17\,O=Example"],
)  # fmt: skip
async def test_another_certificate(behind_proxy: Worker, name: str) -> None:
    form = b"client_id=tls"
    answer = await behind_proxy.raw(
        b"POST %b HTTP/1.1\r\nHost: x\r\nX-SSL-Client-S-DN: %b\r\n"
        b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n%b"
        % (AUTHORIZE.encode(), name.encode(errors="surrogateescape"), len(form), form)
    )
    assert answer.outcome == INVALID_CLIENT


async def test_a_certificate_from_anybody(worker: Worker, behind_proxy: Worker) -> None:
    """9700-4.13-a: only a trusted proxy may say it, and once."""
    header = (DN_HEADER, SUBJECT_DN)
    form = {"client_id": "tls"}
    assert (await worker.post(AUTHORIZE, form, headers=[header])).outcome == INVALID_CLIENT
    twice = await behind_proxy.post(AUTHORIZE, form, headers=[header, header])
    assert twice.outcome == INVALID_CLIENT
    secret = form | {"client_secret": SUBJECT_DN}
    assert (await worker.post(AUTHORIZE, secret)).outcome == INVALID_CLIENT


async def test_a_certificate_where_none_is_expected(stage: Stage) -> None:
    """9700-4.13-a: a proxy that is trusted with addresses need not remove this header."""
    proxies = ("127.0.0.1/32",)
    form, headers = {"client_id": "tls"}, {DN_HEADER: SUBJECT_DN}
    for server in (
        Server(trusted_proxies=proxies),
        Server(trusted_proxies=proxies, client_certificate_header="X-Subject"),
    ):
        worker = await stage.start_worker(msgspec.structs.replace(stage.settings, server=server))
        assert (await worker.post(AUTHORIZE, form, headers=headers)).outcome == INVALID_CLIENT
    named = await worker.post(AUTHORIZE, form, headers={"X-Subject": SUBJECT_DN})
    assert named.status == 200


class UsedOnce(Replay):
    """Remembers ids in memory."""

    def __init__(self) -> None:
        self.used: list[str] = []

    async def use(self, kind: str, who: str, jti: str, keep_s: int) -> bool:
        assert (kind, who, keep_s > 0) == ("assertion", "asserting", True)
        self.used.append(jti)
        return self.used.count(jti) == 1


async def test_the_order(settings: Settings, clock: Clock) -> None:
    """Unknown, disabled, another method, wrong; an assertion is used up last of all."""
    client = Clients(settings.clients).find("asserting")
    assert client is not None
    replay = UsedOnce()
    proof = ClientProof(issuer=ISSUER, replay=replay, clock=clock)
    good = ClientAssertion("asserting", assertion(clock, jti="one")["client_assertion"])
    late = ClientAssertion("asserting", assertion(clock, exp=1)["client_assertion"])
    disabled = msgspec.structs.replace(client, enabled=False)
    public = msgspec.structs.replace(client, auth_method="none")
    assert await proof.fault(None, good) == "is unknown"
    assert await proof.fault(disabled, good) == "is disabled"
    assert (await proof.fault(public, good)).startswith("authenticates with private_key_jwt")
    assert "wrong claims" in await proof.fault(client, late)
    assert replay.used == []
    assert await proof.fault(client, good) == ""
    assert await proof.fault(client, good) == "has an assertion that was used before"
    assert replay.used == ["one", "one"]
