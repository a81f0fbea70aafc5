"""What a store that cannot be used says to the operator: one line, with the true cause."""

import re
from collections.abc import Callable, Iterator

import pytest

from deviceflow.config import Redis, Settings
from deviceflow.start import prepare
from deviceflow.store.causes import unusable
from deviceflow.store.errors import StoreSetupError, StoreUnavailable
from deviceflow.store.rights import COMMANDS
from tests.stage.shapes import ACL_FILE, SENTINEL_PASSWORD, Cluster, Sentinels, WithAcl, WithTls
from tests.stage.valkey import Valkey

StartValkey = Callable[..., Valkey]


async def line_of(url: str) -> str:
    """The line with which a server does not start."""
    try:
        await prepare(Settings(redis=Redis(url=url)), url)
    except (StoreSetupError, StoreUnavailable) as error:
        line = unusable(url, error)
    else:
        pytest.fail("the store can be used")
    assert "\n" not in line
    assert "hunter22" not in line
    return line


@pytest.fixture
def guarded(start_valkey: StartValkey) -> Valkey:
    """A server with TCP and a user with a password."""
    return start_valkey({"user": "me on >secret ~* &* +@all"}, tcp=True)


@pytest.mark.parametrize(
    ("url", "cause"),
    [
        ("redis://me:hunter22@127.0.0.1:{port}/0", "wrong user name or password"),
        ("redis://127.0.0.1:{port}/99", "no database of that number"),
        ("rediss://127.0.0.1:{port}", "does that port take TLS?"),
        ("redis+cluster://127.0.0.1:{port}", "no Cluster"),
        ("redis://127.0.0.1:1", "nothing listens there"),
        ("redis+cluster://127.0.0.1:1", "nothing listens there"),
        ("redis://no-such-host.invalid", "no such host"),
        ("unix:///nowhere/valkey.sock", "there is no such file"),
    ],
)
async def test_the_cause(guarded: Valkey, url: str, cause: str) -> None:
    assert cause in await line_of(url.format(port=guarded.port))


async def test_full_memory(guarded: Valkey) -> None:
    with guarded.client() as client:
        client.config_set("maxmemory", "1")
    assert "its memory is full (OOM)" in await line_of(guarded.url)


@pytest.fixture
def tls() -> Iterator[WithTls]:
    with WithTls() as server:
        yield server


async def test_tls(tls: WithTls) -> None:
    plain, _, options = tls.url.partition("?")
    assert "certificate cannot be trusted" in await line_of(plain)
    assert "TLS only" in await line_of(plain.replace("rediss", "redis"))
    assert "client certificate" in await line_of(f"{plain}?{options.split('&')[0]}")


async def test_a_node_of_a_cluster_as_one_server() -> None:
    with Cluster() as cluster:
        line = await line_of(f"redis://127.0.0.1:{cluster.servers[0].port}")
    assert "use redis+cluster://" in line


async def test_sentinels() -> None:
    with Sentinels() as sentinels:
        other = sentinels.url.replace("/store/", "/other/")
        assert "knows a primary of that name" in await line_of(other)
        without = sentinels.url.partition("?")[0]
        assert "sentinel_password" in await line_of(without)
        assert SENTINEL_PASSWORD not in await line_of(without)
        wrong = sentinels.url.replace("password%20of%20the%20tests@", "hunter22@")
        assert "wrong user name or password" in await line_of(wrong)


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        (("-xadd", "-evalsha"), "may not use EVALSHA, XADD"),
        (("-hset",), "may not use HSET"),
        (("resetkeys", "~other:*"), "may not use the keys df:*"),
        (("-info",), "not allowed"),
    ],
)
async def test_a_right_that_is_missing(change: tuple[str, ...], cause: str) -> None:
    with WithAcl() as server:
        with server.client() as client:
            client.execute_command("ACL", "SETUSER", "deviceflow", *change)
        assert cause in await line_of(server.url)
        with server.client() as client:
            assert client.dbsize() == 0, "nothing was done halfway"


def test_the_acl_the_documentation_and_the_server_speak_of_the_same_commands() -> None:
    """But for what redis-py sends when it unsubscribes."""
    documentation = (ACL_FILE.parents[1] / "docs" / "operations" / "store.md").read_text(
        encoding="utf-8"
    )
    (line,) = re.findall(r"^ACL SETUSER deviceflow [^`]*", documentation, re.MULTILINE)
    for text in (line, ACL_FILE.read_text(encoding="utf-8")):
        allowed = re.findall(r"\+([a-z|]+)", text)
        assert len(allowed) == len(set(allowed))
        names = {name.replace("|", " ").upper() for name in allowed}
        assert names - {"UNSUBSCRIBE"} == COMMANDS
