"""RFC 8628 and its neighbours as checks that run against any server, over HTTP.

Contract: a check is one function in `checks/`, with its clause. It sees the server only as a
device does (`site`), and a person's decisions come from outside (`decisions`). Nothing here knows
deviceflow's own server. `run` gives a `Result` for each check; `report` writes them down.
"""
