"""The endpoints that machines call, with a room or a file for each.

Contract: an endpoint is a frozen dataclass of the objects that it uses, with `routes()` and a
handler for each route. `routes.py` wires them. A handler raises `OAuthError` for every error of
the client, and lets `StoreUnavailable` pass. `answers.py` turns both into the JSON of RFC 6749 5.2.
No module in here knows Redis or the pages.
"""
