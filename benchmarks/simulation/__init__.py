"""A simulation of very many devices, in simulated time: the same seed gives the same figures.

`Calendar` has the events of all devices, `Station` is a queue in front of workers, `PowerCut` lets
a fleet come back. All arrays have one entry per device, so a million devices are simulated in
minutes. Nothing here knows a clock, a file or a socket.
"""
