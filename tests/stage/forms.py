"""A form that is well formed, and what the two endpoints that every device uses say to it."""

from tests.stage.oauth import AUTHORIZE, Worker

FORM = "application/x-www-form-urlencoded"
GOOD = b"client_id=tv-app&scope=profile&grant_type=password"


def good(path: str) -> tuple[int, str]:
    """Return the answer to GOOD: it is well-formed, and both endpoints read all of it."""
    return (200, "") if path == AUTHORIZE else (400, "unsupported_grant_type")


async def post(worker: Worker, path: str, body: bytes, **headers: str) -> tuple[int, str]:
    fields = {"Content-Type": FORM} | {name.replace("_", "-"): headers[name] for name in headers}
    return (await worker.post(path, body, headers=fields)).outcome
