"""A login that lasts: with a scripted server, whose answers get lost, and a fake time."""

import asyncio
from pathlib import Path

import msgspec
import pytest

from deviceflow.device import (
    DeviceAuthorization,
    DeviceClient,
    DeviceLogin,
    LoginRequired,
    MalformedAnswerError,
    ServerError,
    TokenFileError,
    Tokens,
    UnavailableError,
    UnreachableError,
)
from deviceflow.device.token_file import KeptTokens
from tests.stage.scripted import CODES, RFC8414, TOKENS, FakeTime, Say, ScriptedServer, error

FIRST = Tokens(access_token="a1", token_type="Bearer", expires_in=3600, refresh_token="r1")


def refreshed(number: int, **more: object) -> Say:
    """The answer with the next pair of tokens."""
    pair = {"access_token": f"a{number}", "refresh_token": f"r{number}", "expires_in": 3600}
    return Say({"token_type": "Bearer", **pair, **more})


def sent(server: ScriptedServer) -> list[str]:
    return [poll.form["refresh_token"] for poll in server.polled]


class Wall(FakeTime):
    """The clock on the wall, which may be set."""


@pytest.fixture
def wall() -> Wall:
    return Wall()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "logins"


@pytest.fixture
async def login(client: DeviceClient, folder: Path, wall: Wall) -> DeviceLogin:
    """A login that is an hour long."""
    made = DeviceLogin(client, "openid", folder=folder, wall_clock=wall.clock)
    await made.keep(FIRST)
    return made


@pytest.fixture
def other_process(client: DeviceClient, folder: Path, wall: Wall) -> DeviceLogin:
    """The same login, as another process sees it."""
    return DeviceLogin(client, "openid", folder=folder, wall_clock=wall.clock)


def passes(seconds: float, time: FakeTime, wall: Wall) -> None:
    time.now += seconds
    wall.now += seconds


async def test_signing_in_keeps_the_tokens(
    client: DeviceClient, server: ScriptedServer, folder: Path
) -> None:
    server.polls = [Say(TOKENS)]
    login = DeviceLogin(client, "openid", folder=folder)
    shown: list[DeviceAuthorization] = []
    await login.sign_in(shown.append)
    assert [codes.user_code for codes in shown] == [CODES["user_code"]]
    assert await login.access_token() == TOKENS["access_token"]
    assert len(server.polled) == 1


async def test_a_place_for_the_tokens_is_sought_first(
    client: DeviceClient, server: ScriptedServer, tmp_path: Path
) -> None:
    """Nobody approves a login that cannot be kept."""
    (tmp_path / "taken").write_text("")
    login = DeviceLogin(client, folder=tmp_path / "taken" / "logins")
    with pytest.raises(TokenFileError):
        await login.sign_in(lambda _: None)
    assert server.heard == []


@pytest.mark.parametrize(("age", "token"), [(3539, "a1"), (3540, "a2"), (9000, "a2")])
async def test_a_token_is_refreshed_a_minute_before_its_end(
    login: DeviceLogin, server: ScriptedServer, time: FakeTime, wall: Wall, age: float, token: str
) -> None:
    server.polls = [refreshed(2)]
    passes(age, time, wall)
    assert await login.access_token() == token


async def test_a_short_token_is_used_for_half_of_its_life(
    login: DeviceLogin, server: ScriptedServer, time: FakeTime, wall: Wall
) -> None:
    server.polls = [refreshed(2, expires_in=20), refreshed(3)]
    passes(3600, time, wall)
    assert await login.access_token() == "a2"
    passes(9, time, wall)
    assert await login.access_token() == "a2"
    passes(1, time, wall)
    assert await login.access_token() == "a3"
    assert sent(server) == ["r1", "r2"]


async def test_an_answer_without_refresh_token_and_scope_leaves_them(
    login: DeviceLogin, server: ScriptedServer, time: FakeTime, wall: Wall
) -> None:
    """RFC 6749 5.1 and 6: both may be left out."""
    await login.keep(msgspec.structs.replace(FIRST, scope="openid"))
    server.polls = [refreshed(2, refresh_token=None)]
    passes(3600, time, wall)
    await login.access_token()
    kept = login.file.read()
    assert kept is not None
    assert (kept.tokens.refresh_token, kept.tokens.scope) == ("r1", "openid")


@pytest.mark.parametrize(
    "lost", [Say("", hangs_up=True), Say("", status=503), Say("<html>", status=502)]
)
async def test_a_lost_answer_strands_nobody(
    login: DeviceLogin,
    other_process: DeviceLogin,
    server: ScriptedServer,
    time: FakeTime,
    wall: Wall,
    lost: Say,
) -> None:
    """The server may have sent r2. Until it is on the disk, the device asks with r1."""
    server.polls = [lost, refreshed(3)]
    passes(3600, time, wall)
    with pytest.raises((UnavailableError, UnreachableError)):
        await login.access_token()
    assert await other_process.access_token() == "a3"
    assert sent(server) == ["r1", "r1"]


