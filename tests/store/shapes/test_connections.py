"""Connections that break, and TLS to a store of each shape: by one context and its own CAs only."""

import asyncio
import ssl
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from deviceflow.core.store_url import StoreUrl, Tls
from deviceflow.store.causes import CLOSED, cause_of
from deviceflow.store.shapes import ConnectionLimits, Shape, connections, opened
from deviceflow.store.shapes.connections import CONTEXT_KEPT_S, PlainConnection, SharedContext
from tests.stage.clock import Clock
from tests.stage.shapes import Cluster, Sentinels
from tests.stage.tls import Certificates, TlsFront
from tests.stage.valkey import Valkey
from tests.stage.waiting import PATIENCE_S, until

LIMITS = ConnectionLimits(PATIENCE_S, PATIENCE_S, retries=0, connections=8)
CHANNEL = "a channel"


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    return Certificates(tmp_path)


@pytest.fixture
def fronts() -> Iterator[ExitStack]:
    """Where a test opens its fronts."""
    with ExitStack() as open_fronts:
        yield open_fronts


async def close(shape: Shape, *fronts: TlsFront) -> None:
    """Close its connections, and wait until TLS has said so."""
    await shape.close()
    await until(lambda: not any(front.carried for front in fronts))


@pytest.fixture
def contexts(monkeypatch: pytest.MonkeyPatch) -> list[ssl.SSLContext]:
    """The contexts that were made."""
    made: list[ssl.SSLContext] = []
    make = connections._context

    def note(how: Tls) -> ssl.SSLContext:
        made.append(make(how))
        return made[-1]

    monkeypatch.setattr(connections, "_context", note)
    return made


async def use(shape: Shape) -> None:
    """Use all the connections that it has, and hear a message."""
    keys = [f"key-{number}" for number in range(LIMITS.connections)]
    await asyncio.gather(*(shape.run([("SET", key, "x")]) for key in keys))
    assert await asyncio.gather(*(shape.run([("GET", key)]) for key in keys)) == [[b"x"]] * 8
    async with shape.subscription(CHANNEL) as heard:
        assert (await heard.get_message(timeout=PATIENCE_S))["type"].endswith("subscribe")
        await shape.publish(shape.run, CHANNEL, "hello")
        assert (await heard.get_message(timeout=PATIENCE_S))["data"] == b"hello"


@pytest.mark.parametrize("over", ["Unix socket", "TCP"])
async def test_a_connection_that_was_closed_counts_as_broken(over: str) -> None:
    """uvloop, on which workers and tests run, raises an error of its own for a write to it."""
    with Valkey(tcp=True) as server:
        url = server.url if over == "Unix socket" else f"redis://127.0.0.1:{server.port}"
        shape: Any = opened(StoreUrl.parse(url), LIMITS)
        broken = await shape.client.connection_pool.get_connection()
        broken._writer.transport.abort()
        await until(broken._reader.at_eof)
        with pytest.raises(RedisConnectionError) as caught:
            await broken.send_command("PING", check_health=False)
        assert cause_of(caught.value).startswith(CLOSED)
        await shape.client.connection_pool.release(broken)
        await shape.close()


async def test_a_connection_that_closes_during_the_greeting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its command is sent again, over a new connection."""
    with Cluster() as cluster:
        shape = opened(StoreUrl.parse(cluster.url), LIMITS._replace(retries=1))
        await shape.everywhere("PING")
        greet = PlainConnection.on_connect_check_health
        greeted: list[PlainConnection] = []

        async def close_first(self: Any, **how: Any) -> None:  # noqa: ANN401, redis-py's
            greeted.append(self)
            if len(greeted) == 1:
                self._writer.transport.abort()
                await until(self._reader.at_eof)
            await greet(self, **how)

        monkeypatch.setattr(PlainConnection, "on_connect_check_health", close_first)
        await use(shape)
        assert len(greeted) > 1
        await shape.close()


async def test_one_server(
    certificates: Certificates, fronts: ExitStack, contexts: list[ssl.SSLContext]
) -> None:
    with Valkey() as server:
        front = TlsFront(server.socket_path, certificates)
        fronts.enter_context(front.open())
        url = f"rediss://127.0.0.1:{front.port}?{certificates.options}"
        shape = opened(StoreUrl.parse(url), LIMITS)
        await use(shape)
        assert front.carried > 1
        await close(shape, front)
    assert len(contexts) == 1


async def test_a_cluster(
    certificates: Certificates, fronts: ExitStack, contexts: list[ssl.SSLContext]
) -> None:
    """Its nodes tell the ports at which they speak TLS."""
    cluster = Cluster()
    at_nodes = [TlsFront(server.socket_path, certificates) for server in cluster.servers]
    for server, front in zip(cluster.servers, at_nodes, strict=True):
        fronts.enter_context(front.open())
        server.config["cluster-announce-port"] = str(front.port)
    nodes = ",".join(f"127.0.0.1:{front.port}" for front in at_nodes)
    with cluster:
        url = StoreUrl.parse(f"rediss+cluster://{nodes}?{certificates.options}")
        shape = opened(url, LIMITS)
        await use(shape)
        assert len(await shape.everywhere("PING")) == len(at_nodes)
        await close(shape, *at_nodes)
    assert len(contexts) == 1


async def test_a_primary_that_sentinels_name(
    certificates: Certificates, fronts: ExitStack, contexts: list[ssl.SSLContext]
) -> None:
    """The Sentinel of the test speaks no TLS to its primary, so it knows another port of it."""
    with Sentinels(replicas=0) as running:
        at_sentinel = TlsFront(running._sentinel.socket_path, certificates)
        at_primary = TlsFront(running.servers[0].socket_path, certificates)
        for front in (at_sentinel, at_primary):
            fronts.enter_context(front.open())
        place = running.url.replace(f":{running.sentinel_port}/", f":{at_sentinel.port}/")
        url = f"{place.replace('redis+', 'rediss+')}&{certificates.options}"
        shape: Any = opened(StoreUrl.parse(url), LIMITS)
        discover = shape._sentinels.discover_master

        async def behind_its_front(service: str) -> tuple[str, int]:
            named = await discover(service)
            assert named[1] == running.servers[0].port
            return "127.0.0.1", at_primary.port

        shape._sentinels.discover_master = behind_its_front
        await use(shape)
        await close(shape, at_sentinel, at_primary)
    assert len(contexts) == 1


def test_the_authorities_of_the_file_and_no_others(
    certificates: Certificates,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    of_the_system = Certificates(tmp_path_factory.mktemp("system"))
    monkeypatch.setenv("SSL_CERT_FILE", str(of_the_system.ca))
    context = SharedContext(Tls(ca_certs=str(certificates.ca))).get()
    assert len(context.get_ca_certs()) == 1
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname


def test_the_authorities_of_the_system(
    certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.ca))
    context = SharedContext(Tls(check_hostname=False)).get()
    assert len(context.get_ca_certs()) == 1
    assert not context.check_hostname


def test_a_certificate_that_was_renewed(certificates: Certificates, clock: Clock) -> None:
    """It is used within a minute, and a file that is gone is an error of that connection."""
    shared = SharedContext(
        Tls(ca_certs=str(certificates.ca), certfile=str(certificates.client)), clock
    )
    first = shared.get()
    certificates.client.unlink()
    clock.advance(CONTEXT_KEPT_S - 0.1)
    assert shared.get() is first
    clock.advance(0.1)
    with pytest.raises(FileNotFoundError):
        shared.get()
    Certificates(certificates.ca.parent)
    renewed = shared.get()
    assert renewed is not first
    assert renewed.get_ca_certs() != first.get_ca_certs()
