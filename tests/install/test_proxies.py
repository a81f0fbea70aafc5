"""The proxies of config/proxies in front of two hosts: nginx, HAProxy and Caddy, with TLS."""

import http.client
import json
import re
import socket
import ssl
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from threading import Event
from urllib.parse import urlencode, urlsplit

import pytest

from deviceflow.config import Device as DeviceSettings
from deviceflow.config import Server
from deviceflow.core.holding import MAX_HOLD_S
from tests.install.conftest import HOSTS, Site
from tests.stage.hosts import Host, SilentHost
from tests.stage.program import Notes, Program
from tests.stage.proxies import Places, Proxy
from tests.stage.waiting import PATIENCE_S, until_outside
from tests.stage.wire import DEVICE_CODE_GRANT, Answer, Browser, Device, fetch, request_of

ELSEWHERE = "127.0.0.9"
START = "/oauth2/device_authorization"
TOKEN = "/oauth2/token"
READ_TIMEOUT = r"(?:proxy_read_timeout|timeout server|response_header_timeout) +(\d+)s"
KEPT = r"(?:keepalive_timeout|pool-purge-delay|keepalive) +(\d+)s"


def connect(site: Site, source: str = "127.0.0.1") -> http.client.HTTPSConnection:
    return http.client.HTTPSConnection(
        urlsplit(site.front.url).netloc, timeout=PATIENCE_S, source_address=(source, 0)
    )


def post(connection: http.client.HTTPConnection, path: str, **form: str) -> Answer:
    """POST on a connection that is kept."""
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    connection.request("POST", path, urlencode(form), kind)
    response = connection.getresponse()
    headers = {name.title(): text for name, text in response.getheaders()}
    return Answer(response.status, headers, {}, response.read().decode(), path)


def poll(site: Site, device: Device, wait: int | None = None) -> Answer:
    form = {"grant_type": DEVICE_CODE_GRANT, "client_id": "tv"}
    headers = {} if wait is None else {"Prefer": f"wait={wait}"}
    form["device_code"] = device.grant["device_code"]
    return fetch(request_of(f"{site.front.url}{TOKEN}", form, headers))


@pytest.mark.parametrize("affinity", [False, True], ids=["spread", "affinity"])
def test_its_own_checker(
    proxy: Proxy, places: Places, certificate: Path, *, affinity: bool
) -> None:
    assert certificate.is_file()
    checked = proxy.checked(proxy.write(places, affinity=affinity))
    assert checked.returncode == 0, checked.stdout + checked.stderr
    warnings = re.findall(r"(?i).*\bwarn.*", checked.stdout + checked.stderr)
    assert [line for line in warnings if "OCSP" not in line] == []


def test_the_times_fit_the_settings(proxy: Proxy) -> None:
    """A held poll is not cut off, and the proxy closes an idle connection before the host does."""
    read = [int(found) for found in re.findall(READ_TIMEOUT, proxy.text)]
    assert read
    assert min(read) > DeviceSettings().max_wait_s
    assert min(read) > MAX_HOLD_S
    assert min(int(found) for found in re.findall(KEPT, proxy.text)) < Server().keepalive_s


def test_the_whole_flow(site: Site) -> None:
    device = Device(site.front).authorize()
    assert device.outcome() == "authorization_pending"
    assert device.grant["verification_uri"] == f"{site.front.url}/device"
    assert Browser(site.front).decide(device.user_code, "approve").status == 200
    assert device.outcome() == "tokens"
    metadata = fetch(request_of(f"{site.front.url}/.well-known/openid-configuration")).body
    assert metadata["issuer"] == site.front.url


def test_a_held_poll(site: Site) -> None:
    """One is held as long as its device asked for; another is answered by the approval."""
    held = poll(site, Device(site.front).authorize(), wait=1)
    assert held.headers["Preference-Applied"] == "wait=1"
    assert held.body["error"] == "authorization_pending"
    device = Device(site.front).authorize()
    with ThreadPoolExecutor() as pool:
        answer = pool.submit(poll, site, device, wait=30)
        Browser(site.front).decide(device.user_code, "approve")
        assert answer.result(PATIENCE_S).body["access_token"]


