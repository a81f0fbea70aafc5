"""Readers of what browsers and people send: headers, cookies, codes, names, passkeys."""

import json
from hashlib import sha256
from types import SimpleNamespace
from typing import Any, cast
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from multidict import CIMultiDict, CIMultiDictProxy

from deviceflow.admin.console.session import CONSOLE_COOKIE, ConsoleSessions
from deviceflow.admin.host_check import is_own_host
from deviceflow.admin.tokens import AdminTokens, AdminTokensError
from deviceflow.callers import Callers, media_type
from deviceflow.config import Pages, Settings
from deviceflow.core import base64url, recovery_code
from deviceflow.core.account_marks import NO_MARKS
from deviceflow.core.client import Client
from deviceflow.core.clients import Clients
from deviceflow.core.cross_origin import CrossOrigin
from deviceflow.core.display_text import comparison_key, is_display_text, normal_form, repaired
from deviceflow.core.errors import OAuthError
from deviceflow.core.languages import accepted, is_accepted, listed, lookup
from deviceflow.core.origin import origin_of
from deviceflow.core.pkce import proves
from deviceflow.core.precis import prepare_password, prepare_username, spellings
from deviceflow.core.proof_of_work import is_answer
from deviceflow.core.user_code import LETTERS, NUMERIC, UserCodeFormat, display, normalise
from deviceflow.oauth.protected_resource import credentials_of
from deviceflow.ops.request_id import given_id
from deviceflow.pages.at_issuer import AtIssuer
from deviceflow.pages.ceremonies import Ceremonies, CeremonyRefused
from deviceflow.pages.challenges import Challenges
from deviceflow.pages.codes import Codes
from deviceflow.pages.cookie import SessionCookie
from deviceflow.pages.csrf import Csrf
from deviceflow.pages.form import _is_utf_8
from deviceflow.pages.known_browser import KnownBrowsers
from deviceflow.pages.languages import read_languages
from deviceflow.pages.seal import Seal
from deviceflow.pages.sign_in.half_way import HalfWay
from deviceflow.pages.sign_in.typed_name import TypedName
from deviceflow.pages.sign_in.upstream.detours import Detours
from deviceflow.pages.visitor import Visitor
from deviceflow.pages.vouched import VouchedNames
from deviceflow.pages.way_back import WayBack
from deviceflow.store.accounts import Account
from deviceflow.store.factors import Factors, FactorStore, Passkey
from deviceflow.store.users import Users
from tests.fuzz.readers.wire import NOW, text
from tests.fuzz.target import Target
from tests.stage.authenticator import SoftAuthenticator

ISSUER = "http://localhost:8628"
TAGS = ["de", "en", "fr", "pt-BR", "zh-Hans"]
_KEYS = (b"k" * 32, b"l" * 32)
_COOKIE = SessionCookie(https=False, issuer=ISSUER)
_VALUE = "v" * 43
_TOKEN = b"t" * 40
_TOKENS = AdminTokens.of(_TOKEN)
_LANGUAGES = read_languages(Settings(issuer=ISSUER))
_CALLERS = Callers(["127.0.0.1/32"], warns=False)
_LONG = 100
_REQUEST = make_mocked_request("GET", "/device")
_CODES = Codes(
    UserCodeFormat(),
    Clients(
        [Client(client_id="n", name="N", user_code=UserCodeFormat(alphabet=NUMERIC, length=9))]
    ),
)
_CLOCK = lambda: NOW  # noqa: E731, a clock in a word


def keys() -> tuple[bytes, ...]:
    return _KEYS


_DETOURS = Detours(keys=keys, issuer=ISSUER, cookie=_COOKIE, clock=_CLOCK)
_KNOWN = KnownBrowsers(cookie=_COOKIE, keys=keys)
_CONSOLE = ConsoleSessions(tokens=_TOKENS, keys=keys, clock=_CLOCK)
_AT_ISSUER = AtIssuer(issuer=ISSUER, codes=_CODES)
_CORS = CrossOrigin(("https://app.example",))
_SEAL = Seal(keys=keys)
_CSRF = Csrf(keys=keys, issuer=ISSUER)
_VOUCHED = VouchedNames(header="X-User", callers=_CALLERS)


