"""The files of config/proxies, moved to ports and addresses of a test, and the proxies run."""

import os
import re
import socket
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.stage.checkout import ROOT
from tests.stage.tools import tool
from tests.stage.waiting import PATIENCE_S, until_outside

SITE = "login.example.com"


@dataclass(frozen=True)
class Places:
    """Where a proxy listens, and where the hosts do: `10.0.0.x` becomes `127.0.0.x`."""

    folder: Path
    port: int
    plain_port: int
    host_ports: tuple[int, int]


@dataclass(frozen=True)
class Proxy:
    """A kind of proxy: its file, its checker and its command, each with the file as `{file}`.

    `repeats`: whether it tries a POST at the other host, if the first one has not answered.
    `limits`: whether it limits how many grants an address may start.
    """

    name: str
    file: str
    check: tuple[str, ...]
    run: tuple[str, ...]
    moves: Callable[[Places], Mapping[str, str]]
    repeats: bool = True
    limits: bool = True

    @property
    def text(self) -> str:
        """The file as it is shipped."""
        return (ROOT / "config" / "proxies" / self.file).read_text(encoding="utf-8")

    def write(self, places: Places, *, affinity: bool) -> Path:
        """Write the file for these places. `affinity`: with the lines for source affinity."""
        text = with_affinity(self.text) if affinity else self.text
        port, admin_port = places.host_ports
        common = {
            "10.0.0.": "127.0.0.",
            ":8628": f":{port}",
            " 8629": f" {admin_port}",
            f"/etc/{self.name}/login": f"{places.folder}/login",
        }
        for old, new in (common | dict(self.moves(places))).items():
            assert old in text or old == " 8629", f"{self.file} has no {old!r}"
            text = text.replace(old, new)
        file = places.folder / self.file
        file.write_text(text, encoding="utf-8")
        return file

    def checked(self, file: Path) -> "subprocess.CompletedProcess[str]":
        """Run its own checker on a file."""
        return subprocess.run(
            self._filled(self.check, file),
            check=False,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            env=_environment(file.parent),
        )

    @contextmanager
    def running(self, places: Places, *, affinity: bool = False) -> Iterator[None]:
        """It listens on its ports as soon as the block begins."""
        command = self._filled(self.run, self.write(places, affinity=affinity))
        log = places.folder / "proxy.log"
        with (
            log.open("w", encoding="utf-8") as output,
            subprocess.Popen(
                command, stdout=output, stderr=output, env=_environment(places.folder)
            ) as process,
        ):
            try:
                until_outside(lambda: process.poll() is not None or _is_open(places))
                assert process.poll() is None, log.read_text(encoding="utf-8")
                yield
            finally:
                process.terminate()
                process.wait(PATIENCE_S)

    def _filled(self, words: tuple[str, ...], file: Path) -> list[str]:
        return [tool(self.name), *(word.format(file=file, folder=file.parent) for word in words)]


def with_affinity(text: str) -> str:
    """Return the file with the policy below "Source affinity" in place of the other one."""
    changed, count = re.subn(
        r"^(\s*# Source affinity:.*\n)((?:\s*# [a-z_-]+ .*\n)+)\s*.*least_?conn;?\n",
        lambda found: found[1] + re.sub(r"(?m)^(\s*)# ", r"\1", found[2]),
        text,
        flags=re.MULTILINE,
    )
    assert count == 1
    return changed


def make_certificate(folder: Path) -> Path:
    """Make a throw-away certificate for `localhost`: login.pem and login.key."""
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -batch"
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    key, certificate = folder / "login.key", folder / "login.crt"
    subprocess.run(
        [*command.split(), *names, "-keyout", str(key), "-out", str(certificate)],
        check=True,
        capture_output=True,
    )
    # HAProxy reads the key from the same file; the others skip it there.
    (folder / "login.pem").write_text(certificate.read_text() + key.read_text(), encoding="utf-8")
    return certificate


def _is_open(places: Places) -> bool:
    return _listens(places.port) and _listens(places.plain_port)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _environment(folder: Path) -> dict[str, str]:
    """Caddy keeps its state below these."""
    return os.environ | {"XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}


def _nginx(places: Places) -> dict[str, str]:
    bodies = " ".join(
        f"{name}_temp_path {places.folder}/{name};"
        for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    user = "user root;\n" if os.getuid() == 0 else ""
    return {
        "listen 443 ": f"listen 127.0.0.1:{places.port} ",
        "listen 80;": f"listen 127.0.0.1:{places.plain_port};",
        "/var/log/nginx/": f"{places.folder}/",
        "\nhttp {\n": f"\nhttp {{\n{bodies}\n",
        "\nworker_processes auto;\n": f"\n{user}worker_processes 2;\n",
        SITE: "localhost",
    }


def _haproxy(places: Places) -> dict[str, str]:
    return {
        "maxconn 50000": "maxconn 2000",  # what a limit on open files may allow here
        "bind :443 ": f"bind 127.0.0.1:{places.port} ",
        "bind :80\n": f"bind 127.0.0.1:{places.plain_port}\n",
    }


def _caddy(places: Places) -> dict[str, str]:
    return {
        "\n{\n": f"\n{{\n\tadmin off\n\thttp_port {places.plain_port}\n\tdefault_bind 127.0.0.1\n",
        f"\n{SITE} {{": f"\nhttps://localhost:{places.port} {{",
    }


_SETTLED = "daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log;"
PROXIES = (
    Proxy(
        name="nginx",
        file="nginx.conf",
        check=("-t", "-c", "{file}", "-g", "pid {folder}/nginx.pid;"),
        run=("-c", "{file}", "-g", _SETTLED),
        moves=_nginx,
    ),
    Proxy(
        name="haproxy",
        file="haproxy.cfg",
        check=("-c", "-f", "{file}"),
        run=("-db", "-f", "{file}"),
        moves=_haproxy,
    ),
    Proxy(
        name="caddy",
        file="Caddyfile",
        check=("validate", "--adapter", "caddyfile", "--config", "{file}"),
        run=("run", "--adapter", "caddyfile", "--config", "{file}"),
        moves=_caddy,
        repeats=False,
        limits=False,
    ),
)
