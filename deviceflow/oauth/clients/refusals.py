"""What the log and the audit say of refused clients: enough to find the cause, never a flood."""

import re

import structlog
from aiohttp import web

from deviceflow.audit.events import SecurityEvent
from deviceflow.audit.journal import Audit
from deviceflow.callers import Callers
from deviceflow.core.clock import Clock
from deviceflow.ops.metrics import table
from deviceflow.ops.metrics.metric import OTHER
from deviceflow.ops.metrics.recorder import Recorder
from deviceflow.ops.thinned_log import ThinnedLog

OTHERS = ("(others)", "", "more kinds than are told in a minute")
NOT_SHOWN = "(not shown)"

# Short enough that a secret in the place of the id is not shown.
_SHOWABLE = re.compile(r"[\x21-\x7e]{1,40}")

log = structlog.get_logger()


class RefusalLog:
    """Logs refused clients for the operator.

    A client, address and reason are a kind of `ThinnedLog`. `recorder` counts all of them, those of
    clients that are not known together.
    """

    def __init__(self, callers: Callers, clock: Clock, recorder: Recorder, audit: Audit) -> None:
        self._callers = callers
        self._recorder = recorder
        self._audit = audit
        self._thinned = ThinnedLog(OTHERS, clock)

    def note(self, request: web.Request, client_id: str, reason: str, *, known: bool) -> None:
        """Note that `request` was refused; `reason` is this server's own text.

        `client_id` may be any text, sent by anybody, unless the client is `known`.
        """
        self._recorder.count_client(table.CLIENT_REFUSALS, client_id if known else OTHER)
        self._audit.record(
            SecurityEvent.CLIENT_REFUSED,
            outcome="failure",
            # A text that is no client's id may be a secret.
            client_id=client_id if known else "",
            reason=reason,
        )
        if not known and not _SHOWABLE.fullmatch(client_id):
            client_id = NOT_SHOWN
        line = self._thinned.note((client_id, self._callers.address(request), reason))
        if line is not None:
            (client_id, address, reason), times = line
            log.warning(
                "client.refused", client_id=client_id, address=address, reason=reason, times=times
            )
