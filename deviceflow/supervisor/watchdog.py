"""The watchdog: it kills a worker whose event loop stands still. The supervisor replaces it.

Each worker counts its beats on the status board. The watchdog looks once a second, and counts the
looks since a worker's last beat. It does not compare times: a host that slept, or a supervisor that
could not run, has made fewer looks, so no worker is blamed for that time. A worker whose loop has
not begun to beat is not watched: on a busy machine, a start may take long.
"""

import signal
import time

import structlog

from deviceflow.supervisor.workers import WorkerProcess, Workers

TICK_S = 1.0

log = structlog.get_logger()


class Watchdog:
    """Watches the workers that are not about to end."""

    def __init__(self, workers: Workers) -> None:
        self._workers = workers
        self._next = 0.0

    def waits(self, limit_s: int) -> list[float]:
        """Return the time until the next look, in s; nothing if `limit_s` is 0."""
        return [max(0.0, self._next - time.monotonic())] if limit_s else []

    def look(self, limit_s: int) -> None:
        """Kill the workers that have stood still for `limit_s`, if it is time to look."""
        if not limit_s or time.monotonic() < self._next:
            return
        self._next = time.monotonic() + TICK_S
        for process in self._workers:
            if process.retires_since is None and self._is_silent(process, limit_s):
                consequence = "it is killed and replaced"
                log.error("worker.hung", pid=process.pid, for_s=limit_s, consequence=consequence)
                process.signal(signal.SIGKILL)

    def _is_silent(self, process: WorkerProcess, limit_s: int) -> bool:
        beats = self._workers.cell(process).beats
        process.silent_ticks = process.silent_ticks + 1 if beats == process.beats else 0
        process.beats = beats
        return beats > 0 and process.silent_ticks * TICK_S >= limit_s
