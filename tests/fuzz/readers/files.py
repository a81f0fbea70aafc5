"""Readers of files and of the store: settings, URLs, records, messages, pictures, places."""

import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from deviceflow.audit.chain import Chain, read_line
from deviceflow.audit.events import AuditLine
from deviceflow.config import ConfigError
from deviceflow.config.loading import load, setting_paths, variable_for
from deviceflow.core.claims import ClaimValue, Subject
from deviceflow.core.client import Client
from deviceflow.core.envelope_key import read_envelope_keys
from deviceflow.core.image import ImageError, read_image
from deviceflow.core.origin import is_written_as_in_browsers
from deviceflow.core.pace_gossip import PaceMessage, PaceReport
from deviceflow.core.signing_key import SigningKey
from deviceflow.core.smtp_url import SmtpUrl, is_smtp_url
from deviceflow.core.store_url import StoreUrl, StoreUrlError
from deviceflow.device.answers import Reply, read_authorization, read_poll
from deviceflow.device.errors import DeviceFlowError
from deviceflow.places import PlacesError, open_places
from deviceflow.store.accounts import Account
from deviceflow.store.announcements import ClientChange, Decision
from deviceflow.store.device_index import DeviceEntry
from deviceflow.store.envelope import Envelope, EnvelopeError
from deviceflow.store.errors import RecordUnreadable
from deviceflow.store.factors import Factors
from deviceflow.store.families import Family
from deviceflow.store.grant_records import read_grant
from deviceflow.store.holds import HoldMessage
from deviceflow.store.key_sets import InstallationKeys, keys_in_fields
from deviceflow.store.records import RecordKind, read_record, write_record
from deviceflow.store.redemptions import RedeemedTokens
from deviceflow.store.secret_box import decrypt
from deviceflow.store.sessions import Session
from tests.fuzz.readers.wire import text
from tests.fuzz.target import Target
from tests.stage.places import write_places

MODELS: dict[RecordKind, Any] = {
    RecordKind.APPROVAL: Subject,
    RecordKind.CLIENT: Client,
    RecordKind.DEVICE: DeviceEntry,
    RecordKind.FACTORS: Factors,
    RecordKind.FAMILY: Family,
    RecordKind.OPAQUE_TOKEN: dict[str, ClaimValue],
    RecordKind.REDEMPTION: RedeemedTokens,
    RecordKind.SESSION: Session,
    RecordKind.SIGNING_KEY: SigningKey,
    RecordKind.USER: Account,
}
"""The records that are JSON."""


@cache
def _folder() -> Path:
    """A folder of this process, in memory where there is one."""
    memory = Path("/dev/shm")  # noqa: S108, the folder in it is made anew
    found = tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None)
    _kept.append(found)
    return Path(found.name)


_kept: list[tempfile.TemporaryDirectory[str]] = []


def _file(name: str, data: bytes) -> Path:
    path = _folder() / name
    path.write_bytes(data)
    return path


def read_settings(data: bytes) -> None:
    """Settings or a list of problems, and each problem names the place."""
    path = _file("settings.toml", data)
    try:
        load(path, environ={})
    except ConfigError as error:
        _check_problems(error.problems, f"{path}: ")
        raise


def _check_problems(problems: Sequence[str], start: str) -> None:
    """Each is one line, and says where it is."""
    assert problems
    for problem in problems:
        assert problem.startswith(start)
        assert "\n" not in problem


def read_variable(data: bytes) -> None:
    """One setting, and its text as the environment has it."""
    number, _, value = data.partition(b" ")
    paths = setting_paths()
    setting = paths[int.from_bytes(number[:2]) % len(paths)]
    name = variable_for(setting)
    try:
        load(None, environ={name: text(value.replace(b"\0", b""))})
    except ConfigError as error:
        # Where a setting is wrong together with another one, the other may be named.
        _check_problems(error.problems, "")
        raise


def read_store_url(data: bytes) -> None:
    parsed = StoreUrl.parse(text(data))
    assert parsed.address or parsed.socket_path
    assert all(0 < endpoint.port < 65_536 for endpoint in parsed.endpoints)


def read_urls(data: bytes) -> None:
    """What else the settings have: mail servers, hosts, envelope keys."""
    value = text(data)
    if is_smtp_url(value):
        parsed = SmtpUrl.parse(value)
        assert parsed.host
        assert 0 <= parsed.port < 65_536
        assert isinstance(parsed.needs_starttls, bool)
    is_written_as_in_browsers(value)
    assert all(len(key) == 32 for key in read_envelope_keys(value) or [])


