"""The audit: what happened to codes, tokens, accounts and settings, and who did it.

Contract: `events.py` has the closed list of events, and the fields of a line. A room says
`audit.record(SecurityEvent.X, sub=..., ...)`; that neither waits nor fails. Each process chains
its lines by hash, so that a change, a gap or a cut shows. Each sink has a bounded queue; what is
lost is said in a later line. No line has a code, a token, a secret or a password in it. Nothing
here is on the path of a pending poll.
"""
