"""A queue in front of workers: first come, first served."""

import numpy as np

from benchmarks.simulation.calendar import Times


class Station:
    """`cores` that work together on one queue, like workers to whom requests are spread evenly.

    Work that is waiting is done even if the device has given up meanwhile: a server reads a request
    before it knows that its connection has been closed.
    """

    def __init__(self, cores: float) -> None:
        self._cores = cores
        self._free_at = 0.0
        self._given_s = 0.0

    def serve(self, arrivals: Times, work_s: Times) -> Times:
        """Return when requests are answered. `arrivals`: in their order; `work_s`: of one core."""
        if not len(arrivals):
            return arrivals
        took = np.cumsum(work_s / self._cores)
        # Each request begins when it has arrived and the one before it is done (Lindley).
        idle_until = np.maximum.accumulate(arrivals - (took - work_s / self._cores))
        done: Times = took + np.maximum(idle_until, self._free_at)
        self._free_at = float(done[-1])
        self._given_s += float(took[-1])
        return done

    def wait_s(self, now: float) -> float:
        """Return how long a request waits that arrives now."""
        return max(0.0, self._free_at - now)

    def busy_s(self, now: float) -> float:
        """Return for how long it has been busy until now."""
        return self._given_s - self.wait_s(now)
