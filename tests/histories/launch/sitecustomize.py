"""Python imports this in the processes into which a run plants a mistake: see planted.py."""

import os

if name := os.environ.get("HISTORIES_BUG"):
    from tests.histories.planted import plant

    plant(name)
