"""The URL of the store: every shape, and every mistake by its own words."""

import pytest

from deviceflow.core.store_url import Login, StoreHost, StoreUrl, StoreUrlError, Tls


def test_one_server() -> None:
    url = StoreUrl.parse("redis://me:p%40ss@redis.example.com/2")
    assert (url.shape, url.db, url.tls) == ("server", 2, None)
    assert url.endpoints == (StoreHost("redis.example.com", 6379),)
    assert url.login == Login("me", "p@ss")


def test_sentinels() -> None:
    url = StoreUrl.parse("redis+sentinel://:pw@a:1,b/my%20store/3?sentinel_password=other")
    assert (url.shape, url.service, url.db) == ("sentinel", "my store", 3)
    assert url.endpoints == (StoreHost("a", 1), StoreHost("b", 26379))
    assert (url.login.password, url.sentinel_login.password) == ("pw", "other")


def test_a_cluster_with_tls() -> None:
    url = StoreUrl.parse(
        "rediss+cluster://[::1]:7000,b:7001?ssl_ca_certs=/ca&ssl_check_hostname=false"
    )
    assert url.shape == "cluster"
    assert url.endpoints == (StoreHost("::1", 7000), StoreHost("b", 7001))
    assert url.tls == Tls(ca_certs="/ca", check_hostname=False)


def test_a_unix_socket() -> None:
    url = StoreUrl.parse("unix:///run/valkey.sock?db=1&username=me&password=pw")
    assert (url.socket_path, url.db, url.login) == ("/run/valkey.sock", 1, Login("me", "pw"))


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("redis://127.0.0.1:6380/2", "127.0.0.1:6380"),
        ("rediss://me:hunter22@redis.example.com", "redis.example.com:6379"),
        ("redis://:hunter22@[::1]:6379/0", "[::1]:6379"),
        ("unix:///run/valkey.sock?password=hunter22", "/run/valkey.sock"),
        ("unix://me:hunter22@/run/valkey.sock", "/run/valkey.sock"),
        ("redis+sentinel://:hunter22@a:1,b:2/store", "store by a:1,b:2"),
        ("redis+cluster://a:1,b:2", "a:1,b:2"),
    ],
)
def test_an_address_without_its_password(url: str, address: str) -> None:
    assert StoreUrl.parse(url).address == address


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("unix:///run/valkey.sock", True),
        ("redis://localhost:6379", True),
        ("redis+sentinel://[::1],127.0.0.1/primary", True),
        ("redis+sentinel://127.0.0.1,10.0.0.6/primary", False),
        ("rediss://redis.example.com", False),
    ],
)
def test_a_store_on_this_host(url: str, *, expected: bool) -> None:
    assert StoreUrl.parse(url).is_on_this_host is expected


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("", "not a URL"),
        ("http://r", "not a URL"),
        ("redis:r", "not a URL"),
        ("redis+nothing://r", "not a URL"),
        ("redis://", "a host that cannot be read"),
        ("redis://r:port", "a host that cannot be read"),
        ("redis://r:99999", "a host that cannot be read"),
        ("redis://r:" + "1" * 5000, "a host that cannot be read"),
        ("redis://[::1", "a host that cannot be read"),
        ("redis://a,b", "2 hosts of one server"),
        ("redis://r/zero", "a database that is no number"),
        ("redis+cluster://r/1", "a path behind a Cluster"),
        ("redis+cluster://r?db=1", "the unknown option db"),
        ("redis+sentinel://r", "no service name"),
        ("unix://", "no path of a socket"),
        ("unix://host/path", "no path of a socket"),
        ("redis://a:1/hunter22@r", 'an "@" behind the host'),
        ("redis://a:1#hunter22@r", 'a "#" in the URL'),
        ("redis://r?ssl_ca_certs=x", "without TLS"),
        ("rediss://r?ssl_ca_cert=x", "did you mean ssl_ca_certs"),
        ("rediss://r?ssl_certfile=x", "alone"),
        ("rediss://r?ssl_check_hostname=no", "another value of ssl_check_hostname"),
        ("redis://r?db=1&db=2", "the option db twice"),
        ("redis://r?hunter22!", "an option without a name"),
    ],
)
def test_what_leads_to_no_store(url: str, reason: str) -> None:
    with pytest.raises(StoreUrlError) as refused:
        StoreUrl.parse(url)
    assert reason in str(refused.value)
    assert "hunter22" not in str(refused.value)
