"""The count of answers by their status: those of aiohttp, and those of the lane of starts."""

from collections.abc import Awaitable, Callable

from aiohttp import web

from deviceflow.ops.metrics import table
from deviceflow.ops.metrics.recorder import Recorder

MACHINE, PERSON = "machine", "person"

OnPrepare = Callable[[web.Request, web.StreamResponse], Awaitable[None]]


def counting_responses(recorder: Recorder, machine_paths: tuple[str, ...]) -> OnPrepare:
    """Return what counts an answer when it is sent. `machine_paths`: where machines call."""

    async def count(request: web.Request, response: web.StreamResponse) -> None:
        is_machine = any(part in request.path for part in machine_paths)
        count_response(recorder, MACHINE if is_machine else PERSON, response.status)

    return count


def count_response(recorder: Recorder, audience: str, status: int) -> None:
    """Count an answer to MACHINE or PERSON."""
    recorder.count(table.RESPONSES, audience, f"{status // 100}xx")