def _request(data: bytes) -> web.Request:
    """A request with these lines as headers, as aiohttp decodes them."""
    headers: CIMultiDict[str] = CIMultiDict()
    for line in data.split(b"\n"):
        name, colon, value = text(line).partition(":")
        if colon and name.isascii() and name.isprintable():
            headers.add(name, value.strip())
    return web.Request(
        _REQUEST._message._replace(headers=CIMultiDictProxy(headers)),
        _REQUEST._payload,
        _REQUEST.protocol,
        _REQUEST._payload_writer,
        _REQUEST.task,
        _REQUEST._loop,
        client_max_size=1024,
        remote="127.0.0.1",
    )


def read_cookies(data: bytes) -> None:
    """Nothing is believed of a cookie that this server has not made."""
    request = _request(b"Cookie: " + data.replace(b"\n", b""))
    value = _COOKIE.read(request)
    assert value is None or base64url.is_digest(value)
    assert _KNOWN.mark(request, "ada") is None
    assert WayBack(cookie=_COOKIE).path(request).startswith(("/account", "/device"))
    TypedName(cookie=_COOKIE).read(request).encode()
    onward = _DETOURS.onward(request, "s" * 60, _CODES)
    assert onward.user_code.isascii()
    assert onward.path in {"/device", "/device/confirm", "/account/security"}
    assert _CONSOLE.operator(request) is None
    assert not _CONSOLE.is_own_form(request, "f" * 64)
    assert _LANGUAGES.of(request) in _LANGUAGES.offered.values()
    visitor = cast("Visitor", SimpleNamespace(request=request, cookie=_VALUE))
    assert _finished(_HALF_WAY.read(visitor)) is None
    _COOKIE.has_ended(request)


def read_headers(data: bytes) -> None:
    """Headers lead to this server only, and what is made of them can be sent and stored."""
    request = _request(data)
    _CALLERS.address(request).encode("utf-8", "surrogateescape")
    given_id(request).encode("ascii")
    _VOUCHED.name(request).encode()
    before = _LANGUAGES._page_before(request)
    before.encode()
    assert before.startswith("/")
    assert not before.startswith(("//", "/\\"))
    assert urlsplit(before).netloc == ""
    _LANGUAGES.of_browser(request)
    assert isinstance(_CSRF._is_same_origin(request), bool)
    assert isinstance(_AT_ISSUER._is_elsewhere(request), bool)
    is_own_host(request.host, ("console.example",))
    media_type(request)
    _is_utf_8(request)
    for name, value in _CORS.headers(request.headers.get("Origin")).items():
        f"{name}: {value}".encode()
    credentials = credentials_of(request)
    assert credentials.token


def read_sealed(data: bytes) -> None:
    """What comes back from a browser is refused unless it was made here."""
    sent = text(data)
    printed = sent.encode("utf-8", "replace").decode()  # as the parser of a form gives it
    assert not _SEAL.holds(sent, _VALUE, "fact")
    assert not _CSRF.is_token_of(_VALUE, printed)
    assert _DETOURS.fault("sso", sent)
    assert not is_answer("challenge", printed, 200)
    assert not proves(printed, base64url.encode(b"x" * 32))
    assert (_TOKENS.name_of(sent) is None) == (data != _TOKEN)


def read_user_code(data: bytes) -> None:
    """What is read and shown again is read as the same code."""
    typed = data.decode(errors="replace")
    for alphabet in (LETTERS, NUMERIC, "0123456789ABCDEF"):
        code = normalise(typed, alphabet)
        if code is not None:
            assert set(code) <= set(alphabet)
            assert len(code) > _LONG or normalise(display(code, 4), alphabet) == code
    carried = _CODES.carry(typed)
    assert carried.isascii()
    assert _CODES.carry(carried) == carried
    assert all(form.isascii() for form in _CODES.read(typed))
    assert _CODES.repeat(typed).isascii()
    assert not (_CODES.has_too_few(typed) and _CODES.has_too_many(typed))


