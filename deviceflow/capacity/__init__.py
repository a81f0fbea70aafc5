"""The capacity model: from a fleet and measured costs to hosts, cores, memory, a store and proxies.

Pure arithmetic: it imports nothing of the server, reads no file but that of its costs, and knows no
clock. `fleet` is what an operator says, `costs` what was measured, `load` what the fleet asks for
in a second, `plan` what carries that, and `words` how a person reads it.
"""
