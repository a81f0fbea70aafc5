"""What operators reach on the admin port: an API for their programs, and a console for themselves.

`grants.py`, `clients.py` and `fleet_watch.py` do the work; `api/` says it in JSON, `console/` in
pages. Both let in only those who have a token of `admin.token_file`. Health and metrics are in
`ops/`: they need no token.
"""
