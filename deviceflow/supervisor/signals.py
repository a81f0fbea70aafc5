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
RELOADS = {signal.SIGHUP}
UPGRADES = {signal.SIGUSR2}

HANDLED = {*STOPS, *RELOADS, *UPGRADES, signal.SIGUSR1, signal.SIGCHLD}
"""Nothing is done at SIGUSR1, but by default it would end the process."""

_READ_BYTES = 512


class SignalPipe:
    """The signals of HANDLED, while `handled` lasts. `descriptor`: readable when one has come."""

    def __init__(self) -> None:
        self.descriptor, self._writer = os.pipe()
        os.set_blocking(self.descriptor, False)
        os.set_blocking(self._writer, False)

    @contextmanager
    def handled(self) -> Iterator[None]:
        """Write the numbers of the signals into the pipe, and do nothing else."""
        previous_handlers = {number: signal.signal(number, lambda *_: None) for number in HANDLED}
        previous_fd = signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        # The program before an upgrade has left them blocked.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, HANDLED)
        try:
            yield
        finally:
            signal.set_wakeup_fd(previous_fd)
            for number, handler in previous_handlers.items():
                signal.signal(number, handler)

    def wait(self, timeout_s: float) -> None:
        """Wait for a signal, for at most `timeout_s`, and take it."""
        select.select([self.descriptor], [], [], timeout_s)
        self.take()

    def take(self) -> set[int]:
        """Return the numbers of the signals that have come."""
        try:
            return set(os.read(self.descriptor, _READ_BYTES))
        except BlockingIOError:
            return set()


def leave_to_supervisor() -> None:
    """Give a worker, which has just been forked, the signals of a worker.

    Ctrl-C and the loss of a terminal reach every process of the terminal, but the supervisor alone
    decides what to do.
    """
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, HANDLED)
