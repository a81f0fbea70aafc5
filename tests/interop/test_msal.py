"""MSAL for Python, which insists on https and on an issuer with a path."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop.conftest import served_site
from tests.interop.peer import MSAL
from tests.interop.site import Play, Site
from tests.interop.test_flow import plays_to_the_end
from tests.interop.tls import HOST, make_certificates, tls_front
from tests.stage.ports import free_port
from tests.stage.program import Notes


@pytest.fixture
def site(tmp_path: Path, notes: Notes, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A server behind TLS, with an authority that this test's programs trust."""
    certificates = make_certificates(tmp_path)
    # What Python's own HTTP client reads, and what requests reads.
    for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"):
        monkeypatch.setenv(name, str(certificates.authority))
    port, backend = free_port(), free_port()
    issuer = f"https://{HOST}:{port}/tenants/north"
    with (
        tls_front(port, backend, certificates.host),
        served_site(f"http://{HOST}:{backend}", issuer, notes) as served,
    ):
        yield served


def test_msal(play: Play, site: Site) -> None:
    """OIDCD-3-a: it stops at metadata without an authorization endpoint."""
    tokens = plays_to_the_end(play(MSAL), site)
    assert tokens["claims"]["aud"] == "tv"


def test_a_denial(play: Play, site: Site) -> None:
    """8628-3.5-c."""
    peer = play(MSAL)
    peer.step("discovered")
    site.decide(peer.step("authorized"), "deny")
    assert peer.fails() == "access_denied"
