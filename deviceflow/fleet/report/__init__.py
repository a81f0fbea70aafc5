"""A run for people: one HTML page with charts, and a summary in the terminal.

Contract: a report says nothing that a result does not say. The page is complete in itself, without
a script, and needs no package beyond those of the command.
"""
