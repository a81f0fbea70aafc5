"""The client with a scripted server: its requests, their times, and its results."""

import json
from base64 import b64decode
from itertools import pairwise
from time import monotonic

import aiohttp
import pytest

from deviceflow.device import (
    AccessDenied,
    Decided,
    DeviceAuthorization,
    DeviceClient,
    DiscoveryError,
    Event,
    ExpiredToken,
    InsecureAddressError,
    MalformedAnswerError,
    Metadata,
    Pending,
    ServerError,
    SlowDown,
    Tokens,
    UnavailableError,
    Unreachable,
)
from deviceflow.device.client import GRANT_TYPE
from deviceflow.device.client_auth import AuthMethod
from tests.stage.scripted import CODES, PENDING, TOKENS, FakeTime, Say, ScriptedServer, error

GIVEN = DeviceAuthorization(
    device_code="c", user_code="u", verification_uri="https://example.com/", expires_in=20
)


def impatient(server: ScriptedServer, time: FakeTime, max_wait: int = 0) -> DeviceClient:
    """Make a client that waits half a second for an answer."""
    metadata = Metadata(
        issuer=server.issuer,
        token_endpoint=f"{server.issuer}/token",
        device_authorization_endpoint=f"{server.issuer}/device_authorization",
        device_poll_max_wait=max_wait,
    )
    return DeviceClient(
        metadata, "tv", timeout_s=0.5, clock=time.clock, sleep=time.sleep, jitter=lambda: 0.0
    )


async def outcome(client: DeviceClient) -> tuple[list[Event], Tokens]:
    """Run one grant to its tokens."""
    events: list[Event] = []
    authorization = await client.authorize()
    tokens = await client.poll_until_decided(authorization, on_event=events.append)
    return events, tokens


def pauses(server: ScriptedServer) -> list[float]:
    return [later.at - earlier.at for earlier, later in pairwise(server.polled)]


async def test_authorize_sends_the_client_and_the_scope(
    client: DeviceClient, server: ScriptedServer
) -> None:
    """8628-3.2-a."""
    authorization = await client.authorize("openid profile", extra={"audience": "api"})
    (request,) = server.requests("/device_authorization")
    assert request.form == {"client_id": "tv-app", "scope": "openid profile", "audience": "api"}
    assert request.headers["Accept"] == "application/json"
    assert "Authorization" not in request.headers
    assert authorization.user_code == "WDJB-MJHT"
    assert authorization.expires_in == 600


async def test_no_scope_is_no_parameter(client: DeviceClient, server: ScriptedServer) -> None:
    """8628-3.1-b."""
    await client.authorize()
    assert server.requests("/device_authorization")[0].form == {"client_id": "tv-app"}


async def test_a_missing_interval_is_five_seconds(
    client: DeviceClient, server: ScriptedServer
) -> None:
    """8628-3.2-b."""
    server.codes = Say({k: v for k, v in CODES.items() if k != "interval"})
    assert (await client.authorize()).interval == 5


async def test_polls_wait_the_interval_and_carry_the_device_code(
    client: DeviceClient, server: ScriptedServer, time: FakeTime
) -> None:
    """8628-3.4-a, 8628-3.5-a, 8628-3.5-d."""
    server.polls = [error("authorization_pending"), error("authorization_pending"), Say(TOKENS)]
    begun = time.now
    events, tokens = await outcome(client)
    assert [poll.at - begun for poll in server.polled] == [5, 10, 15]
    assert server.polled[0].form == {
        "grant_type": GRANT_TYPE,
        "device_code": CODES["device_code"],
        "client_id": "tv-app",
    }
    assert "Prefer" not in server.polled[0].headers
    assert events[:2] == [Pending(polls=1, retry_in=5), Pending(polls=2, retry_in=5)]
    assert events[2] == Decided(polls=3, tokens=tokens)
    assert tokens.access_token == TOKENS["access_token"]
    assert tokens.answer == TOKENS


async def test_slow_down_lasts(client: DeviceClient, server: ScriptedServer) -> None:
    """8628-3.5-b."""
    server.polls = [
        error("slow_down"),
        error("authorization_pending"),
        error("slow_down", interval=30),
        error("slow_down", interval=7),
        error("authorization_pending"),
        Say(TOKENS),
    ]
    events, _ = await outcome(client)
    assert pauses(server) == [10, 10, 30, 35, 35]
    assert [event.interval for event in events if isinstance(event, SlowDown)] == [10, 30, 35]


