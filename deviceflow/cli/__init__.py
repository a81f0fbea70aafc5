"""The command line, with a file for each command.

Contract: a command reads its options, calls the code that does the work, and prints what
happened: results on standard output, everything else on standard error. If it fails, it prints a
clear line and exits with status 1.
"""
