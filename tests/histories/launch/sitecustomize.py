"""Python imports this in every process of a host that a run gives a mistake: see planted.py."""

import os

if name := os.environ.get("HISTORIES_BUG"):
    from tests.histories.planted import plant

    plant(name)
