"""What a server uses while its processes come and go: CPU time that never goes back."""

from collections.abc import Callable

from benchmarks.processes import BenchmarkError, cpu_seconds, memory_bytes
from deviceflow.fleet.record import ServerUse


class Use:
    """Reads what the processes below `pid()` use: workers, and the embedded store.

    A process that has ended takes its time with it, so what is lost is what it has used since the
    last look.
    """

    def __init__(self, pid: Callable[[], int]) -> None:
        self._pid = pid
        self._seen = 0.0
        self._total = 0.0

    def read(self) -> ServerUse:
        """Return the sum of CPU times so far, and the memory now; 0 while there is no process."""
        seen = cpu_seconds([self._pid()])
        self._total += max(0.0, seen - self._seen)
        self._seen = seen
        try:
            memory = memory_bytes(self._pid())
        except BenchmarkError:
            memory = 0
        return ServerUse(self._total, memory)
