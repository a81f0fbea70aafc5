"""What machines call: one room or one file per endpoint.

Contract: an endpoint is a frozen dataclass of what it uses, with `routes()` and one handler for
each route; `routes.py` wires them. A handler raises `OAuthError` for everything that is the
caller's doing and lets `StoreUnavailable` pass; `answers.py` turns both into the JSON of RFC 6749
5.2. Nothing in here knows Redis or pages.
"""
