"""The supervisor: opens sockets and shared memory, starts workers, and handles signals.

Contract: the supervisor has no event loop and no threads. A forked child has only the thread that
forked, so a lock that another thread held would stay locked in the child.
"""
