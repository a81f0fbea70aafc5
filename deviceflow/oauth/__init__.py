"""What machines call, one file per endpoint or grant.

Contract: an endpoint is a class with `__call__(request)`, made in `app.py`. It raises
`OAuthError` for everything that is the caller's doing and lets `StoreUnavailable` pass;
`answers.py` turns both into the JSON of RFC 6749 5.2. Nothing in here knows Redis or pages.
"""
