"""The JSON API of operators, below `/api/v1/` on the admin port.

A request has a bearer token (RFC 6750) of `admin.token_file`. An error is a problem (RFC 9457).
`openapi.json` describes every path and answer.
"""
