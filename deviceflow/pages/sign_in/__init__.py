"""The ways in which a person signs in: password, passkey, provider, the word of a proxy.

Contract: a way in ends by starting a session under a new id (`session_start`) and returns to the
code that the person came with. A failed attempt looks the same whatever was wrong, and is counted.
A first factor alone ends in `arrival`, which asks people who have another one for it (`second`).
Between the two there is no session.
"""
