"""Logs: a line for each event, for people on a terminal, and as JSON elsewhere."""

import io
import logging
import sys
from collections.abc import Callable, Mapping, MutableMapping
from contextlib import suppress
from ipaddress import ip_address
from types import TracebackType
from typing import Any, Literal, TextIO, cast

import structlog
from structlog.typing import Processor

from deviceflow.core.address import network_key

LogFormat = Literal["auto", "console", "json"]
Addresses = Literal["full", "network", "none"]

Tap = Callable[[Mapping[str, Any]], None]
"""Receives each event that is logged."""

TAPS: list[Tap] = []
"""The taps of this process."""

log = structlog.get_logger()


class _Standing(io.TextIOBase):
    """A stream whose other end may go: a lost terminal is no reason for a server to end."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with suppress(OSError, ValueError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            self._stream.flush()


def configure(level: str, form: LogFormat, addresses: Addresses = "full") -> None:
    """Send events of at least `level` to standard error.

    What the libraries log, and exceptions that nothing catches, are events like all others.
    """
    console = sys.stderr.isatty() if form == "auto" else form == "console"
    processors: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _tell_taps,
    ]
    if addresses != "full":
        processors.append(_ShortAddresses(addresses))
    if console:
        # The plain traceback: the rich one prints local variables, which hold codes and tokens.
        renderer = structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
        processors.append(renderer)
    else:
        processors += [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(level),
        # One write per line, because the processes share standard error. print() makes two.
        logger_factory=structlog.WriteLoggerFactory(cast("TextIO", _Standing(sys.stderr))),
        # A reload may change the level, also for modules that have logged before.
        cache_logger_on_first_use=False,
    )
    # aiohttp.server logs requests that it cannot parse, and these may hold codes and secrets.
    logging.getLogger("aiohttp.server").disabled = True
    logging.basicConfig(level=logging.WARNING, handlers=[_ToEvents()])
    logging.captureWarnings(capture=True)
    sys.excepthook = _log_uncaught


def _tell_taps(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for tap in TAPS:
        tap(event)
    return event


class _ToEvents(logging.Handler):
    """Makes events of what libraries log, such as an exception in a task that nobody awaited."""

    def emit(self, record: logging.LogRecord) -> None:
        log.log(
            record.levelno,
            "library.logged",
            logger=record.name,
            message=record.getMessage(),
            exc_info=record.exc_info,
        )


def _log_uncaught(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
    else:
        log.critical("server.failed", exc_info=(kind, error, trace))


class _ShortAddresses:
    """Shortens the addresses of devices and people in events, or takes them out."""

    def __init__(self, addresses: Addresses) -> None:
        self._addresses = addresses

    def __call__(
        self, _: object, __: str, event: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        """Change the field `address` of an event, if it is an IP address."""
        try:
            ip_address(event.get("address", ""))
        except ValueError:
            return event
        if self._addresses == "none":
            del event["address"]
        else:
            event["address"] = network_key(event["address"])
        return event
