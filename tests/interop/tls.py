"""TLS in front of a server, with a certificate authority that exists for one test."""

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer
from threading import Thread
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

HOST = "127.0.0.1"
CHUNK = 65_536
LIFETIME = timedelta(days=1)


class Certificates(NamedTuple):
    """The authority's certificate; the certificate of HOST with its key."""

    authority: Path
    host: Path


def make_certificates(folder: Path) -> Certificates:
    """Make an authority that signs one certificate. Its key is kept nowhere."""
    authority_key, host_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    authority_name = _name("Authority of the tests")
    authority = (
        _certificate(authority_name, authority_name, authority_key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(authority_key, hashes.SHA256())
    )
    addresses = x509.SubjectAlternativeName([x509.IPAddress(IPv4Address(HOST))])
    host = (
        _certificate(_name(HOST), authority_name, host_key.public_key())
        .add_extension(addresses, critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = host_key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    files = Certificates(folder / "authority.pem", folder / "host.pem")
    files.authority.write_bytes(authority.public_bytes(pem))
    files.host.write_bytes(host.public_bytes(pem) + private)
    return files


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _certificate(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return x509.CertificateBuilder(
        issuer_name=issuer,
        subject_name=subject,
        public_key=key,
        serial_number=x509.random_serial_number(),
        not_valid_before=now - LIFETIME,
        not_valid_after=now + LIFETIME,
    )


@contextmanager
def tls_front(port: int, backend: int, certificate: Path) -> Iterator[None]:
    """Take connections with TLS on `port`, and pass their bytes on to `backend`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    class Connection(BaseRequestHandler):
        def handle(self) -> None:
            with (
                suppress(OSError),  # a client may leave at any time
                context.wrap_socket(self.request, server_side=True) as outside,
                socket.create_connection((HOST, backend)) as inside,
            ):
                back = Thread(target=_pass_on, args=(inside, outside))
                back.start()
                _pass_on(outside, inside)
                back.join()

    with ThreadingTCPServer((HOST, port), Connection) as front:
        thread = Thread(target=front.serve_forever)
        thread.start()
        try:
            yield
        finally:
            front.shutdown()
            thread.join()


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    """Copy bytes until either side ends."""
    with suppress(OSError):
        while data := source.recv(CHUNK):
            target.sendall(data)
    for each in (source, target):
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
