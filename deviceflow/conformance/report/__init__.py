"""Results for people and for machines: a terminal, JSON, JUnit XML, and one HTML page.

Contract: a report says nothing that a result does not say, and holds no secret.
"""

from datetime import datetime

import msgspec

from deviceflow.conformance.check import Result


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One run: what was tested, when, by which profile, and what came of it.

    `server`: what the tester calls the server, with its version.
    """

    issuer: str
    server: str
    profile: str
    began: datetime
    seconds: float
    version: str
    is_passed: bool
    results: list[Result]
