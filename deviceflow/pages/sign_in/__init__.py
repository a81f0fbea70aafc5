"""The ways in which a person signs in: by password, or at an upstream provider.

Contract: a way in ends by starting a session under a new id (`session_start`) and returns to the
code that the person came with. A failed attempt looks the same whatever was wrong, and is counted.
"""
