"""What each kind of wrong outcome means for a device or a person, in plain words."""

EXPLANATIONS = {
    "tokens without approval": "A device got tokens although no person had approved it.",
    "tokens after denial": "A device got tokens although a person had denied it.",
    "tokens of another grant": "Two devices got the same tokens: one acts in the other's name.",
    "denied without a decision": "A device was refused although no person had denied it.",
    "denied after approval": "A device was refused although a person had approved it.",
    "expired too early": "A code ended before the time that the server had promised.",
    "pending after its expiry": "A device was told to go on waiting for a code that had ended.",
    "tokens lost after approval": "A person approved, and the device never got its tokens.",
    "denial lost": "A person denied, and the device never learned it.",
    "pending after the decision": "A device was told to wait although the decision was known.",
    "code lost before its expiry": "The server no longer knew a code that was still valid.",
    "request refused": "A correct request was refused as incorrect.",
    "unknown error code": "The server answered with an error that no standard defines.",
    "malformed answer": "The answer was no OAuth answer: another format, or parts of it missing.",
    "redirect": "The server sent the device elsewhere. An OAuth endpoint must answer itself.",
    "code given twice": "Two devices got the same code: an approval of one counts for the other.",
    "refresh refused": "A valid refresh token was refused, and the device is signed out.",
    "answer to no request": "An answer came that no request had asked for.",
}
"""By the names in `deviceflow.fleet.verdict`."""

UNEXPLAINED = "An answer that a correct server does not give."


def explain(kind: str) -> str:
    """Return what a kind of wrong outcome means."""
    return EXPLANATIONS.get(kind, UNEXPLAINED)
