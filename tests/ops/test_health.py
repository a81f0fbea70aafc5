"""/readyz speaks for all workers of a host."""

import json

import pytest
from aiohttp.test_utils import make_mocked_request

from deviceflow.ops.health import ELSEWHERE, REACHABLE, UNREACHABLE, Health
from deviceflow.ops.status_board import BOARD_BYTES, Phase, StatusBoard


@pytest.fixture
def board() -> StatusBoard:
    return StatusBoard(memoryview(bytearray(BOARD_BYTES)))


def health_of(store: str, board: StatusBoard | None = None) -> Health:
    cause = "nothing listens there" if store == UNREACHABLE else None
    return Health(lambda: store, lambda: cause, board)


async def answer(health: Health) -> tuple[int, dict[str, str]]:
    response = await health.readyz(make_mocked_request("GET", "/readyz"))
    assert isinstance(response.body, bytes)
    return response.status, json.loads(response.body)


def serve(board: StatusBoard, *stores: str) -> None:
    for index, store in enumerate(stores):
        board.cell(index).phase = Phase.SERVING
        board.cell(index).store = store


async def test_nobody_serves_yet(board: StatusBoard) -> None:
    """The first answer after a start is not about the store."""
    board.cell(0).phase = Phase.STARTING
    board.cell(1).phase = Phase.RETIRING
    status, body = await answer(health_of(UNREACHABLE, board))
    assert (status, body["status"]) == (503, "starting")


async def test_about_to_stop(board: StatusBoard) -> None:
    serve(board, REACHABLE)
    board.stopping = True
    status, body = await answer(health_of(REACHABLE, board))
    assert (status, body["status"]) == (503, "stopping")


@pytest.mark.parametrize(
    ("others", "own", "expected"),
    [
        ((REACHABLE, REACHABLE), REACHABLE, {"status": "ok", "store": "reachable"}),
        (
            (REACHABLE,),
            UNREACHABLE,
            {"status": "degraded", "store": "unreachable", "reason": "nothing listens there"},
        ),
        (
            (UNREACHABLE, "READONLY"),
            REACHABLE,
            {"status": "degraded", "store": "refuses", "reason": "READONLY"},
        ),
        (
            (REACHABLE,),
            "nearly full",
            {"status": "degraded", "store": "pressed", "reason": "nearly full"},
        ),
        (
            ("slow",),
            UNREACHABLE,
            {"status": "degraded", "store": "unreachable", "reason": "nothing listens there"},
        ),
    ],
)
async def test_the_worst_that_a_worker_sees(
    board: StatusBoard, others: tuple[str, ...], own: str, expected: dict[str, str]
) -> None:
    """A degraded server still answers pending polls, so it stays at 200."""
    serve(board, *others)
    assert await answer(health_of(own, board)) == (200, expected)


async def test_the_cause_that_another_worker_knows(board: StatusBoard) -> None:
    """The board has no room for it, so the answer names the place of it."""
    serve(board, REACHABLE, UNREACHABLE)
    away = {"status": "degraded", "store": "unreachable", "reason": ELSEWHERE}
    assert await answer(health_of(REACHABLE, board)) == (200, away)


async def test_a_worker_alone() -> None:
    assert (await answer(health_of(REACHABLE)))[0] == 200
