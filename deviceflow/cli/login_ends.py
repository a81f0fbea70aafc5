"""How `deviceflow login` ends without tokens: a line on standard error, and an exit status."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import click

from deviceflow.device import (
    AccessDenied,
    DeviceFlowError,
    ExpiredToken,
    LoginRequired,
    ServerError,
)
from deviceflow.device.errors import UnreachableError

DEFAULT_ISSUER = "http://127.0.0.1:8628"
ERROR, DENIED, EXPIRED, LOGIN_REQUIRED, INTERRUPTED = 1, 3, 4, 5, 130
_REFUSALS = {
    "invalid_client": "check --client-id and the client's secret",
    "unauthorized_client": "the server's operator must allow the device flow for this client",
    "invalid_scope": "use another --scope",
    "invalid_grant": "start again; the code was used or belongs to another client",
}


@contextmanager
def endings(issuer: str, client_id: str) -> Iterator[None]:
    """End the command when an error of the device's side ends the block."""
    try:
        yield
    except KeyboardInterrupt:
        _end(INTERRUPTED, "stopped. The code expires by itself; nothing was saved.")
    except AccessDenied as error:
        _end(DENIED, f"the sign-in was denied{_detail(error)}. Nothing was connected.")
    except ExpiredToken:
        _end(EXPIRED, "the code expired before it was approved. Run the command again.")
    except LoginRequired as error:
        _end(LOGIN_REQUIRED, f"{error} Run this command in a terminal, which can show the code.")
    except ServerError as error:
        _end(ERROR, refusal_words(error, client_id))
    except UnreachableError as error:
        hint = " Start it with: deviceflow serve" if issuer == DEFAULT_ISSUER else ""
        _end(ERROR, f"{error}{hint}")
    except DeviceFlowError as error:
        _end(ERROR, str(error))


def refusal_words(error: ServerError, client_id: str) -> str:
    """Say why a server refuses a client, and what to do."""
    advice = _REFUSALS.get(error.code, "see the server's log, or ask its operator")
    reason = str(error).rstrip(".")
    return f'the server refused the client "{client_id}": {reason}; {advice}.'


def _detail(error: ServerError) -> str:
    return f" ({error.description.rstrip('.')})" if error.description else ""


def _end(status: int, message: str) -> NoReturn:
    click.echo(f"deviceflow login: {' '.join(message.split())}", err=True)
    sys.exit(status)
