"""All checks, one file for each group. Importing this fills the catalogue.

Contract: a check begins its own grants, leaves none approved that it does not redeem, and sends
what a device or a careless device sends. It raises `Violated` by `require`.
"""

from deviceflow.conformance.check import CATALOGUE as CATALOGUE

# In the order in which a report lists them.
from deviceflow.conformance.checks import (  # isort: skip
    metadata as metadata,
    authorization as authorization,
    codes as codes,
    polling as polling,
    pace as pace,
    decision as decision,
    redemption as redemption,
    binding as binding,
    tokens as tokens,
    refresh as refresh,
    lookup as lookup,
    dpop as dpop,
    guesses as guesses,  # last of all: it may lock the person
)
