"""Signing and verifying. No other package imports the JOSE library.

Contract: a token or a key that cannot be read, and a signature that is not good, raise BadToken (of
a DPoP proof: ProofError), whatever its bytes are. What the claims must say is checked elsewhere:
the rules for them are in `core`.

A key of this server is stored as a private JWK (RFC 7517) whose `kid` is its RFC 7638 thumbprint.
"""
