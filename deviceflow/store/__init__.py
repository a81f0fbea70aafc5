"""The one door to Redis or Valkey: no other package imports `redis`.

Contract: everything durable lives here, under the keys that `keyspace` lists. A method does what
its docstring says, or raises StoreUnavailable: then it may or may not have happened, and nothing
was acknowledged.

redis-py repeats a command whose answer was lost. A repeated command finds its own success, so
grants, tokens, ids that may be used once, clients and keys change once only. Counters
may count twice: a try (`limits`), a block of slot numbers (`slots`), the revision
(`announcements`).

A script or a pipeline touches keys of one hash slot only, so the keys may live on a cluster.
"""
