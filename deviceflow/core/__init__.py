"""The rules of the device grant, as pure functions and records.

Contract: no module in here reads a clock, draws a random number, waits, logs or does I/O.
Times and secrets are arguments. The core imports only the standard library (cryptography from
`hashlib` and `hmac`) and msgspec, so every rule can be tested without a fixture.
"""
