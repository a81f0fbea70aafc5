"""Which proxy is used for an address."""

import pytest

from deviceflow.device.errors import DeviceFlowError
from deviceflow.device.proxies import proxy_for, shown

URL = "https://login.example.com/oauth2/token"
PROXY = "http://proxy:3128"


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, None),
        ({"HTTPS_PROXY": PROXY}, PROXY),
        ({"https_proxy": PROXY, "HTTPS_PROXY": "http://other"}, PROXY),
        ({"HTTPS_PROXY": "proxy:3128"}, PROXY),
        ({"HTTPS_PROXY": " "}, None),
        ({"ALL_PROXY": PROXY}, PROXY),
        ({"all_proxy": "http://other", "HTTPS_PROXY": PROXY}, PROXY),
        ({"HTTP_PROXY": PROXY}, None),
        ({"HTTPS_PROXY": PROXY, "NO_PROXY": "*"}, None),
        ({"HTTPS_PROXY": PROXY, "NO_PROXY": "x.test, login.example.com"}, None),
        ({"HTTPS_PROXY": PROXY, "NO_PROXY": "example.com"}, None),
        ({"HTTPS_PROXY": PROXY, "no_proxy": ".Example.com"}, None),
        ({"HTTPS_PROXY": PROXY, "no_proxy": "*.example.com"}, None),
        ({"HTTPS_PROXY": PROXY, "NO_PROXY": "ample.com,,"}, PROXY),
        ({"ALL_PROXY": PROXY, "NO_PROXY": "example.com"}, None),
    ],
)
def test_the_environment(environ: dict[str, str], expected: str | None) -> None:
    assert proxy_for(URL, environ) == expected


def test_http_has_a_proxy_of_its_own() -> None:
    environ = {"HTTP_PROXY": PROXY, "HTTPS_PROXY": "http://other"}
    assert proxy_for("http://login.example.com", environ) == PROXY


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8628", "[::1]"])
def test_loopback_needs_no_proxy(host: str) -> None:
    environ = {"HTTP_PROXY": PROXY, "HTTPS_PROXY": PROXY, "ALL_PROXY": PROXY}
    assert proxy_for(f"http://{host}/", environ) is None


@pytest.mark.parametrize("proxy", ["socks5://proxy:1080", "http://", "http://x:y", "ftp://x"])
def test_a_proxy_that_cannot_be_used(proxy: str) -> None:
    """No request is sent past a proxy that somebody has set."""
    with pytest.raises(DeviceFlowError, match=r"ALL_PROXY is .*add login.example.com to NO_PROXY"):
        proxy_for(URL, {"ALL_PROXY": proxy})


def test_a_password_is_not_shown() -> None:
    assert shown("http://me:s3cret@proxy:3128") == "http://proxy:3128"
    assert shown(PROXY) == PROXY
