"""What operators see: logs and health.

Contract: a leaf; imports nothing of ours. No code, token, secret or password is ever logged.
"""
