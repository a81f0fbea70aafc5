"""Logs and health, for operators.

Contract: this room imports no other room. No code, token, secret or password is ever logged.
"""
