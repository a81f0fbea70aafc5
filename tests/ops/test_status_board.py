"""The status board: cells that do not disturb each other."""

from deviceflow.ops.status_board import BOARD_BYTES, CELLS, Phase, StatusBoard


def new_board() -> StatusBoard:
    return StatusBoard(memoryview(bytearray(BOARD_BYTES)))


def test_a_new_board_is_empty() -> None:
    board = new_board()
    assert not board.stopping
    assert list(board.serving()) == []
    assert (board.cell(0).beats, board.cell(0).phase, board.cell(0).store) == (0, Phase.FREE, "")


def test_cells_have_their_own_places() -> None:
    board = new_board()
    for index in (0, 1, CELLS - 1):
        cell = board.cell(index)
        cell.phase = Phase.SERVING
        cell.store = f"state {index}"
        cell.beat()
    board.cell(1).beat()
    board.cell(1).clear(Phase.STARTING)
    assert [cell.store for cell in board.serving()] == ["state 0", f"state {CELLS - 1}"]
    assert [board.cell(index).beats for index in (0, 1, CELLS - 1)] == [1, 0, 1]
    assert not board.stopping


def test_two_views_of_the_same_memory() -> None:
    """As the processes of a host have."""
    memory = memoryview(bytearray(BOARD_BYTES))
    StatusBoard(memory).stopping = True
    StatusBoard(memory).cell(7).store = "reachable"
    assert StatusBoard(memory).stopping
    assert StatusBoard(memory).cell(7).store == "reachable"


def test_a_text_that_is_too_long_is_cut() -> None:
    cell = new_board().cell(0)
    cell.beat()
    cell.store = "x" * 100
    assert cell.store == "x" * 24
    assert cell.beats == 1
