"""Who sends a request to the admin port: the operator whose token came with it."""

from aiohttp import web

OPERATOR = web.RequestKey("operator", str)
"""The name of the operator's token, as the log shows it."""
