"""The signature of what this server posts to a program of the operator's.

`Deviceflow-Timestamp` is the time of the request in s. `Deviceflow-Signature` is `v1=` and the
HMAC-SHA256, in hex, of the timestamp, a full stop and the body.
"""

import hashlib
import hmac


def signature_headers(secret: str, timestamp: int, body: bytes) -> dict[str, str]:
    """Return the headers by which a receiver knows that `body` is from this server, and fresh."""
    signed = str(timestamp).encode() + b"." + body
    signature = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
    return {
        "Deviceflow-Timestamp": str(timestamp),
        "Deviceflow-Signature": f"v1={signature}",
    }
