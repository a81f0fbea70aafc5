"""The verification page: enter a code, compare it, decide, read how it ended.

Contract: a person is signed in before a code is looked up, and a code that cannot be used gets one
answer, whatever is wrong with it. Only the account that claimed a request can decide it.
One file a step: `enter`, `confirm`, `decide`, `done`. A decision on a request that the account has
not been shown leads back to `confirm`.
"""
