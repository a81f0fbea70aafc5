"""Whatever a POST endpoint is sent, it never answers with a status of 500 or above."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.stage.oauth import Worker

PATHS = ["/oauth2/device_authorization", "/oauth2/token", "/device", "/login", "/logout"]
FORM = b"application/x-www-form-urlencoded"
NAMES = [
    *(b"client_id", b"client_secret", b"grant_type", b"device_code", b"refresh_token", b"scope"),
    *(b"user_code", b"csrf_token", b"decision", b"username", b"password"),
]
VALUES = [
    *(b"tv-app", b"console", b"urn:ietf:params:oauth:grant-type:device_code", b"refresh_token"),
    *(b"A" * 43, b"A" * 16 + b"." + b"A" * 43, b"WDJB-MJHT", b"openid", b"approve", b"%zz"),
]
HEADERS = [
    *(b"Authorization", b"Content-Type", b"Content-Encoding", b"User-Agent", b"Cookie"),
    *(b"X-Forwarded-For", b"Prefer", b"Accept", b"Origin", b"Sec-Fetch-Site", b"DPoP"),
]

pieces = st.one_of(st.sampled_from(VALUES), st.binary(max_size=60))
pairs = st.tuples(st.one_of(st.sampled_from(NAMES), st.binary(max_size=20)), pieces)
forms = st.lists(pairs.map(b"=".join), max_size=8).map(b"&".join)
bodies = st.one_of(forms, st.binary(max_size=3000))
# A field's value is any bytes but these (RFC 9110 5.5); what is not HTTP gets no further
# than aiohttp.
values = st.binary(max_size=80).map(
    lambda raw: bytes(byte for byte in raw if byte >= 0x20 and byte != 0x7F).strip()
)
basic = st.binary(max_size=40).map(lambda raw: b"Basic " + raw.hex().encode())
fields = st.tuples(st.sampled_from(HEADERS), st.one_of(values, basic))


@pytest.mark.parametrize("path", PATHS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=bodies, headers=st.lists(fields, max_size=4), is_form=st.booleans())
async def test_no_500(
    worker: Worker,
    path: str,
    body: bytes,
    headers: list[tuple[bytes, bytes]],
    *,
    is_form: bool,
) -> None:
    lines = [b"POST %b HTTP/1.1" % path.encode(), b"Host: 127.0.0.1"]
    lines += [b"Content-Length: %d" % len(body)]
    lines += [b"Content-Type: " + FORM] if is_form else []
    lines += [b"%b: %b" % field for field in headers]
    answer = await worker.raw(b"\r\n".join(lines) + b"\r\n\r\n" + body)
    assert answer.status < 500
    if path.startswith("/oauth2/") and answer.status != 200 and "text" not in answer.body:
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.error
