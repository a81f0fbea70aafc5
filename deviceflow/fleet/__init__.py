"""A fleet of virtual devices that load-tests any server of RFC 8628, over real connections.

It knows nothing of the server in this package: it imports `device`, `conformance` and `core`. Each
device is a small state machine that judges every answer. A wrong outcome is counted by its kind,
never raised, so that a run goes on when a server lies or breaks. Load is open loop: each request
has a planned time, and its latency counts from there, so a slow server does not slow the load down
and thereby hide that it is slow (coordinated omission).

A run ends with one `result.FleetResult`. It is the JSON file, and everything that a report needs.
"""