def read_recovery_code(data: bytes) -> None:
    letters = recovery_code.read(data.decode(errors="replace"))
    assert letters is None or recovery_code.read(letters) == letters


def read_names(data: bytes) -> None:
    """User names, passwords and names of clients."""
    typed = data.decode(errors="replace")
    name, password = prepare_username(typed), prepare_password(typed)
    assert typed in spellings(typed, name)
    for prepared in (name, password):
        assert prepared is None or prepared.encode()
    shown = repaired(typed)
    comparison_key(typed).encode()
    assert len(shown) > 100 or not shown or is_display_text(shown) or shown != normal_form(shown)


def read_languages_of(data: bytes) -> None:
    header = text(data)
    tag = accepted(header, TAGS, "en")
    assert tag is None or tag in TAGS
    assert lookup(listed(header), TAGS) in {None, *TAGS}
    is_accepted(header, "de")


def read_origin(data: bytes) -> None:
    assert "://" in origin_of(text(data))


def read_admin_tokens(data: bytes) -> None:
    tokens = AdminTokens.of(data)
    assert 0 < len(tokens.names()) <= 100


# Passkeys

_KEY = ec.derive_private_key(8628, ec.SECP256R1())
_CHALLENGE = b"c" * 56
_ACCOUNT = Account(username="ada", sub="sub-ada", password_hash="", marks=NO_MARKS)
_DEVICE = SoftAuthenticator(origin=ISSUER, credential_id=b"i" * 32, key=_KEY)


async def _yes(*_: object) -> bool:
    return True


async def _ada(*_: object) -> str:
    return _ACCOUNT.sub


async def _account(_: str) -> Account:
    return _ACCOUNT


async def _change(_: str, edit: Any) -> Factors | None:  # noqa: ANN401, as the store's
    changed: Factors | None = edit(_factors())
    return changed


async def _of(_: str) -> Factors:
    return _factors()


_STORE = SimpleNamespace(
    claim_passkey=_yes, owner_of=_ada, change=_change, of=_of, user_handle=lambda _: b"h" * 16
)
_CHALLENGES = SimpleNamespace(
    make=lambda *_: _CHALLENGE, is_good=lambda sent, *_: sent == _CHALLENGE, use=_yes
)
_CEREMONIES = Ceremonies(
    issuer=ISSUER,
    pages=Pages(),
    challenges=cast("Challenges", _CHALLENGES),
    store=cast("FactorStore", _STORE),
    users=cast("Users", SimpleNamespace(find_subject=_account, find=_account)),
    clock=_CLOCK,
)
_CREATED = _DEVICE.create(json.loads(_CEREMONIES.creation_options("c", _ACCOUNT, Factors())))


