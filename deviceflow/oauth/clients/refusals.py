"""What the log says of refused clients: enough to find the cause, never a flood."""

import re

import structlog
from aiohttp import web

from deviceflow.callers import Callers
from deviceflow.core.clock import Clock
from deviceflow.ops.metrics import table
from deviceflow.ops.metrics.metric import OTHER
from deviceflow.ops.metrics.recorder import Recorder

WINDOW_S = 60
KINDS_PER_WINDOW = 100
"""Cap on log lines per window. Beyond it, all refusals are counted as OTHERS."""

OTHERS = ("(others)", "", "more kinds than are told in a minute")
NOT_SHOWN = "(not shown)"

# Short enough that a secret in the place of the id is not shown.
_SHOWABLE = re.compile(r"[\x21-\x7e]{1,40}")

log = structlog.get_logger()


class RefusalLog:
    """Logs refused clients for the operator.

    A client, address and reason get one line a minute, and one more each time that the number of
    `times` has grown tenfold. `clock` gives s since 1970. `recorder` counts all of them, those of
    clients that are not known together.
    """

    def __init__(self, callers: Callers, clock: Clock, recorder: Recorder) -> None:
        self._callers = callers
        self._clock = clock
        self._recorder = recorder
        self._window = 0
        self._times: dict[tuple[str, str, str], int] = {}

    def note(self, request: web.Request, client_id: str, reason: str, *, known: bool) -> None:
        """Note that `request` was refused; `reason` is this server's own text.

        `client_id` may be any text, sent by anybody, unless the client is `known`.
        """
        self._recorder.count_client(table.CLIENT_REFUSALS, client_id if known else OTHER)
        if not known and not _SHOWABLE.fullmatch(client_id):
            client_id = NOT_SHOWN
        window = int(self._clock() // WINDOW_S)
        if window != self._window:
            self._window, self._times = window, {}
        kind = (client_id, self._callers.address(request), reason)
        if kind not in self._times and len(self._times) >= KINDS_PER_WINDOW:
            kind = OTHERS
        times = self._times[kind] = self._times.get(kind, 0) + 1
        if _is_power_of_ten(times):
            client_id, address, reason = kind
            log.warning(
                "client.refused", client_id=client_id, address=address, reason=reason, times=times
            )


def _is_power_of_ten(number: int) -> bool:
    return str(number).rstrip("0") == "1"
