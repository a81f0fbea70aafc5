"""Benchmarks of deviceflow and the alternatives, in one run, on one machine.

Contract: `python -m benchmarks NAME` runs one benchmark, prints a table and writes JSON and a
plot. `python -m benchmarks report` runs all of them. Competitors take turns within each round, so
a busy machine slows down all of them. The result is the median of the ratios, not an absolute
figure. Everything runs on loopback, and is bounded in time and number. A benchmark ends the
processes that it started.
"""
