"""The console: pages for operators on the admin port, below `/console`.

An operator types a token once; a cookie stands for it from then on. Everything works without
JavaScript; the one script redraws the figures. Its texts are English, as those of the command line.
"""
