"""The OpenAPI document of the machine endpoints, served on the admin port.

Contract: it describes every endpoint, every parameter and every answer, and nothing else. Tests
compare it with the routes and with real answers (Schemathesis).
"""