async def test_slow_down_waits_as_long_as_retry_after_says(
    client: DeviceClient, server: ScriptedServer
) -> None:
    too_fast = Say({"error": "slow_down"}, status=429, headers={"Retry-After": "20"})
    server.polls = [too_fast, error("authorization_pending"), Say(TOKENS)]
    await outcome(client)
    assert pauses(server) == [20, 10]


@pytest.mark.parametrize("status", [200, 400, 401, 403])
async def test_a_denial_ends_whatever_its_status(
    client: DeviceClient, server: ScriptedServer, status: int
) -> None:
    """8628-3.5-c."""
    server.polls = [Say({"error": "access_denied", "error_description": "no"}, status=status)]
    with pytest.raises(AccessDenied) as caught:
        await outcome(client)
    assert caught.value.description == "no"
    assert len(server.polled) == 1


async def test_expired_token_ends(client: DeviceClient, server: ScriptedServer) -> None:
    """8628-3.5-c."""
    server.polls = [error("expired_token")]
    with pytest.raises(ExpiredToken):
        await outcome(client)
    assert len(server.polled) == 1


async def test_polling_stops_at_expires_in(
    client: DeviceClient, server: ScriptedServer, time: FakeTime
) -> None:
    server.codes = Say({**CODES, "expires_in": 12})
    begun = time.now
    with pytest.raises(ExpiredToken, match="not approved within 12 s"):
        await outcome(client)
    assert [poll.at - begun for poll in server.polled] == [5, 10]
    assert time.now == begun + 12


async def test_any_other_error_ends(client: DeviceClient, server: ScriptedServer) -> None:
    server.polls = [error("invalid_grant", error_description="used\x1b[31m before")]
    with pytest.raises(ServerError) as caught:
        await outcome(client)
    assert str(caught.value) == "invalid_grant: used [31m before"
    assert (caught.value.code, caught.value.status) == ("invalid_grant", 400)


async def test_lost_connections_back_off_and_polling_goes_on(
    client: DeviceClient, server: ScriptedServer
) -> None:
    server.polls = [
        *(Say(PENDING, hangs_up=True) for _ in range(5)),
        error("authorization_pending"),
        Say(PENDING, hangs_up=True),
        Say(TOKENS),
    ]
    events, _ = await outcome(client)
    assert pauses(server) == [10, 20, 40, 60, 60, 5, 10]
    assert sum(isinstance(event, Unreachable) for event in events) == 6


async def test_a_time_out_backs_off(server: ScriptedServer, time: FakeTime) -> None:
    """RFC 8628 3.5, last paragraph: after a time-out, the client polls less often."""
    server.polls = [Say(PENDING, really_takes=1), Say(PENDING, really_takes=1)]
    events: list[Event] = []
    async with impatient(server, time) as client:
        with pytest.raises(ExpiredToken):
            await client.poll_until_decided(GIVEN, on_event=events.append)
    assert events[:-1] == [
        Unreachable(reason="no answer within 0.5 s", polls=1, retry_in=10),
        Unreachable(reason="no answer within 0.5 s", polls=2, retry_in=20),
    ]


async def test_an_overloaded_server_is_waited_out(
    client: DeviceClient, server: ScriptedServer
) -> None:
    date = {"Date": "Fri, 06 Nov 2026 08:00:00 GMT", "Retry-After": "Fri, 06 Nov 2026 08:00:50 GMT"}
    server.polls = [
        Say("<html>bad gateway", status=502, headers={"Retry-After": "40"}),
        Say({"error": "too_many_requests"}, status=429, headers={"Retry-After": "3"}),
        Say({"error": {"code": 503}}, status=503, headers=date),
        Say("", status=500),
        Say(TOKENS),
    ]
    events, _ = await outcome(client)
    assert pauses(server) == [40, 5, 50, 60]
    assert events[0] == Unreachable(reason="HTTP 502", polls=1, retry_in=40)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Say("<html>Sign in to the hotel's network"), "HTTP 200 and no JSON object"),
        (Say("gone", status=404), "HTTP 404 and no JSON object"),
        (Say({"hello": 1}, status=400), "HTTP 400 without an OAuth error"),
        (Say({"token_type": "Bearer"}), "token response is not complete.*access_token"),
        (Say({"access_token": 1, "token_type": "Bearer"}), "token response is not complete"),
        (Say("", status=302, headers={"Location": "/token"}), "HTTP 302"),
        (Say(" " * (1 << 20) + "{}"), "longer than any OAuth answer"),
    ],
)
async def test_malformed_answers_end_with_words(
    client: DeviceClient, server: ScriptedServer, answer: Say, words: str
) -> None:
    server.polls = [answer]
    with pytest.raises(MalformedAnswerError, match=words):
        await outcome(client)