def read_json_record(kind: RecordKind, data: bytes) -> None:
    """A record that is read can be written again, and then says the same."""
    record = read_record(data, kind, MODELS[kind])
    again = write_record(record, over=data)
    assert read_record(again, kind, MODELS[kind]) == record


def read_all_records(data: bytes) -> None:
    """The number of a kind, and its JSON. What is unreadable can still be replaced."""
    kinds = list(MODELS)
    kind = kinds[(data[0] if data else 0) % len(kinds)]
    write_record(Session("ada", "sub-ada", 1), over=data[1:])
    read_json_record(kind, data[1:])


def read_hash(data: bytes) -> None:
    """The fields of a hash: a name and a value, on a line each."""
    lines = data.split(b"\n")
    grant = read_grant(5, dict(zip(lines[::2], lines[1::2], strict=False)))
    assert grant.id == 5
    assert isinstance(grant.expires_at, int)


def read_messages(data: bytes) -> None:
    """What workers tell each other. A message that is understood is written as it was."""
    for parse in (Decision.parse, ClientChange.parse, HoldMessage.parse):
        parsed: Any = parse(data)
        assert parsed is None or parse(parsed.message.encode()) == parsed
    pace = PaceMessage.decode(data)
    assert pace is None or pace.encode() == data


_AUDIT_LINE = Chain("a").add(AuditLine(time="t", event="e", sub="ada", number=7)).strip()
_ENVELOPE = Envelope(lambda: [b"e" * 32])


def read_audit_line(data: bytes) -> None:
    """A line of the audit's file. Only its own hash makes it whole."""
    line = read_line(data)
    assert line is None or line.is_sound == (data == _AUDIT_LINE)


def read_sealed(data: bytes) -> None:
    """Secrets of the store: nothing that was made elsewhere is opened."""
    assert decrypt(b"k" * 32, data, "context") is None
    lines = data.split(b"\n", 2)
    fields = dict(zip((b"v", b"epoch", b"keys"), lines, strict=False))
    keys = keys_in_fields(fields, _ENVELOPE)
    assert isinstance(keys, InstallationKeys)


def read_picture(data: bytes) -> None:
    image = read_image(data)
    assert 32 <= image.width <= 1024
    assert 32 <= image.height <= 1024


def read_places(data: bytes) -> None:
    """A file with places, and addresses in all corners of it."""
    places = open_places(str(_file("places.mmdb", data)))
    try:
        for address in ("203.0.113.7", "198.51.100.1", "2001:db8::1", "8.8.8.8", "2a00::1"):
            place = places.find(address, "de")
            assert place is None or all(isinstance(each, str) for each in place)
    finally:
        places.close()


def read_server_answers(data: bytes) -> None:
    """The device's side: the status, and the body of a server's answer."""
    status, body = 200 + 100 * (data[0] % 4 if data else 0), data[1:]
    for read in (read_authorization, read_poll):
        try:
            read(Reply(status=status, body=body, retry_after=None))
        except DeviceFlowError as error:
            _check_problems([str(error)], "")


@cache
def _places() -> bytes:
    return Path(write_places(_folder() / "made.mmdb")).read_bytes()


def _json(members: object) -> bytes:
    return msgspec.json.encode(members)


