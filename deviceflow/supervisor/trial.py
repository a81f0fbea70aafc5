"""The trial of an upgrade: the new program says whether it could take over.

It is a child of the supervisor. It imports everything, reads the settings and the pages, and asks
the store; then it ends with status 0. Otherwise, its last lines are the reason.
"""

import os
import signal
import sys
import time
from pathlib import Path

from deviceflow.supervisor.errors import ChangeRefused
from deviceflow.supervisor.handover import Handover

TRIAL_S = 60.0
"""How long the trial may take. A new program has to be read from the disk."""

_MOST_BYTES = 65_536
_PREFIX = "deviceflow: "


def program() -> tuple[str, list[str]]:
    """Return the file and the arguments of the command that started this process."""
    arguments = sys.orig_argv
    # A name without a path was looked up by the shell; the interpreter knows where it was found.
    return (arguments[0] if Path(arguments[0]).is_absolute() else sys.executable), arguments


class Trial:
    """A trial that runs."""

    def __init__(self, handover: Handover) -> None:
        """Start it. May raise ChangeRefused."""
        file, arguments = program()
        self._output = os.memfd_create("deviceflow-trial")
        try:
            environment = handover.environment()
            try:
                self.pid = os.posix_spawn(
                    file,
                    arguments,
                    environment,
                    file_actions=[
                        (os.POSIX_SPAWN_DUP2, self._output, 1),
                        (os.POSIX_SPAWN_DUP2, self._output, 2),
                    ],
                )
            finally:
                handover.close(environment)
        except OSError as error:
            os.close(self._output)
            raise ChangeRefused(f"cannot run {file}: {error.strerror}") from error
        self._deadline = time.monotonic() + TRIAL_S

    def wait_s(self) -> float:
        """Return how much longer it may take, in s."""
        return max(0.0, self._deadline - time.monotonic())

    def end_if_late(self) -> None:
        """Kill it if it takes too long."""
        if not self.wait_s():
            os.kill(self.pid, signal.SIGKILL)

    def check(self, status: int) -> None:
        """Look at how it ended. May raise ChangeRefused: the new program could not take over."""
        size = os.fstat(self._output).st_size
        text = os.pread(self._output, _MOST_BYTES, max(0, size - _MOST_BYTES)).decode(
            "utf-8", "replace"
        )
        os.close(self._output)
        if status == 0:
            return
        lines = [line for line in text.splitlines() if line.strip()]
        named = [line.removeprefix(_PREFIX) for line in lines if line.startswith(_PREFIX)]
        raise ChangeRefused(
            *(named or lines[-1:] or [f"the new program ended with status {status}"])
        )
