"""Servers of other makers, beside deviceflow in the same run.

Contract: each peer has one file here, with a `Peer` that says its version, its licence, what it is
made for, what it needs, how to get it from a package registry, and how to start it. What a peer
reads (configuration, or an application of a few lines) is in `files/`. `run.py` measures them one
after the other, each in turns with deviceflow, and `page.py` writes the tables of docs/peers.md.
"""