_SETTINGS = b"""\
issuer = "https://id.example.com"
[server]
port = 8628
workers = "auto"
trusted_proxies = ["10.0.0.0/8", "none"]
[redis]
url = "redis://:secret@localhost:6379/1"
[device]
lifetime_s = 600
user_code = { alphabet = "numeric", length = 9, group = 3 }
[pages]
title = { en = "Sign in", de = "Anmelden" }
accent = "#336699"
[scopes]
deploy = "Deploy"
[[clients]]
client_id = "tv-app"
name = "TV"
scopes = ["openid", "deploy"]
near = "network"
resources = ["https://api.example.com"]
[[resources]]
resource = "https://api.example.com"
scopes = ["deploy"]
"""
_SETTINGS_READ = _SETTINGS.replace(b', "none"', b"")
_UPSTREAM = b"""\
issuer = "https://id.example.com"
[[upstream]]
id = "sso"
issuer = "https://sso.example.com"
name = "SSO"
client_id = "df"
client_secret = "s"
[tokens]
access_token_lifetime_s = 600
[limits]
starts = 100
"""
_PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR" + (64).to_bytes(4) * 2 + b"\x08\x02"
_JPEG = b"\xff\xd8\xff\xe0\x00\x04ab\xff\xff\xd0\xff\xc0\x00\x0b\x08\x00\x40\x00\x80\x01\x01"
_WEBP = (
    b"RIFF\x00\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00\x00\x00\x00\x00\x3f\x00\x00\x3f\x00\x00",
    b"RIFF\x00\x00\x00\x00WEBPVP8L\x0a\x00\x00\x00\x2f\x3f\xc0\x0f\x00",
    b"RIFF\x00\x00\x00\x00WEBPVP8 \x0a\x00\x00\x00\x00\x00\x00\x9d\x01\x2a\x40\x00\x40\x00",
)
_SUBJECT = Subject(sub="s", username="ada", auth_time=1, amr=("pwd",), name="Ada")
_RECORDS: dict[RecordKind, Any] = {
    RecordKind.APPROVAL: _SUBJECT,
    RecordKind.CLIENT: Client(client_id="tv", name="TV"),
    RecordKind.DEVICE: DeviceEntry(client_id="tv", scope="openid", approved_at=1),
    RecordKind.FACTORS: Factors(recovery=("x",)),
    RecordKind.FAMILY: Family(client_id="tv", scope="openid", subject=_SUBJECT, expires_at=9),
    RecordKind.OPAQUE_TOKEN: {"sub": "s", "exp": 1, "aud": ["a", "b"], "cnf": {"jkt": "x"}},
    RecordKind.SESSION: Session("ada", "sub-ada", 1),
    RecordKind.SIGNING_KEY: SigningKey(jwk={"kid": "k", "alg": "ES256"}, created_at=1),
    RecordKind.USER: Account(username="ada", sub="s", password_hash="x", name="Ada"),
}
_GRANT = (
    b"client\ntv\nscope\nopenid\nat\n1\nfrom\n192.0.2.1\nstate\napproved\nexpires\n99\n"
    b"approved\n1700\napproval\n" + _json(_SUBJECT)
)
_KEYS_RECORD = InstallationKeys(epoch=b"e" * 32, lasting=b"l" * 32, sets=())

TARGETS = (
    Target("settings", read_settings, (_SETTINGS_READ, _UPSTREAM), (ConfigError,)),
    Target(
        "environment variable",
        read_variable,
        tuple(number.to_bytes(2) + b" " for number in range(100, 150)),
        (ConfigError,),
    ),
    Target(
        "URL of the store",
        read_store_url,
        (
            b"redis://user:pass@localhost:6379/1",
            b"rediss+sentinel://a:1,b/main/2?sentinel_username=x&ssl_ca_certs=/ca.pem",
            b"redis+cluster://[2001:db8::1]:7000,b:7001",
            b"unix:///run/redis.sock?db=3&password=%23",
        ),
        (StoreUrlError,),
    ),
    Target(
        "URLs and keys",
        read_urls,
        (
            b"smtp://user:p%40ss@mail.example.com:25",
            b"smtps://[::1]",
            b"id.example.com",
            b"# key\n" + b"0f" * 32,
            b"QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=",
        ),
    ),
    Target(
        "records",
        read_all_records,
        tuple(bytes([list(MODELS).index(kind)]) + _json(each) for kind, each in _RECORDS.items()),
        (RecordUnreadable,),
    ),
    Target("grant", read_hash, (_GRANT, _GRANT + b"\nv\n1"), (RecordUnreadable,)),
    Target(
        "messages of workers",
        read_messages,
        (
            b"1f00000005 approved 1700000600",
            b"client 12 tv-app",
            b"abcd 1f 5 6 7",
            PaceMessage(b"h" * 8, 4096, (PaceReport(1, 2, 5, 400),)).encode(),
        ),
    ),
    Target(
        "sealed secrets",
        read_sealed,
        (
            b"2\n" + b"e" * 32 + b"\n" + _json(_KEYS_RECORD),
            b"2\n" + b"e" * 32 + b"\n" + _json(_KEYS_RECORD).replace(b"[]", b"[ ]"),
        ),
        (RecordUnreadable, EnvelopeError),
    ),
    Target("line of the audit", read_audit_line, (_AUDIT_LINE,)),
    Target("picture", read_picture, (_PNG, _JPEG, *_WEBP), (ImageError,)),
    Target("places", read_places, (_places(),), (PlacesError,)),
    Target(
        "answers to devices",
        read_server_answers,
        (
            b"\0" + _json({"device_code": "d", "user_code": "u", "verification_uri": "v"}),
            b"\0" + _json({"access_token": "a", "token_type": "Bearer", "expires_in": "3600"}),
            b"\2" + _json({"error": "slow_down", "interval": 10}),
            b"\2" + _json({"error": "authorization_pending", "error_description": "x"}),
        ),
    ),
)