async def test_an_endless_slow_down_ends_with_the_code(
    client: DeviceClient, server: ScriptedServer
) -> None:
    """Ten minutes: after 5 s, 10 s more, 15 s more and so on."""
    server.polls = [error("slow_down") for _ in range(100)]
    with pytest.raises(ExpiredToken):
        await outcome(client)
    assert len(server.polled) == 14
    assert pauses(server) == [*range(10, 75, 5)]


async def test_json_by_another_name_is_json(client: DeviceClient, server: ScriptedServer) -> None:
    server.codes = Say(json.dumps(CODES), headers={"Content-Type": "text/html"})
    server.polls = [Say(json.dumps(TOKENS), headers={"Content-Type": "text/html"})]
    _, tokens = await outcome(client)
    assert tokens.access_token == TOKENS["access_token"]


def test_waits_go_by_a_clock_that_nobody_sets() -> None:
    """The sleep of asyncio goes by time.monotonic, too."""
    assert DeviceClient("https://example.com", "tv").time.clock is monotonic


async def test_a_refused_client_gets_no_codes(client: DeviceClient, server: ScriptedServer) -> None:
    """8628-3.2-c."""
    server.codes = Say({"error": "invalid_client"}, status=401)
    with pytest.raises(ServerError, match="invalid_client"):
        await client.authorize()


@pytest.mark.parametrize(
    ("busy", "pauses"),
    [
        (Say({"error": "x"}, status=429, headers={"Retry-After": "20"}), [20, 20, 20]),
        (Say({"error": "x"}, status=503), [5, 10, 20]),
    ],
)
async def test_codes_are_asked_for_again_when_the_server_says(
    client: DeviceClient,
    server: ScriptedServer,
    time: FakeTime,
    busy: Say,
    pauses: list[float],
) -> None:
    """For a minute; then the program has to decide."""
    server.codes, began = busy, time.now
    told: list[float] = []
    with pytest.raises(UnavailableError, match="Try again in") as caught:
        await client.authorize(on_pause=told.append)
    assert caught.value.status == busy.status
    assert told == pauses
    assert time.now - began == sum(pauses) <= 60


async def test_a_server_that_is_busy_for_a_while(
    client: DeviceClient, server: ScriptedServer
) -> None:
    busy = Say({"error": "temporarily_unavailable"}, status=429, headers={"Retry-After": "7"})
    server.codes = busy

    def serve_again(_: float) -> None:
        server.codes = Say(CODES)

    assert (await client.authorize(on_pause=serve_again)).user_code == CODES["user_code"]


@pytest.mark.parametrize(("status", "patience_s"), [(500, 60.0), (503, 0.0)])
async def test_what_is_not_waited_for(
    client: DeviceClient, server: ScriptedServer, time: FakeTime, status: int, patience_s: float
) -> None:
    server.codes, began = Say({"error": "x"}, status=status), time.now
    with pytest.raises(UnavailableError):
        await client.authorize(patience_s=patience_s)
    assert time.now == began


@pytest.mark.parametrize("member", ["device_code", "user_code", "verification_uri", "expires_in"])
async def test_incomplete_codes_are_malformed(
    client: DeviceClient, server: ScriptedServer, member: str
) -> None:
    server.codes = Say({k: v for k, v in CODES.items() if k != member})
    with pytest.raises(MalformedAnswerError, match=member):
        await client.authorize()


async def test_held_polls_follow_one_another_at_once(
    client: DeviceClient, server: ScriptedServer, time: FakeTime
) -> None:
    server.metadata = {"device_poll_max_wait": 30}
    server.codes = Say({**CODES, "expires_in": 100})
    applied = {"Preference-Applied": "wait=30"}
    server.polls = [
        Say(PENDING, status=400, headers=applied, takes=30),
        Say(PENDING, status=400, headers=applied, takes=2),
        Say(PENDING, status=400, takes=30),
        Say(PENDING, status=400, headers=applied, takes=20),
        Say(TOKENS, headers=applied),
    ]
    begun = time.now
    await outcome(client)
    assert [poll.at - begun for poll in server.polled] == [0, 30, 35, 70, 90]
    asked = [poll.headers["Prefer"] for poll in server.polled]
    assert asked == ["wait=30", "wait=30", "wait=30", "wait=30", "wait=10"]


