"""Every check sees the defect that it is for, and finds nothing wrong with a server that is right.

The server is in this process, and time is the test's: a wait takes none.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp.test_utils import TestServer

from deviceflow.conformance.check import Judgement, Level, Result
from deviceflow.conformance.checks import CATALOGUE
from deviceflow.conformance.discovery import find_endpoints
from deviceflow.conformance.endpoints import Endpoints
from deviceflow.conformance.run import judge, run
from deviceflow.conformance.site import KNOWN_WITHIN_S, Parties, Politeness, Site
from deviceflow.device.client_auth import Credentials
from deviceflow.device.polling import Time
from tests.stage.wrong_server import CLIENTS, WrongServer

DEFECTS = {
    "8414-3.3-a": "another issuer",
    "8628-4-a": "no grant type",
    "8628-4-b": "no device endpoint",
    "8414-3.2-a": "metadata as text",
    "8414-2-c": "assertions without algorithms",
    "7517-9.2-a": "private keys",
    "8628-3.2-a": "no expires_in",
    "8628-3.2-d": "JSON as HTML",
    "8628-3.2-e": "answers are kept",
    "8628-3.2-f": "no page",
    "8628-3.3-b": "the code in the address",
    "8628-3.1-c": "unknown parameters",
    "8628-3.1-b": "empty parameters",
    "8628-3.1-d": "repeated parameters",
    "8628-3.1-f": "clients that do not exist",
    "8628-3.1-g": "clients without a name",
    "8628-3.1-e": "any secret",
    "6749-5.2-a": "no challenge",
    "8628-3.2-g": "refusals without a word",
    "6749-2.3.1-b": "credentials in the address",
    "8628-3.1-h": "GET is POST",
    "6749-5.2-c": "echo",
    "9700-2.6-b": "a page for other sites",
    "9700-4.16-a": "a page in frames",
    "8628-5.2-a": "short device codes",
    "8628-5.1-a": "short user codes",
    "8628-5.1-b": "user codes by number",
    "8628-6.1-b": "user codes with small letters",
    "8628-5.2-b": "the user code in the device code",
    "8628-5.2-c": "device codes to escape",
    "8628-3.5-c": "codes without an end",
    "8628-3.5-a": "another word for pending",
    "6749-5.2-d": "errors with 200",
    "6749-5.2-e": "answers are kept",
    "8628-3.4-a": "a missing device_code",
    "6749-5.2-b": "unknown codes wait",
    "6749-5.2-f": "grant types",
    "9700-2.4-a": "a password grant",
    "8628-3.4-c": "clients without a name",
    "6749-3.2-a": "GET is POST",
    "6749-3.2-b": "repeated parameters",
    "8628-3.5-f": "no free poll",
    "8628-3.2-b": "an interval that is longer than told",
    "8628-3.5-b": "no slow_down",
    "8628-3.5-g": "pace by connection",
    "8628-3.5-h": "slow_down adds a minute",
    "8628-3.5-o": "a pace that runs away",
    "8628-3.5-p": "an old interval is told",
    "8628-3.5-i": "slow_down without end",
    "8628-3.5-j": "one pace for all",
    "8628-3.5-d": "an approval without tokens",
    "8628-3.5-e": "a silent denial",
    "8628-3.5-k": "approved tokens wait",
    "8628-3.3-c": "a denial that does not hold",
    "8628-3.3-d": "approved by GET",
    "8628-6.1-a": "picky about the user code",
    "6749-5.1-a": "answers are kept",
    "6749-5.1-b": "another scope is told",
    "8628-3.5-l": "tokens again and again",
    "8628-3.5-m": "tokens again and again",
    "8628-3.5-n": "repeated after use",
    "8628-5.2-d": "codes are refresh tokens",
    "8628-3.4-b": "codes of all clients",
    "8628-3.4-g": "another client ends a code",
    "8628-3.4-d": "codes of all clients",
    "8628-3.4-e": "codes of anybody",
    "8628-3.4-f": "any secret",
    "9700-2.3-a": "scope of the poll",
    "6749-6-a": "refresh tokens of all clients",
    "9068-2.1-a": "unsigned tokens",
    "9068-2.2-a": "tokens without claims",
    "6750-5.3-a": "tokens for a year",
    "OIDC-2-a": "an ID token for others",
    "OIDC-10.1-a": "another key",
    "6749-6-c": "no refresh",
    "6749-6-b": "a refresh that widens",
    "6749-5.2-g": "unknown refresh tokens",
    "9700-2.2.2-a": "old refresh tokens",
    "7009-2-a": "no revocation",
    "7009-2.1-a": "the hint is believed",
    "7009-2.2-a": "unknown tokens at revocation",
    "7662-2.1-a": "introspection by anybody",
    "OIDC-5.3.2-a": "userinfo without sub",
    "6750-3-a": "no Bearer challenge",
    "6750-3-b": "an error without a token",
    "6750-3.1-a": "garbage is a bad request",
    "6750-2.3-a": "tokens in the address",
    "9449-5.1-a": "symmetric proofs",
    "9449-5-a": "another key in the token",
    "9449-4.3-a": "proofs without jti",
    "9449-4.3-b": "proofs of any signature",
    "9449-4.3-c": "proofs for any request",
    "9449-4.3-d": "two proofs",
    "9449-4.3-e": "old proofs",
    "9449-5-b": "another word for a wrong proof",
    "9449-5-c": "a refresh without its key",
    "9449-7.2-a": "bound tokens as Bearer",
    "9449-7.1-a": "no proof at userinfo",
    "9449-8-a": "any nonce",
    "9449-11.1-a": "proofs used twice",
    "8628-5.1-c": "guesses without end",
}
"""The defect that each check has to find. The check of TLS has a test of its own."""

CONFIDENTIAL = {"8628-3.1-e", "6749-2.3.1-b", "8628-3.4-f"}
"""Checks of a client with a secret."""

OF_NONCES = {"9449-8-a"}
"""Checks of a server that wants its nonce in DPoP proofs."""

_AFTER_A_DECISION = [
    CATALOGUE[name] for name in ("8628-3.5-d", "8628-3.5-e", "8628-3.3-c", "8628-6.1-a")
]
"""Checks whose poll must have the decision."""

ONE_BY_ONE = 1
"""Checks at the same time: with the clock of these tests, the wait of one passes for all others."""

OpenSite = Callable[..., Awaitable[Site]]


class TestTime:
    """A clock that a sleep moves."""

    __test__ = False

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += max(0.0, seconds)
        await asyncio.sleep(0)


@asynccontextmanager
async def site_of(
    defect: str, client_id: str = "tv", *, wants_nonce: bool = False, heard_after_s: float = 0.0
) -> AsyncIterator[Site]:
    time = TestTime()
    server = WrongServer(time.clock, defect, wants_nonce, heard_after_s)
    async with TestServer(server.application()) as running:
        server.issuer = str(running.make_url("")).rstrip("/")
        by_hand = f"{server.issuer}/authorize-device" if defect == "no device endpoint" else None
        endpoints = await find_endpoints(server.issuer, by_hand)
        parties = Parties(
            client=Credentials(client_id=client_id, client_secret=CLIENTS[client_id] or None),
            other=Credentials(client_id="other"),
            decisions=server,
            scope="openid profile offline_access",
            may_guess=True,
        )
        own = Time(clock=time.clock, sleep=time.sleep)
        async with Site(endpoints, parties, Politeness(1000, own), own) as site:
            yield site


async def result_of(check_id: str, defect: str) -> Result:
    client_id = "printer" if check_id in CONFIDENTIAL else "tv"
    async with site_of(defect, client_id, wants_nonce=check_id in OF_NONCES) as site:
        return await judge(site, CATALOGUE[check_id])


def test_every_check_has_its_defect() -> None:
    assert {*CATALOGUE} - {*DEFECTS} == {"8628-3.1-a"}
    assert {*DEFECTS} - {*CATALOGUE} == set()


@pytest.mark.parametrize("check_id", DEFECTS)
async def test_a_defect_is_found(check_id: str) -> None:
    result = await result_of(check_id, DEFECTS[check_id])
    is_must = CATALOGUE[check_id].level is Level.MUST
    assert result.judgement is (Judgement.FAIL if is_must else Judgement.WARNING), result.reason
    assert result.reason


@pytest.mark.parametrize("check_id", DEFECTS)
async def test_a_right_server_is_right(check_id: str) -> None:
    result = await result_of(check_id, "")
    absent = {"8414-2-c"}  # no client signs assertions there
    expected = Judgement.NOT_APPLICABLE if check_id in absent else Judgement.PASS
    assert result.judgement is expected, result.reason


async def test_all_checks_of_a_right_server_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deviceflow.conformance.run.AT_ONCE", ONE_BY_ONE)
    async with site_of("") as site:
        results = await run(site, list(CATALOGUE.values()))
    wrong = [each for each in results if each.judgement in (Judgement.FAIL, Judgement.WARNING)]
    assert [(each.check.id, each.reason) for each in wrong] == []


@pytest.mark.parametrize("heard_after_s", [1.5, 3.0])
async def test_a_server_whose_processes_learn_decisions_later_is_right(
    monkeypatch: pytest.MonkeyPatch, heard_after_s: float
) -> None:
    """Within two seconds at any pace; a little later where the second poll may have it."""
    monkeypatch.setattr("deviceflow.conformance.run.AT_ONCE", ONE_BY_ONE)
    checks = list(CATALOGUE.values()) if heard_after_s < KNOWN_WITHIN_S else _AFTER_A_DECISION
    async with site_of("", heard_after_s=heard_after_s) as site:
        results = await run(site, checks)
    expected = (Judgement.PASS, Judgement.NOT_APPLICABLE)
    wrong = [each for each in results if each.judgement not in expected]
    assert [(each.check.id, each.reason) for each in wrong] == []


async def test_a_server_that_never_learns_a_decision_is_wrong() -> None:
    async with site_of("", heard_after_s=60.0) as site:
        results = await run(site, _AFTER_A_DECISION)
    assert {each.judgement for each in results} == {Judgement.FAIL, Judgement.WARNING}
    assert all("authorization_pending" in each.reason for each in results)


async def test_a_server_that_wants_nonces_is_right(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deviceflow.conformance.run.AT_ONCE", ONE_BY_ONE)
    async with site_of("", wants_nonce=True) as site:
        results = await run(site, [each for each in CATALOGUE.values() if each.group == "dpop"])
    judged = {each.check.id: each.judgement for each in results}
    # There, the nonce tells how old a proof is.
    assert judged.pop("9449-4.3-e") is Judgement.NOT_APPLICABLE
    assert {*judged.values()} == {Judgement.PASS}, judged


async def test_plain_http_is_found() -> None:
    async with site_of("") as site:
        site.at = Endpoints(
            issuer="http://tv.example",
            device_authorization="http://tv.example/device",
            token="https://tv.example/token",
        )
        result = await judge(site, CATALOGUE["8628-3.1-a"])
    assert (result.judgement, result.reason) == (
        Judgement.FAIL,
        "http://tv.example/device is not https",
    )
    assert result.exchanges == []


async def test_no_secret_is_in_a_result() -> None:
    async with site_of("") as site:
        results = await run(site, list(CATALOGUE.values()))
        grant = await site.start()
    assert isinstance(site.parties.decisions, WrongServer)
    server = site.parties.decisions
    secrets = {*server.grants, *server.refresh_tokens, *server.access_tokens, grant.device_code}
    text = "".join(repr(each.exchanges) + each.reason for each in results)
    assert [secret for secret in secrets if secret in text] == []
