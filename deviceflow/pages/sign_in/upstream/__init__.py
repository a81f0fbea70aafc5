"""Sign in at an upstream OpenID provider: the way there, and the way back.

Contract: nothing is stored for a person who has only left. What an answer must match is derived
from its `state` and the browser's own cookie (`detours`). So an answer counts once, for ten
minutes, and only in the browser from which the person left. Every other answer, and everything that
goes wrong at the provider, ends in a page that says what happened and what to do (`failures`).
"""