async def test_polls_that_are_cut_short_ask_for_less(
    client: DeviceClient, server: ScriptedServer
) -> None:
    server.metadata = {"device_poll_max_wait": 30}
    server.polls = [Say("", status=504, takes=15), Say(TOKENS)]
    await outcome(client)
    assert [poll.headers["Prefer"] for poll in server.polled] == ["wait=30", "wait=15"]


async def test_hold_can_be_declined(client: DeviceClient, server: ScriptedServer) -> None:
    server.metadata = {"device_poll_max_wait": 30}
    server.polls = [Say(TOKENS)]
    await client.poll_until_decided(await client.authorize(), hold=False)
    # Without it, the server may hold the poll unasked, for longer than the device waits.
    assert server.polled[0].headers["Prefer"] == "wait=0"


async def test_a_held_poll_may_take_longer_than_the_time_out(
    server: ScriptedServer, time: FakeTime
) -> None:
    """The HTTP time-out starts after the hold."""
    server.polls = [Say(TOKENS, really_takes=1)]
    async with impatient(server, time, max_wait=1) as client:
        tokens = await client.poll_until_decided(GIVEN)
    assert tokens.access_token == TOKENS["access_token"]


async def test_basic_encodes_id_and_secret_first(server: ScriptedServer) -> None:
    """6749-2.3.1-a: form-encoded, so that a colon in the id cannot split the pair."""
    async with DeviceClient(server.issuer, "a:b", "%:+ é") as client:
        await client.authorize()
    (request,) = server.requests("/device_authorization")
    scheme, _, pair = request.headers["Authorization"].partition(" ")
    assert (scheme, b64decode(pair)) == ("Basic", b"a%3Ab:%25%3A%2B+%C3%A9")
    assert request.form == {}


@pytest.mark.parametrize("told", [True, False])
async def test_post_sends_the_secret_in_the_form(server: ScriptedServer, *, told: bool) -> None:
    """6749-2.3-a: one method, which is the caller's or the only one of the server."""
    if not told:
        server.metadata = {"token_endpoint_auth_methods_supported": ["client_secret_post"]}
    method: AuthMethod | None = "client_secret_post" if told else None
    async with DeviceClient(server.issuer, "tv", "s3cret", auth_method=method) as client:
        await client.authorize()
    (request,) = server.requests("/device_authorization")
    assert request.form == {"client_id": "tv", "client_secret": "s3cret"}
    assert "Authorization" not in request.headers


def test_a_secret_and_its_method_belong_together() -> None:
    with pytest.raises(ValueError, match="needs a client_secret"):
        DeviceClient("https://example.com", "tv", auth_method="client_secret_basic")
    with pytest.raises(ValueError, match="leave one of them out"):
        DeviceClient("https://example.com", "tv", "s", auth_method="none")
    with pytest.raises(ValueError, match="client_id is empty"):
        DeviceClient("https://example.com", "")


def test_addresses_are_checked_before_anything_is_sent() -> None:
    """8628-3.1-a."""
    with pytest.raises(InsecureAddressError, match="not encrypted"):
        DeviceClient("http://example.com", "tv")
    with pytest.raises(DiscoveryError, match="does not offer the device flow"):
        DeviceClient(Metadata(issuer="https://a", token_endpoint="https://a/t"), "tv")


async def test_a_session_that_was_given_stays_open(server: ScriptedServer) -> None:
    async with aiohttp.ClientSession() as session:
        async with DeviceClient(server.issuer, "tv", session=session) as client:
            await client.authorize()
        assert not session.closed


async def test_metadata_is_fetched_once(client: DeviceClient, server: ScriptedServer) -> None:
    await client.authorize()
    await client.authorize()
    assert len(server.requests("/.well-known/oauth-authorization-server")) == 1


async def test_events_is_the_same_as_an_iterator(
    client: DeviceClient, server: ScriptedServer
) -> None:
    server.polls = [error("slow_down"), error("access_denied")]
    authorization = await client.authorize()
    kinds = [type(event) async for event in client.events(authorization)]
    assert kinds == [SlowDown, Decided]


def test_representations_hide_what_is_secret() -> None:
    tokens = Tokens(access_token="s3cret", token_type="Bearer", refresh_token="s3cret")
    codes = DeviceAuthorization(
        device_code="s3cret", user_code="u", verification_uri="https://x/", expires_in=60
    )
    assert "s3cret" not in repr((tokens, codes, Decided(polls=1, tokens=tokens)))
