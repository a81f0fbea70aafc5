"""Tokens and codes of another client get the same answer as unknown ones.

The tests compare the answers byte for byte, and the commands in the store, because these take most
of the time.
"""

from typing import NamedTuple

import pytest

from deviceflow.config import Settings
from tests.stage.oauth import People, Stage, Worker
from tests.stage.proving import (
    API,
    INTROSPECT,
    REVOKE,
    SECRET,
    TOKEN,
    USERINFO,
    sign,
    tokens,
    with_surface,
)
from tests.stage.proving import OTHER_KEY as STRANGERS_KEY

VOLATILE = {"Date", "X-Request-ID"}
# Further parameters of a token request. Each is refused if the refresh token is valid.
ASKED: tuple[dict[str, str], ...] = (
    {},
    {"scope": "nope"},
    {"resource": "https://nope.example"},
)


class Seen(NamedTuple):
    """The answer to a request, and the store commands that it caused."""

    status: int
    headers: dict[str, str]
    body: bytes
    commands: dict[str, int]


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return with_surface(settings)


# What redis-py says first on a connection: it opens one more whenever it finds none free.
NEW_CONNECTION = ("cmdstat_client", "cmdstat_hello", "cmdstat_ping")


async def commands(stage: Stage) -> dict[str, int]:
    told = await stage.redis.info("commandstats")
    return {name: row["calls"] for name, row in told.items()}


async def see(stage: Stage, worker: Worker, path: str, form: dict[str, str]) -> Seen:
    while True:
        before = await commands(stage)
        bearer = {"Authorization": f"Bearer {form['bearer']}"} if "bearer" in form else {}
        data = None if bearer else form
        async with worker.client.post(path, data=data, headers=bearer) as answer:
            body = await answer.read()
        after = await commands(stage)
        cost = {name: calls - before.get(name, 0) for name, calls in after.items()}
        cost.pop("cmdstat_info")
        if not cost.pop("cmdstat_xrange", 0):  # else the mirror has read in between, once a second
            headers = {name: text for name, text in answer.headers.items() if name not in VOLATILE}
            asked = {
                name: calls
                for name, calls in cost.items()
                if calls and not name.startswith(NEW_CONNECTION)
            }
            return Seen(answer.status, headers, body, asked)


def like(token: str) -> str:
    """Make a token of the same form that was never issued."""
    if token.count(".") == 2:  # a JWT; a refresh token has one dot, and may begin with any letters
        header, payload, _ = token.split(".")
        return f"{header}.{payload}.{'A' * 86}"
    turned = token.translate(str.maketrans("abcdefghij", "bcdefghija"))
    return token[:4] + turned[4:] if token.startswith("dfa_") else turned


async def test_a_device_code(stage: Stage, worker: Worker, people: People) -> None:
    """6749-5.2-b: another client's code gets the answer of an invented one."""
    for is_approved in (False, True):
        grant = (await worker.authorize("opaque")).body
        if is_approved:
            await people.approve(grant["user_code"])
        code = grant["device_code"]
        form = {"grant_type": "urn:ietf:params:oauth:grant-type:device_code", "client_id": "tv-app"}
        foreign, unknown = [
            await see(stage, worker, TOKEN, form | {"device_code": one})
            for one in (code, like(code))
        ]
        assert foreign == unknown
        assert (foreign.status, foreign.commands) == (400, {})


async def test_a_refresh_token(stage: Stage, worker: Worker, people: People) -> None:
    """6749-6-a, 7009-2.1-b: refreshed or revoked by another client."""
    token = (await tokens(worker, people, "opaque"))["refresh_token"]
    refresh = {"grant_type": "refresh_token", "client_id": "tv-app"}
    guess = f"{token[:16]}.{'A' * 43}"
    for asked in ASKED:
        foreign, guessed, unknown = [
            await see(stage, worker, TOKEN, refresh | asked | {"refresh_token": one})
            for one in (token, guess, like(token))
        ]
        assert foreign == guessed == unknown
        assert foreign.status == 400
    foreign, guessed, unknown = [
        await see(stage, worker, REVOKE, {"client_id": "tv-app", "token": one})
        for one in (token, guess, like(token))
    ]
    assert foreign == guessed == unknown
    assert foreign.status == 200
    assert (await worker.refresh(token, "opaque")).status == 200


async def test_half_of_a_refresh_token(stage: Stage, worker: Worker, people: People) -> None:
    """Make a token with the name of a live family and a secret that was never issued."""
    token = (await tokens(worker, people, "opaque"))["refresh_token"]
    guess = f"{token[:16]}.{'A' * 43}"
    for path, form in (
        (REVOKE, {"client_id": "opaque"}),
        (INTROSPECT, {"client_id": "rs", "client_secret": SECRET}),
    ):
        half, unknown = [
            await see(stage, worker, path, form | {"token": one}) for one in (guess, like(token))
        ]
        assert half == unknown
        assert half.status == 200


@pytest.mark.parametrize("asked", ASKED, ids=str)
async def test_a_guess_that_ends_a_family(
    stage: Stage, worker: Worker, people: People, asked: dict[str, str]
) -> None:
    """9700-2.2.2-a: the answer does not tell; the store does what a replay asks for, no more."""
    token = (await tokens(worker, people, "opaque"))["refresh_token"]
    form = {"grant_type": "refresh_token", "client_id": "opaque"} | asked
    guess = form | {"refresh_token": f"{token[:16]}.{'A' * 43}"}
    wrong, unknown, again = [
        await see(stage, worker, TOKEN, one)
        for one in (guess, form | {"refresh_token": like(token)}, guess)
    ]
    assert wrong[:3] == unknown[:3]
    assert wrong.commands == unknown.commands | {"cmdstat_set": 1, "cmdstat_del": 1}
    assert again == unknown


@pytest.mark.parametrize("client_id", ["always", "opaque"], ids=["jwt", "opaque"])
async def test_an_access_token(
    stage: Stage, worker: Worker, people: People, client_id: str
) -> None:
    """7009-2.1-b, 7662-2.3-a: revoked by another client; asked for by another API."""
    token = (await tokens(worker, people, client_id))["access_token"]
    foreign, unknown = [
        await see(stage, worker, REVOKE, {"client_id": "tv-app", "token": one})
        for one in (token, like(token))
    ]
    assert foreign == unknown
    server = {"client_id": "rs-else", "client_secret": SECRET}
    foreign, unknown = [
        await see(stage, worker, INTROSPECT, server | {"token": one})
        for one in (token, like(token))
    ]
    assert foreign == unknown
    assert foreign.body == b'{"active":false}'


async def test_at_userinfo(stage: Stage, worker: Worker, people: People) -> None:
    """9068-4-a: for another API, or signed by another key."""
    body = await tokens(worker, people, "apis", scope="profile", resource=API)
    forged = sign({"alg": "ES256", "typ": "at+jwt"}, {"sub": "sub-ada"}, STRANGERS_KEY)
    foreign, unknown, strange = [
        await see(stage, worker, USERINFO, {"bearer": one})
        for one in (body["access_token"], like(body["access_token"]), forged)
    ]
    assert foreign == unknown == strange
    assert foreign.status == 401
