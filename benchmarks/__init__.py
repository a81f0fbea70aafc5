"""Benchmarks: deviceflow beside the alternatives, in one run, on one machine.

Contract: `python -m benchmarks NAME` measures one thing, prints a table and writes JSON and a
plot; `python -m benchmarks report` measures everything. Competitors take turns within each
round, so that a machine that is busy for a minute is busy for all of them; what counts is the
median of the ratios, not any absolute figure. Everything runs on loopback, is bounded in time
and number, and ends the processes that it started.
"""
