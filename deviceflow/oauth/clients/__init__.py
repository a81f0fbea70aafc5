"""Clients: how a client authenticates, registers itself, and is refused.

Contract: `authentication` turns a request into a `ClientRequest` or raises OAuthError. `methods`
has a row for each method: how a request uses it and what proves it. `proof` applies the row of
the client's own method, and `failures` shuts out a guesser. A refusal says why in the log only:
the sender learns `invalid_client` and no more.
"""
