"""Two hosts behind a proxy with a throw-away certificate, as config/proxies has them."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.stage.hosts import Host
from tests.stage.ports import free_port
from tests.stage.program import Notes, Program
from tests.stage.proxies import PROXIES, Places, Proxy, make_certificate
from tests.stage.tools import tool
from tests.stage.users import CHEAP
from tests.stage.valkey import Valkey
from tests.stage.wire import PASSWORD

HOSTS = ("127.0.0.11", "127.0.0.12")
CLIENT = '\n[[clients]]\nclient_id = "tv"\nname = "Living-room TV"\nscopes = ["openid"]\n'


@dataclass(frozen=True)
class Site:
    """A proxy and its hosts. `front`: a Program with the issuer's address, and no process."""

    proxy: Proxy
    places: Places
    hosts: tuple[Host, Host]
    front: Program


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with TemporaryDirectory(prefix="df-") as name:
        yield Path(name)


@pytest.fixture(scope="module")
def places(folder: Path) -> Places:
    return Places(folder, free_port(), free_port(), (free_port(), free_port()))


@pytest.fixture(scope="module")
def hosts(places: Places) -> Iterator[tuple[Host, Host]]:
    """Both run, with one store."""
    password_hash = CHEAP.hash(PASSWORD)
    user = f'\n[[users]]\nusername = "ada"\npassword_hash = "{password_hash}"\n'
    with Valkey() as store:
        made = []
        for address in HOSTS:
            home = places.folder / address
            home.mkdir()
            host = Host(home, address, places.host_ports, store.url)
            host.configure(f"https://localhost:{places.port}", CLIENT + user)
            made.append(host)
        one, two = made
        try:
            one.start()
            two.start()
            yield one, two
        finally:
            one.end()
            two.end()


@pytest.fixture(scope="module")
def certificate(folder: Path) -> Path:
    return make_certificate(folder)


@pytest.fixture(scope="module", params=PROXIES, ids=lambda proxy: proxy.name)
def proxy(request: pytest.FixtureRequest) -> Proxy:
    found: Proxy = request.param
    tool(found.name)
    return found


@pytest.fixture
def site(
    proxy: Proxy,
    places: Places,
    hosts: tuple[Host, Host],
    certificate: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Site]:
    """The proxy runs, and this process trusts its certificate."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    front = Program(places.folder, (), Notes())
    front.url = f"https://localhost:{places.port}"
    with proxy.running(places):
        yield Site(proxy, places, hosts, front)
