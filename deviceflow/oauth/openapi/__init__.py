"""The OpenAPI document of the machine endpoints, served on the admin port.

Contract: `openapi.json` describes every endpoint, every parameter and every answer, and nothing
else. Tests compare it with the routes, with the messages and with real answers (Schemathesis).
"""
