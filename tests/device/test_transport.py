"""The header fields of an answer."""

import pytest

from deviceflow.device.transport import retry_after

DATE = "Fri, 06 Nov 2026 08:00:00 GMT"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "120"}, 120),
        ({"Retry-After": "Fri, 06 Nov 2026 08:01:00 GMT", "Date": DATE}, 60),
        ({"Retry-After": "Fri, 06 Nov 2026 07:00:00 GMT", "Date": DATE}, 0),
        ({"Retry-After": "Fri, 06 Nov 2026 08:01:00 GMT"}, None),
        ({"Retry-After": "Fri, 06 Nov 2026 08:01:00 -0000", "Date": DATE}, None),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "-5"}, None),
        ({"Retry-After": "٣"}, None),
        ({}, None),
    ],
)
def test_retry_after(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers) == seconds
