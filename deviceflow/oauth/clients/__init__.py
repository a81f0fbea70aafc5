"""Clients: how one authenticates, registers itself, and is refused.

Contract: `authentication` turns a request into a `ClientRequest` or raises OAuthError. It reads
what the request presents, and `proof` decides whether that proves the client. A refusal says why
in the log only: the sender learns `invalid_client` and no more.
"""
