"""The count of the answers that aiohttp sends, by their status."""

from collections.abc import Awaitable, Callable

from aiohttp import web

from deviceflow.ops.metrics import table
from deviceflow.ops.metrics.recorder import Recorder

OnPrepare = Callable[[web.Request, web.StreamResponse], Awaitable[None]]


def counting_responses(recorder: Recorder, machine_paths: tuple[str, ...]) -> OnPrepare:
    """Return what counts an answer when it is sent. `machine_paths`: where machines call."""

    async def count(request: web.Request, response: web.StreamResponse) -> None:
        is_machine = any(part in request.path for part in machine_paths)
        audience = "machine" if is_machine else "person"
        recorder.count(table.RESPONSES, audience, f"{response.status // 100}xx")

    return count
