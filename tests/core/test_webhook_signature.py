"""The signature of what is posted to an operator's program."""

import hashlib
import hmac

from deviceflow.core.webhook_signature import signature_headers


def test_the_signature_is_over_the_time_and_the_body() -> None:
    expected = hmac.new(b"s" * 32, b"1800000000.{}", hashlib.sha256).hexdigest()
    assert signature_headers("s" * 32, 1_800_000_000, b"{}") == {
        "Deviceflow-Timestamp": "1800000000",
        "Deviceflow-Signature": f"v1={expected}",
    }
