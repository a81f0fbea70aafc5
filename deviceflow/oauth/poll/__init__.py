"""The pending poll: recognised in its bytes, judged from memory, answered or held.

Contract: this room imports `core`, the mirror and `oauth/answers.py`, nothing else of the package.
No store, no signing, no client authentication: a poll that needs one goes to the token endpoint.
`recognition` reads, `verdict` judges, `lane` answers, `connection` and `door` speak to the socket.
"""
