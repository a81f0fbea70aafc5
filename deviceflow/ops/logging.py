"""Logs: a line for each event, for people on a terminal, and as JSON elsewhere."""

import io
import logging
import sys
from contextlib import suppress
from typing import Literal, TextIO, cast

import structlog
from structlog.typing import Processor


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


def configure(level: str, form: Literal["auto", "console", "json"]) -> None:
    """Send events of at least `level` to standard error."""
    console = sys.stderr.isatty() if form == "auto" else form == "console"
    processors: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
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
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(name)s: %(message)s")