async def test_a_token_that_has_not_ended_helps_over_an_outage(
    login: DeviceLogin, server: ScriptedServer, time: FakeTime, wall: Wall
) -> None:
    server.polls = [Say("", status=503)]
    passes(3550, time, wall)
    assert await login.access_token() == "a1"
    assert len(server.polled) == 1


async def test_a_program_that_asks_in_a_loop_asks_the_server_seldom(
    login: DeviceLogin, server: ScriptedServer, time: FakeTime, wall: Wall
) -> None:
    server.polls = [Say("", status=503) for _ in range(100)]
    began = time.now
    passes(3600, time, wall)
    for _ in range(100):
        with pytest.raises(UnavailableError):
            await login.access_token()
        passes(1, time, wall)
    assert [poll.at - began - 3600 for poll in server.polled] == [0, 5, 15, 35, 75]


async def test_retry_after_is_waited_for(
    login: DeviceLogin, server: ScriptedServer, time: FakeTime, wall: Wall
) -> None:
    server.polls = [Say("", status=429, headers={"Retry-After": "30"}), refreshed(2)]
    passes(3600, time, wall)
    for pause in (0, 29):
        passes(pause, time, wall)
        with pytest.raises(UnavailableError, match="HTTP 429"):
            await login.access_token()
    passes(1, time, wall)
    assert await login.access_token() == "a2"
    assert len(server.polled) == 2


async def test_a_retry_after_of_years_is_waited_for_an_hour(
    login: DeviceLogin, server: ScriptedServer, time: FakeTime, wall: Wall
) -> None:
    server.polls = [Say("", status=503, headers={"Retry-After": "9" * 400}), refreshed(2)]
    passes(3600, time, wall)
    with pytest.raises(UnavailableError):
        await login.access_token()
    passes(3600, time, wall)
    assert await login.access_token() == "a2"


async def test_a_server_without_its_metadata_ends_no_login(
    login: DeviceLogin, server: ScriptedServer, time: FakeTime, wall: Wall
) -> None:
    server.well_known = {RFC8414: Say("<html>", status=502)}
    passes(3550, time, wall)
    assert await login.access_token() == "a1"
    passes(50, time, wall)
    with pytest.raises(UnavailableError):
        await login.access_token()


async def test_invalid_grant_needs_a_person(
    login: DeviceLogin, server: ScriptedServer, time: FakeTime, wall: Wall
) -> None:
    server.polls = [error("invalid_grant", error_description="Revoked.")]
    passes(3600, time, wall)
    with pytest.raises(
        LoginRequired, match=r"has ended \(invalid_grant: Revoked.\). Sign in again"
    ):
        await login.access_token()


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (error("invalid_client"), ServerError),
        (Say("<html>Sign in to the hotel's network"), MalformedAnswerError),
        (Say("", status=302, headers={"Location": "https://portal"}), MalformedAnswerError),
        (Say({"access_token": "a2"}), MalformedAnswerError),
    ],
)
async def test_other_answers_end_no_login(
    login: DeviceLogin,
    server: ScriptedServer,
    time: FakeTime,
    wall: Wall,
    answer: Say,
    kind: type[Exception],
) -> None:
    server.polls = [answer, refreshed(2)]
    passes(3600, time, wall)
    with pytest.raises(kind):
        await login.access_token()
    assert await login.access_token() == "a2"
    assert sent(server) == ["r1", "r1"]


async def test_a_full_disk_shows_before_the_refresh_token_is_spent(
    login: DeviceLogin, server: ScriptedServer, time: FakeTime, wall: Wall
) -> None:
    """A folder in the place of the new file stands for a disk that takes nothing."""
    login.file.path.with_suffix(".new").mkdir()
    passes(3600, time, wall)
    with pytest.raises(TokenFileError):
        await login.access_token()
    assert server.polled == []