def test_the_address_of_the_client(site: Site) -> None:
    """RFC 8628 5.4: its own address, not that of the proxy, and not one that it made up."""
    connection = connect(site, ELSEWHERE)
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "X-Forwarded-For": "198.51.100.7",
        "Forwarded": "for=198.51.100.7",
    }
    connection.request("POST", START, urlencode({"client_id": "tv"}), headers)
    code = json.loads(connection.getresponse().read())["user_code"]
    connection.close()
    person = Browser(site.front)
    person.sign_in()
    person.open(f"/device?user_code={code}")
    page = person.submit("/device", user_code=code).page
    assert ELSEWHERE in page
    assert "198.51.100.7" not in page


def test_tls(site: Site, certificate: Path) -> None:
    """TLS 1.3, and a session that a second connection resumes."""
    context = ssl.create_default_context(cafile=str(certificate))
    with tls_request(site, context, None) as first:
        assert first.version() == "TLSv1.3"
        assert not first.session_reused
        session = first.session
    with tls_request(site, context, session) as second:
        assert second.session_reused


@contextmanager
def tls_request(
    site: Site, context: ssl.SSLContext, session: ssl.SSLSession | None
) -> Iterator[ssl.SSLSocket]:
    """A connection on which an answer has come, and so a ticket (RFC 8446 4.6.1)."""
    with (
        socket.create_connection(("127.0.0.1", site.places.port), PATIENCE_S) as raw,
        context.wrap_socket(raw, server_hostname="localhost", session=session) as secured,
    ):
        secured.sendall(b"GET /oauth2/jwks HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert secured.recv(64).startswith(b"HTTP/1.1 200")
        yield secured


def test_http_2(site: Site, certificate: Path) -> None:
    command = ["curl", "--silent", "--http2", "--cacert", str(certificate), "--output", "/dev/null"]
    url = f"{site.front.url}/.well-known/openid-configuration"
    done = subprocess.run(
        [*command, "--write-out", "%{http_version} %{http_code}", url],
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout == "2 200"


def test_connections_are_kept_on_both_sides(site: Site) -> None:
    """Fifty requests on one connection of the client take a few connections to the hosts."""
    before = connections_to_hosts(site.places)
    connection = connect(site)
    for _ in range(50):
        assert post(connection, START, client_id="tv").status == 200
    local = connection.sock.getsockname()
    assert post(connection, START, client_id="tv").status == 200
    assert connection.sock.getsockname() == local
    connection.close()
    assert len(connections_to_hosts(site.places) - before) <= 8


def connections_to_hosts(places: Places) -> set[str]:
    """The local addresses of the connections to the hosts, open ones and those just closed."""
    port = f":{places.host_ports[0]:04X}"
    rows = [row.split() for row in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()]
    ends = [(row[1], row[2]) for row in rows[1:]]
    to_hosts = {local for local, remote in ends if remote.endswith(port)}
    return to_hosts | {remote for local, remote in ends if local.endswith(port)}


def test_a_body_that_is_too_large(site: Site) -> None:
    connection = connect(site)
    assert post(connection, TOKEN, filler="x" * 20_000).status == 413
    connection.close()


def test_devices_that_start_over_all_the_time(site: Site) -> None:
    """Beyond some hundred grants from one address, the proxy answers in the hosts' stead."""
    connection = connect(site)
    answers = [post(connection, START, client_id="tv") for _ in range(300)]
    connection.close()
    refused = [answer for answer in answers if answer.status == 429]
    assert {answer.status for answer in answers} <= {200, 429}
    assert bool(refused) is site.proxy.limits
    assert len(answers) - len(refused) >= 200
    for answer in refused:
        assert answer.headers["Retry-After"] == "10"
        assert json.loads(answer.page) == {"error": "temporarily_unavailable"}


def test_without_tls(site: Site) -> None:
    """People are led to https; a device's secrets are not taken."""
    connection = http.client.HTTPConnection("127.0.0.1", site.places.plain_port)
    connection.request("GET", "/device", headers={"Host": "localhost"})
    response = connection.getresponse()
    response.read()
    assert response.status in {301, 308}
    assert response.headers["Location"].startswith("https://localhost")
    # A proxy may end the connection after a redirect; the next request opens one.
    connection.close()
    assert post(connection, TOKEN, client_id="tv").status in {301, 308, 403}
    connection.close()


def test_a_polling_device_notices_no_restart(site: Site) -> None:
    """Host after host is restarted, the next one when the first one has got requests again."""
    device = Device(site.front).authorize()
    ended = Event()
    outcomes: list[tuple[int, str]] = []
    starts: list[int] = []

    def keep_polling() -> None:
        while not ended.is_set():
            answer = poll(site, device)
            outcomes.append((answer.status, answer.body["error"]))
            # The refusal of a proxy comes at once: without a pause, those of a second would count
            # for more than the answers of the whole rest.
            ended.wait(0.05)

    def takes_part(host: Host, since: int) -> bool:
        starts.append(Device(site.front).request().status)
        return bool(host.grants(since))

    def were_enough() -> bool:
        # On a busy machine, a host may serve before it has seen the store.
        refused = outcomes.count(away) + starts.count(503)
        return len(outcomes) > max(20, 10 * refused if site.proxy.repeats else 0)

    away = (503, "temporarily_unavailable")
    with ThreadPoolExecutor() as pool:
        polling = pool.submit(keep_polling)
        try:
            for host in site.hosts:
                host.stop()
                # Not before: the last lines of the log may be read when the host has ended.
                known = len(host.log)
                starts += [Device(site.front).request().status for _ in range(10)]
                host.start()
                until_outside(partial(takes_part, host, known))
            until_outside(were_enough)
        finally:
            ended.set()
        polling.result(PATIENCE_S)
    assert set(outcomes) <= {(400, "authorization_pending"), (400, "slow_down"), away}
    # The test starts more grants than the proxy's limit lets one address start.
    assert set(starts) <= {200, 429, 503}
    assert poll(site, device).status == 400


def test_what_is_repeated(site: Site) -> None:
    """A host dies with the request in its hand: a poll is repeated, another POST never."""
    one, two = site.hosts
    two.stop()
    try:
        known = len(one.log)
        device = Device(site.front)
        # The proxy may not know yet that the other host is away, and it repeats no start.
        until_outside(lambda: device.request().status == 200)
        until_outside(lambda: one.grants(known))
        with SilentHost(HOSTS[1], site.places.host_ports) as silent:
            known = len(one.log)
            answers: list[Answer] = []
            while not silent.posts[START]:
                answers.append(Device(site.front).request())
            good = [answer for answer in answers if answer.status == 200]
            bad = [answer for answer in answers if answer.status != 200]
            until_outside(lambda: one.grants(known) >= len(good))
            assert one.grants(known) == len(good)
            assert {answer.body["error"] for answer in bad} == {"temporarily_unavailable"}
            assert len(bad) >= silent.posts[START]

            statuses = set()
            while not silent.posts[TOKEN]:
                statuses.add(poll(site, device).status)
            assert statuses <= ({400} if site.proxy.repeats else {400, 502, 503})
    finally:
        two.start()


def test_source_affinity(
    proxy: Proxy,
    places: Places,
    hosts: tuple[Host, Host],
    certificate: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With the other lines of the file, one address stays with one host.

    A host that is slow for a moment counts as away, so one of three rounds has to show it.
    """
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    front = Program(places.folder, (), Notes())
    front.url = f"https://localhost:{places.port}"

    def one_round() -> list[int]:
        known = [len(host.log) for host in hosts]
        for _ in range(12):
            Device(front).authorize()

        def counts() -> list[int]:
            return [host.grants(since) for host, since in zip(hosts, known, strict=True)]

        until_outside(lambda: sum(counts()) == 12)
        return sorted(counts())

    with proxy.running(places, affinity=True):
        assert any(one_round() == [0, 12] for _ in range(3))
