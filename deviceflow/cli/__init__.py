"""The command line, one file per command.

Contract: a command reads its options, calls what does the work, and tells a person what came
of it: results on standard output, everything else on standard error; exit status 1 with one
clear line where it cannot.
"""