async def test_what_was_not_stored_is_not_given_out(
    login: DeviceLogin,
    server: ScriptedServer,
    time: FakeTime,
    wall: Wall,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The disk gets full during the request: the next attempt asks with the old token again."""
    server.polls = [refreshed(2), refreshed(3)]
    passes(3600, time, wall)
    write, written = login.file.write, []

    def fills_up(kept: KeptTokens) -> None:
        written.append(kept.tokens.access_token)
        if kept.tokens.access_token == "a2":
            raise TokenFileError("no space left on device")
        write(kept)

    monkeypatch.setattr(login.file, "write", fills_up)
    with pytest.raises(TokenFileError):
        await login.access_token()
    assert await login.access_token() == "a3"
    assert (sent(server), written) == (["r1", "r1"], ["a1", "a2", "a1", "a3"])


async def test_two_processes_refresh_once(
    login: DeviceLogin,
    other_process: DeviceLogin,
    server: ScriptedServer,
    time: FakeTime,
    wall: Wall,
) -> None:
    server.polls = [refreshed(2)]
    passes(3600, time, wall)
    first, second = await asyncio.gather(login.access_token(), other_process.access_token())
    assert (first, second) == ("a2", "a2")
    assert sent(server) == ["r1"]


async def test_a_token_that_an_api_refused_is_replaced(
    login: DeviceLogin, other_process: DeviceLogin, server: ScriptedServer
) -> None:
    """Once: the other process refused the same one, and uses what the first one got."""
    server.polls = [refreshed(2)]
    assert await login.access_token(refused="a1") == "a2"
    assert await other_process.access_token(refused="a1") == "a2"
    assert sent(server) == ["r1"]


@pytest.mark.parametrize("expires_in", [None, 0])
async def test_a_token_without_expiry_lasts_until_it_is_refused(
    login: DeviceLogin,
    server: ScriptedServer,
    time: FakeTime,
    wall: Wall,
    expires_in: int | None,
) -> None:
    await login.keep(msgspec.structs.replace(FIRST, expires_in=expires_in))
    server.polls = [refreshed(2)]
    passes(1e9, time, wall)
    assert await login.access_token() == "a1"
    assert await login.access_token(refused="a1") == "a2"


async def test_a_clock_that_is_set_back(
    login: DeviceLogin,
    other_process: DeviceLogin,
    server: ScriptedServer,
    time: FakeTime,
    wall: Wall,
) -> None:
    """In this process the other clock knows; another process asks for a new token."""
    assert await login.access_token() == "a1"
    passes(3000, time, wall)
    wall.now -= 2900
    time.now += 600
    server.polls = [refreshed(2), refreshed(3)]
    assert await login.access_token() == "a2"
    wall.now -= 1e9
    assert await other_process.access_token() == "a3"


async def test_without_a_refresh_token_a_person_signs_in(
    login: DeviceLogin, server: ScriptedServer, time: FakeTime, wall: Wall
) -> None:
    await login.keep(msgspec.structs.replace(FIRST, refresh_token=None))
    passes(3600, time, wall)
    with pytest.raises(LoginRequired, match="offline_access"):
        await login.access_token()
    assert server.polled == []


async def test_logout_revokes_and_removes(login: DeviceLogin, server: ScriptedServer) -> None:
    server.metadata = {"revocation_endpoint": f"{server.issuer}/revoke"}
    assert await login.logout() is True
    (request,) = server.requests("/revoke")
    assert request.form == {
        "client_id": "tv-app", "token": "r1", "token_type_hint": "refresh_token",
    }  # fmt: skip
    assert login.file.read() is None
    with pytest.raises(LoginRequired):
        await login.logout()


async def test_logout_without_a_refresh_token(login: DeviceLogin, server: ScriptedServer) -> None:
    server.metadata = {"revocation_endpoint": f"{server.issuer}/revoke"}
    await login.keep(msgspec.structs.replace(FIRST, refresh_token=None))
    await login.logout()
    (request,) = server.requests("/revoke")
    assert (request.form["token"], request.form["token_type_hint"]) == ("a1", "access_token")


async def test_a_logout_at_a_server_that_cannot_revoke(
    login: DeviceLogin, server: ScriptedServer
) -> None:
    assert await login.logout() is False
    assert login.file.read() is None
    assert server.requests("/revoke") == []


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (Say("", status=503), UnavailableError),
        (error("invalid_client"), ServerError),
        (Say("<html>", status=404), MalformedAnswerError),
    ],
)
async def test_a_logout_that_failed_can_be_tried_again(
    login: DeviceLogin, server: ScriptedServer, answer: Say, kind: type[Exception]
) -> None:
    server.metadata = {"revocation_endpoint": f"{server.issuer}/revoke"}
    server.revocation = answer
    with pytest.raises(kind):
        await login.logout()
    assert login.file.read() is not None


async def test_a_kind_of_token_that_cannot_be_revoked(
    login: DeviceLogin, server: ScriptedServer
) -> None:
    """RFC 7009 2.2.1."""
    server.metadata = {"revocation_endpoint": f"{server.issuer}/revoke"}
    server.revocation = error("unsupported_token_type")
    assert await login.logout() is False
