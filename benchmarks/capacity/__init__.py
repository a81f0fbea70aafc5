"""`capacity`: the costs that the capacity model needs, and the model beside a real small fleet.

In each round, single operations are measured one kind after the other, at a server with one worker
and its log at the level of the default; then a small fleet does everything at once. The verdicts
compare what the fleet used with what the costs of the same round predict. The costs that are kept
are the lowest of all rounds: other work on the machine only adds to them.
"""

from benchmarks.capacity.bench import run
from benchmarks.capacity.page import write_page

__all__ = ["run", "write_page"]
