"""The verification page: enter a code, compare it, decide, read how it ended.

Contract: a person is signed in before a code is looked up, and a code that cannot be used gets one
answer, whatever is wrong with it. Only the account that claimed a request can decide it.
One file a page: `enter`, `confirm`, `step_up`, `done`; one a step: `claim`, `decide`, `switch`. A
decision on a request that the account has not been shown leads back to `confirm`. A page that is
opened by its address tells an account about the requests that it has claimed, and about no others.
"""
