"""The rules of the device grant, pure.

Contract: nothing in here reads a clock, draws a random number, waits, logs, or speaks to
anything; times and secrets are arguments. The standard library, cryptography from `hashlib`
and `hmac`, and msgspec are all it imports, so every rule can be tested without a fixture.
"""
