"""How token requests end, counted for the operator by grant type and outcome."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from aiohttp import web

from deviceflow.core.errors import OAuthError
from deviceflow.core.messages import DEVICE_CODE_GRANT
from deviceflow.oauth.answers import ERROR_CODE
from deviceflow.oauth.token.request import TokenRequest
from deviceflow.ops.metrics import table
from deviceflow.ops.metrics.recorder import Recorder
from deviceflow.store.errors import StoreUnavailable

ORDINARY = "ordinary"
"""The path of polls that the lane has left to the token endpoint."""


@dataclass
class TokenOutcome:
    """The outcome of one token request: TOKENS or an error code."""

    code: str = "server_error"

    def note(self, response: web.Response) -> None:
        """Note the answer of the grant type."""
        self.code = response.get(ERROR_CODE, table.TOKENS)


@dataclass(frozen=True, kw_only=True)
class TokenRequestCounts:
    """Counts the token requests of a worker whose client is authenticated."""

    recorder: Recorder

    @contextmanager
    def counting(self, request: TokenRequest) -> Iterator[TokenOutcome]:
        """Count `request` at the end of the block, with the outcome that was noted or raised."""
        outcome = TokenOutcome()
        try:
            yield outcome
        except OAuthError as error:
            outcome.code = error.code
            raise
        except StoreUnavailable:
            outcome.code = "temporarily_unavailable"
            raise
        finally:
            self._count(request, outcome.code)

    def _count(self, request: TokenRequest, outcome: str) -> None:
        client_id = request.client.client_id
        if request.parameters["grant_type"] == DEVICE_CODE_GRANT:
            self.recorder.count(table.POLLS, outcome, ORDINARY)
        else:
            self.recorder.count(table.REFRESHES, outcome)
        if outcome == table.TOKENS:
            self.recorder.count_client(table.CLIENT_TOKENS, client_id)
        self.recorder.count_poll_fault(outcome, client_id)
