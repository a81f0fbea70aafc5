"""The command line, one file per command.

Contract: a command reads its options, calls the code that does the work, and prints what
happened: results on standard output, everything else on standard error. If it fails, it prints
one clear line and exits with status 1.
"""
