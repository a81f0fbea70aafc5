"""The start of a grant (RFC 8628 3.1, 3.2): two ways in, one way through.

`grant_start` starts a grant from plain values. The ordinary endpoint calls it with what aiohttp
has read (`oauth/device_authorization.py`), the lane with what `recognition` has read in the bytes
of a request (`lane`). So both judge, count, log and answer alike.
"""
