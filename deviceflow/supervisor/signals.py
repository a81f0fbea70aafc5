"""Signals, as numbers that come out of a pipe.

A signal handler does nothing. The C handler of Python writes the signal's number into a pipe
(set_wakeup_fd), and the supervisor reads it where it waits. So a signal never interrupts a step
halfway, and none is lost between a check and a wait.
"""

import os
import select
import signal
from collections.abc import Iterator
from contextlib import contextmanager

STOPS = {signal.SIGTERM, signal.SIGINT}


class SignalPipe:
    """SIGTERM, SIGINT and SIGCHLD, while `handled` lasts."""

    def __init__(self) -> None:
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._writer, False)

    @contextmanager
    def handled(self) -> Iterator[None]:
        """Write the numbers of the signals into the pipe, and do nothing else."""
        numbers = (*STOPS, signal.SIGCHLD)
        previous_handlers = {number: signal.signal(number, lambda *_: None) for number in numbers}
        previous_fd = signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(previous_fd)
            for number, handler in previous_handlers.items():
                signal.signal(number, handler)

    def pause(self, seconds: float) -> None:
        """Wait so long. A signal ends the pause; it stays in the pipe for the next `wait`."""
        select.select([self._reader], [], [], seconds)

    def wait(self, timeout: float | None) -> set[int]:
        """Wait for signals, at most `timeout` s, and return their numbers."""
        readable, _, _ = select.select([self._reader], [], [], timeout)
        return set(os.read(self._reader, 512)) if readable else set()