def _finished(coroutine: Any) -> Any:  # noqa: ANN401, what it returns
    """Run a coroutine that waits for nothing."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value
    raise AssertionError("it waits")


_PASSKEY: Passkey = _finished(_CEREMONIES.register("c", _ACCOUNT, "key", _CREATED))
_HALF_WAY = HalfWay(cookie=_COOKIE, seal=_SEAL, users=_CEREMONIES.users, clock=_CLOCK)


def _factors() -> Factors:
    return Factors(passkeys=(_PASSKEY,))


def _signed() -> str:
    """The JSON of a signature that is the same in every run."""
    answer = json.loads(_DEVICE.get(json.loads(_CEREMONIES.sign_in_options("c"))))
    response = answer["response"]
    data, client_data = (
        base64url.decode(response[name]) for name in ("authenticatorData", "clientDataJSON")
    )
    algorithm = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)
    signature = _KEY.sign(data + sha256(client_data).digest(), algorithm)
    response["signature"] = base64url.encode(signature)
    return json.dumps(answer)


def read_new_passkey(data: bytes) -> None:
    passkey = _finished(_CEREMONIES.register("c", _ACCOUNT, "key", data.decode(errors="replace")))
    assert passkey.id
    assert passkey.public_key


def read_attestation(data: bytes) -> None:
    """The CBOR in the JSON of a new passkey."""
    answer = json.loads(_CREATED)
    answer["response"]["attestationObject"] = base64url.encode(data)
    read_new_passkey(json.dumps(answer).encode())


def read_passkey(data: bytes) -> None:
    """Only the passkey of the account signs it in, and never with another challenge."""
    typed = data.decode(errors="replace")
    assert _finished(_CEREMONIES.sign_in("c", typed)) == _ACCOUNT


_ATTESTATION = base64url.decode(json.loads(_CREATED)["response"]["attestationObject"])
_COOKIES = "; ".join(
    [
        f"{_COOKIE.name}={_VALUE}",
        f"{_KNOWN.name}={'m' * 38}.{'n' * 38}",
        f"{_COOKIE.name}-typed=YWRh",
        f"{_COOKIE.name}-then=devices",
        f"{_COOKIE.name}-second=YWRh.1700009999.{'0' * 32}.pwd",
        f"{_COOKIE.name}-detour={'s' * 8}~WDJB-MJHT",
        f"{_COOKIE.name}-language=de",
        f'{CONSOLE_COOKIE}={_TOKENS.names()[0]}.1700009999.r.{"0" * 64}; x="y"',
    ]
).encode()

TARGETS = (
    Target("cookies", read_cookies, (_COOKIES, f"{CONSOLE_COOKIE}=a.b.c".encode())),
    Target(
        "headers",
        read_headers,
        (
            (
                b"Authorization: Bearer abc\nX-Forwarded-For: 203.0.113.7, 127.0.0.1\n"
                b"X-User: Ada\nReferer: http://localhost:8628/device?user_code=WDJB-MJHT&a=b"
            ),
            (
                b"authorization: DPoP abc\nX-Request-ID: a-1\nOrigin: http://localhost:8628\n"
                b"Sec-Fetch-Site: same-origin\nReferer: http://localhost:8628/account?a=%C3%A4"
            ),
            (
                b"Authorization: Bearer x\nAccept-Language: de-AT, fr;q=0.5\ntraceparent: "
                b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\nHost: localhost:8628\n"
                b'Content-Type: text/html; charset="utf-8"\nAccept: text/plain;version=1.0;q=0.5'
            ),
        ),
        (OAuthError,),
    ),
    Target(
        "sealed values",
        read_sealed,
        (b"0" * 64, base64url.encode(b"x" * 45).encode(), b"t" * 39, b"v" * 43, b"123"),
    ),
    Target(
        "user code",
        read_user_code,
        (
            *(b"WDJB-MJHT", b"wdjb mjht", b"123-456-789", "ＷＤＪＢ－ＭＪＨＴ".encode()),  # noqa: RUF001
            *("١٢٣٤٥٦٧٨٩".encode(), "НРКТ-МХВС".encode(), b"0OQD 1ILJ 2Z5S"),  # noqa: RUF001
        ),
    ),
    Target("recovery code", read_recovery_code, (b"BCDF-GHJK-LMNP-QRST", b"bcdfghjklmnpqrst")),
    Target(
        "names",
        read_names,
        (b"Ada Lovelace", "Ａｄａ".encode(), "Zoë".encode(), "ﷺ ʼn ǅ".encode(), b"p@ss word"),  # noqa: RUF001
    ),
    Target(
        "languages",
        read_languages_of,
        (b"de-AT, en;q=0.8, *;q=0.1", b"zh-Hant-TW fr-CA", b"pt;q=0, *"),
    ),
    Target(
        "origin",
        read_origin,
        (b"https://Example.com:443/x", b"http://[2001:db8::1]:8080", b"https://a@b:80"),
        (ValueError,),
    ),
    Target(
        "tokens of operators",
        read_admin_tokens,
        (b"# all\n" + b"a" * 40 + b"\n\n" + b"b" * 40,),
        (AdminTokensError,),
    ),
    Target("new passkey", read_new_passkey, (_CREATED.encode(),), (CeremonyRefused,)),
    Target("attestation", read_attestation, (_ATTESTATION,), (CeremonyRefused,)),
    Target("passkey", read_passkey, (_signed().encode(),), (CeremonyRefused,)),
)
