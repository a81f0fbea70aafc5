"""While the store is asked for a grant, its connection waits: what may happen meanwhile."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
import pytest

from deviceflow.oauth.poll.door import REQUEST_TIMEOUT_S
from deviceflow.oauth.start.lane import REMEMBERED_STARTS
from deviceflow.ops.metrics import table
from tests.oauth.start.conftest import Pair
from tests.stage.oauth import AUTHORIZE, Stage
from tests.stage.served import METADATA, Served, post, serve
from tests.stage.waiting import turns_until

START = post(AUTHORIZE.encode(), b"client_id=tv-app")


class Store:
    """Makes the grants of a worker wait for `release`. `asked`: how many do or did."""

    def __init__(self) -> None:
        self.release = asyncio.Event()
        self.asked = 0

    @contextmanager
    def slowing(self, served: Served, monkeypatch: pytest.MonkeyPatch) -> Iterator["Store"]:
        grants = served.apps.parts.grants
        issue = grants.issue

        async def slow(*arguments: object) -> object:
            self.asked += 1
            await self.release.wait()
            return await issue(*arguments)  # type: ignore[arg-type]

        with monkeypatch.context() as patch:
            patch.setattr(grants, "issue", slow)
            try:
                yield self
            finally:
                self.release.set()


async def asked(store: Store, number: int) -> None:
    await turns_until(lambda: store.asked == number)


async def test_what_is_sent_meanwhile_is_answered_after_it(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = pair.with_lane
    async with await served.connect() as peer:
        with Store().slowing(served, monkeypatch) as store:
            await peer.send(START, METADATA, START)
            await asked(store, 1)
            assert not peer.at_server.is_idle()
            assert not peer.at_server.is_stuck()
        kinds = [next(iter((await peer.answer()).json)) for _ in range(3)]
    assert kinds == ["device_code", "issuer", "device_code"]


async def test_a_client_that_sends_no_more_gets_its_answers(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RFC 9112 9.6; and the connection is closed after the last one."""
    for side in pair:
        async with await side.connect() as peer:
            with Store().slowing(side, monkeypatch) as store:
                await peer.send(START, START)
                await asked(store, 1)
                peer.writer.write_eof()
                await turns_until(lambda: peer.at_server.has_ended)
            answers = [await peer.answer() for _ in range(2)]
            assert await peer.rest() == b""
        assert [answer.status for answer in answers] == [200, 200]
        assert {answer.header("Connection") for answer in answers} == {None}


async def test_a_client_that_has_gone(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its grant is made, and ends by its time; nobody else is touched."""
    served = pair.with_lane
    async with await served.connect() as peer:
        with Store().slowing(served, monkeypatch) as store:
            await peer.send(START)
            await asked(store, 1)
            peer.at_server.transport.abort()
            await turns_until(lambda: peer.at_server.lost)
    await served.apps.starts.lane.finish()
    assert served.apps.parts.recorder.read(table.GRANTS_ISSUED) == 1
    async with await served.connect() as other:
        assert (await other.ask(START)).status == 200


async def test_sweeps_leave_it_alone(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """The store has a time limit of its own; a client with half a request has that of the door."""
    served = pair.with_lane
    async with await served.connect() as peer, await served.connect() as half:
        with Store().slowing(served, monkeypatch) as store:
            await peer.send(START)
            await half.send(START[:-4])
            await asked(store, 1)
            for _ in range(3):
                served.door.sweep(REQUEST_TIMEOUT_S)
            await turns_until(lambda: half.at_server.lost)
            assert not peer.at_server.is_closing
        assert (await peer.answer()).status == 200


async def test_too_much_sent_ahead(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    served = pair.with_lane
    async with await served.connect() as peer:
        with Store().slowing(served, monkeypatch) as store:
            await peer.send(START)
            await asked(store, 1)
            await peer.send(b"x" * 20_000)
            await turns_until(lambda: peer.at_server.lost)


@pytest.mark.parametrize("ends", ["retire", "drain"])
async def test_a_worker_that_ends_answers_what_it_took(
    stage: Stage, ends: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serve(stage) as served, await served.connect() as peer:
        with Store().slowing(served, monkeypatch) as store:
            await peer.send(START)
            await asked(store, 1)
            ending = asyncio.create_task(getattr(served.door, ends)())
            await turns_until(lambda: served.door.take_later(START, None) is None)
        answer = await peer.answer()
        assert answer.status == 200
        assert answer.header("Connection") == ("close" if ends == "retire" else None)
        assert await peer.rest() == b""
        await ending


async def test_a_changed_client(pair: Pair) -> None:
    """What the lane remembers of a request ends with a change of its client."""
    served, clients = pair.with_lane, pair.with_lane.apps.parts.clients
    client = clients.find("tv-app")
    assert client is not None
    async with await served.connect() as peer:
        assert (await peer.ask(START)).json["expires_in"] == 600
        for change, outcome in (
            ({"lifetime_s": 60}, 60),
            ({"pkce": "required"}, "The parameter code_challenge is missing."),
            ({"enabled": False}, "The client is unknown or could not be authenticated."),
        ):
            changed = msgspec.structs.replace(client, **change)
            clients._by_id["tv-app"] = changed
            answer = (await peer.ask(START)).json
            await peer.settle()
            assert answer.get("expires_in", answer.get("error_description")) == outcome


async def test_it_remembers_a_bounded_number(pair: Pair) -> None:
    served = pair.with_lane
    lane = served.apps.starts.lane
    for number in range(REMEMBERED_STARTS + 1):
        taken = lane.take(START.replace(b"Host: x", b"Host: %d" % number), ("127.0.0.1", 1))
        assert taken is not None
    assert 0 < len(lane._shapes) <= REMEMBERED_STARTS
