"""The valid values of settings, alone and in combination."""

from pathlib import Path

import pytest

from deviceflow.config import (
    Settings,
    load,
)
from deviceflow.config.settings import DEFAULT_SCOPES
from deviceflow.core.resources import ProtectedResource
from deviceflow.core.user_code import LETTERS, NUMERIC, UserCodeFormat
from tests.config.documents import CLIENT, DIGEST, ISSUER, USER, problems, read

GOOD_KEY = f'{{ kty = "EC", crv = "P-256", x = "{"A" * 43}", y = "{"A" * 43}" }}'


@pytest.mark.parametrize(
    "issuer",
    [
        "https://login.example",
        "https://login.example:8443/tenant/a",
        "https://[2001:db8::1]",
        "http://127.0.0.1:8628",
        "http://127.8.9.1",
        "http://[::1]:8628",
        "http://localhost",
        "https://login.example/b%C3%BCro",
        "https://login.example/%7Eme",
    ],
)
def test_good_issuers_are_kept_byte_for_byte(issuer: str, tmp_path: Path) -> None:
    """8414-2-a, 8414-3.3-a: the issuer is compared byte by byte."""
    loaded = read(f'issuer = "{issuer}"', tmp_path)
    assert loaded.issuer == loaded.issuer_url == issuer


@pytest.mark.parametrize(
    "issuer",
    [
        "",
        "login.example",
        "http://login.example",
        "http://localhost.example",
        "http://127.0.0.1.example",
        "http://10.0.0.1",
        "https://login.example/",
        "https://login.example?",
        "https://login.example?a=b",
        "https://login.example#",
        "https://login.example/#a",
        "https://me@login.example",
        "https://login.example:",
        "https://login.example:http",
        "https://login.example:70000",
        "https://[::1",
        "https://",
        "https://:443",
        "https:login.example",
        "https://login example",
        "https://münchen.example",
        "https://login.example\\n",
        "http://[0:0:0:0:0:0:0:1]:8628",
        "https://[2001:db8:0::1]",
        "https://127.1",
        "https://0x7f000001",
        "https://login.example.1",
        "https://login%2eexample",
        "https://login.example/a%2Fb",
        "https://login.example/100%25",
        "https://login.example/%7Bid%7D",
        "https://login.example/%0a",
        "https://login.example/a%",
        "https://login.example/%zz",
        "https://login.example/b%FCro",
        "ftp://login.example",
    ],
)
def test_bad_issuers(issuer: str, tmp_path: Path) -> None:
    """8628-3.1-a, 8414-2-a: TLS, except on loopback; no query and no fragment."""
    (problem,) = problems(f'issuer = "{issuer}"', tmp_path)
    assert problem.startswith("issuer: got ")
    assert problem.endswith(ISSUER)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", "http://127.0.0.1:8628"),
        ("localhost", "http://localhost:8628"),
        ("::1", "http://[::1]:8628"),
        ("0.0.0.0", "http://127.0.0.1:8628"),  # noqa: S104 - only read
        ("::", "http://[::1]:8628"),
    ],
)
def test_without_an_issuer_it_is_where_the_server_listens(host: str, expected: str) -> None:
    assert load(None, environ={"DEVICEFLOW_SERVER_HOST": host}).issuer_url == expected


@pytest.mark.parametrize(
    "url",
    ["redis://r", "redis://:pw@r:6379/0", "rediss://r", "redis://[::1]:1", "unix:///run/v.sock"],
)
def test_good_redis_urls(url: str, tmp_path: Path) -> None:
    assert read(f'[redis]\nurl = "{url}"', tmp_path).redis.url == url


@pytest.mark.parametrize(
    "url",
    [
        "",
        "redis://",
        "redis:r",
        "redis",
        "http://r",
        "unix://",
        "unix:///",
        "redis://r:x",
        "redis://[",
    ],
)
def test_bad_redis_urls(url: str, tmp_path: Path) -> None:
    (problem,) = problems(f'[redis]\nurl = "{url}"', tmp_path)
    assert problem.startswith("redis.url: got ")
    assert "; expected " in problem


def test_the_header_of_certificates(tmp_path: Path) -> None:
    """9700-4.13-a: off by default, and refused if trusted_proxies has all addresses."""
    assert read("", tmp_path).server.client_certificate_header is None
    header = '[server]\nclient_certificate_header = "X-SSL-Client-S-DN"\n'
    loaded = read(header + 'trusted_proxies = ["10.0.0.0/8"]', tmp_path)
    assert loaded.server.client_certificate_header == "X-SSL-Client-S-DN"
    right = "expected only the proxies that verify the certificates of client_certificate_header"
    assert problems(header, tmp_path) == [f"server.trusted_proxies: missing; {right}"]
    assert problems(header + 'trusted_proxies = ["10.0.0.0/8", "::/0"]', tmp_path) == [
        f'server.trusted_proxies[1]: got "::/0", so everybody could say to be any client; {right}'
    ]
    (problem,) = problems(header + 'trusted_proxies = ["everybody"]', tmp_path)
    assert problem.startswith('server.trusted_proxies[0]: got "everybody"; expected an address')
    environ = {"DEVICEFLOW_SERVER_CLIENT_CERTIFICATE_HEADER": "X-Subject"}
    loaded = read('[server]\ntrusted_proxies = ["10.0.0.0/8"]', tmp_path, environ)
    assert loaded.server.client_certificate_header == "X-Subject"


def test_the_header_of_people(tmp_path: Path) -> None:
    """9700-4.13-a: off by default, and refused without the proxies that write it."""
    assert read("", tmp_path).sign_in.trusted_header is None
    header = '[sign_in]\ntrusted_header = "X-Remote-User"\n[server]\n'
    loaded = read(header + 'trusted_proxies = ["10.0.0.0/8"]', tmp_path)
    assert loaded.sign_in.trusted_header == "X-Remote-User"
    right = "expected only the proxies that authenticate people and write sign_in.trusted_header"
    missing = f"server.trusted_proxies: missing; {right}"
    assert problems(header, tmp_path) == [missing]
    assert problems(header + 'trusted_proxies = ["none"]', tmp_path) == [missing]
    wrong = 'server.trusted_proxies[0]: got "0.0.0.0/0", so everybody could say to be any person'
    said = problems(header + 'trusted_proxies = ["0.0.0.0/0"]', tmp_path)
    assert said == [f"{wrong}; {right}"]


@pytest.mark.parametrize("name", ["Cookie", "x-forwarded-for", "Authorization", "X-Subject"])
def test_a_header_of_people_means_nothing_else(name: str, tmp_path: Path) -> None:
    text = f"""
        [sign_in]
        trusted_header = "{name}"
        [server]
        trusted_proxies = ["::1"]
        client_certificate_header = "x-subject"
    """
    (problem,) = problems(text, tmp_path)
    assert problem.startswith(f'sign_in.trusted_header: got "{name}", which means something else')


def test_accounts_are_made_by_a_proxy_only(tmp_path: Path) -> None:
    (problem,) = problems("[sign_in]\ntrusted_header_creates = true", tmp_path)
    assert problem.startswith("sign_in.trusted_header_creates: set without trusted_header")


@pytest.mark.parametrize("name", ["X_Subject", "", "-", "X-", "X--Y", "X Y", "X:", "é"])
def test_the_name_of_a_header(name: str, tmp_path: Path) -> None:
    """With an underscore, a proxy may accept another spelling that it does not remove."""
    text = f'[server]\ntrusted_proxies = ["::1"]\nclient_certificate_header = "{name}"'
    (problem,) = problems(text, tmp_path)
    assert problem.startswith(f'server.client_certificate_header: got "{name}"; expected the name')


def test_trusted_proxies_are_networks(tmp_path: Path) -> None:
    loaded = read('[server]\ntrusted_proxies = ["10.0.0.0/8", "::1"]', tmp_path)
    assert loaded.server.trusted_proxies == ("10.0.0.0/8", "::1")
    text = '[server]\ntrusted_proxies = ["10.0.0.1/8", "proxy.example", "", 5]'
    said = problems(text, tmp_path)
    assert [line.partition(";")[0] for line in said] == [
        'server.trusted_proxies[0]: got "10.0.0.1/8"',
        'server.trusted_proxies[1]: got "proxy.example"',
        'server.trusted_proxies[2]: got ""',
        "server.trusted_proxies[3]: got 5",
    ]


def test_any_free_port_for_both(tmp_path: Path) -> None:
    assert read("[server]\nport = 0\nadmin_port = 0", tmp_path).server.admin_port == 0


def test_alphabets_have_names(tmp_path: Path) -> None:
    text = '[device.user_code]\nalphabet = "letters"\n' + CLIENT
    loaded = read(text + 'user_code = { alphabet = "numeric", length = 9, group = 3 }', tmp_path)
    assert loaded.device.user_code == UserCodeFormat(alphabet=LETTERS)
    assert loaded.clients[0].user_code == UserCodeFormat(alphabet=NUMERIC, length=9, group=3)


@pytest.mark.parametrize(
    "alphabet", ["", "ABC", "ABCDEFGHIA", "abcdefghijkl", "ABCDEFGHI-", "Numeric"]
)
def test_bad_alphabets(alphabet: str, tmp_path: Path) -> None:
    assert problems(f'[device.user_code]\nalphabet = "{alphabet}"', tmp_path) == [
        (
            f'device.user_code.alphabet: got "{alphabet}"; expected at least 10 different capital'
            ' letters or digits, or "letters" or "numeric"'
        )
    ]


@pytest.mark.parametrize(
    ("alphabet", "length", "good"),
    [
        ("letters", 4, False),
        ("letters", 5, True),
        ("numeric", 6, False),
        ("numeric", 7, True),
        ("numeric", 32, True),
        ("numeric", 33, False),
        ("numeric", -1, False),
    ],
)
def test_user_codes_have_20_bits(alphabet: str, length: int, good: bool, tmp_path: Path) -> None:  # noqa: FBT001 - a column
    """8628-5.1-a: enough entropy, weighed against the number of guesses."""
    text = f'[device.user_code]\nalphabet = "{alphabet}"\nlength = {length}'
    if good:
        assert read(text, tmp_path).device.user_code.bits >= 20
    else:
        (problem,) = problems(text, tmp_path)
        assert problem.startswith(f"device.user_code.length: got {length}; expected a whole number")


@pytest.mark.parametrize("group", [-1, 33])
def test_bad_groups(group: int, tmp_path: Path) -> None:
    expected = f"device.user_code.group: got {group}; expected a whole number from 0 to 32"
    assert problems(f"[device.user_code]\ngroup = {group}", tmp_path) == [expected]


def test_scopes_are_added_to_those_that_have_words(tmp_path: Path) -> None:
    scopes = read('[scopes]\nopenid = "Who?"\n"urn:x:tv" = "Watch"', tmp_path).scopes
    assert scopes == DEFAULT_SCOPES | {"openid": "Who?", "urn:x:tv": "Watch"}


def test_words_for_people_in_several_languages(tmp_path: Path) -> None:
    """One text for all languages, or a table of languages."""
    text = '[scopes]\nprofile = { en = "See you", de = "Sie sehen", zh-Hans = "看" }\ntv = "Watch"'
    scopes = read(text, tmp_path).scopes
    assert scopes["profile"] == {"en": "See you", "de": "Sie sehen", "zh-Hans": "看"}
    assert scopes["tv"] == "Watch"
    title = read('[pages.title]\nde = "Meine Geräte"', tmp_path).pages.title
    assert title == {"de": "Meine Geräte"}


A_TAG = 'expected the tag of a language, such as "de", "pt-BR" or "zh-Hans"'
A_TEXT = "expected 1 to 100 characters on one line, "
SHIPPED = "ar, de, en, es, fr, it, ja, nl, pl, pt, zh-Hans"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('[scopes]\ntv = { german = "x" }', f'scopes.tv.german: got "german"; {A_TAG}'),
        ('[scopes]\ntv = { de = "" }', f'scopes.tv.de: got ""; {A_TEXT}'),
        ("[scopes]\ntv = {}", "scopes.tv: an empty table; expected a text for at least one "),
        ("[scopes]\ntv = 1", f"scopes.tv: got 1; {A_TEXT}"),
        ("[pages]\ntitle = {}", "pages.title: an empty table; expected a text for at least one "),
        (
            "[pages]\nlanguages = []",
            "pages.languages: an empty list; expected at least one language",
        ),
        (
            '[pages]\nlanguages = ["en", "sv"]',
            f'pages.languages[1]: got "sv"; expected one of {SHIPPED}, or pages.texts_dir with its',
        ),
        ('[pages]\nlanguages = ["../x"]', f'pages.languages[0]: got "../x"; {A_TAG}'),
        (
            '[pages]\ndefault_language = "sv"',
            'pages.default_language: got "sv"; expected one of pages.languages',
        ),
    ],
)
def test_bad_words_and_languages(text: str, problem: str, tmp_path: Path) -> None:
    assert any(line.startswith(problem) for line in problems(text, tmp_path))


def test_texts_of_the_operator_are_beside_the_file(tmp_path: Path) -> None:
    text = '[pages]\nlanguages = ["en", "sv"]\ntexts_dir = "texts"'
    assert read(text, tmp_path).pages.texts_dir == str(tmp_path / "texts")


def test_changing_one_settings_scopes_changes_no_other() -> None:
    settings = Settings()
    settings.scopes["x"] = "y"  # type: ignore[index] # it is a dict nevertheless
    assert "x" not in Settings().scopes


API = 'resource = "https://api.example"\nscopes = ["print"]\n'
FILES = '[[resources]]\nresource = "https://files.example"\n'
FOR_API = 'without "https://api.example", to which its scope "print" belongs'


def test_resources(tmp_path: Path) -> None:
    loaded = read(f"[[resources]]\n{API}{FILES}scopes = ['files', 'files:write']", tmp_path)
    assert loaded.resources == (
        ProtectedResource(resource="https://api.example", scopes=("print",)),
        ProtectedResource(resource="https://files.example", scopes=("files", "files:write")),
    )


@pytest.mark.parametrize(
    "text",
    [
        'resources = ["https://api.example"]',
        'resources = ["https://files.example", "https://api.example"]',
        'audience = "https://api.example"',
    ],
)
def test_a_client_with_a_scope_of_a_resource(text: str, tmp_path: Path) -> None:
    read(f'[[resources]]\n{API}{CLIENT}scopes = ["openid", "print"]\n{text}', tmp_path)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            FILES,
            "resources[1].scopes: missing; expected at least one scope that belongs to this API",
        ),
        (
            FILES + 'scopes = ["files", "print"]',
            (
                'resources[1].scopes[1]: got "print", which resources[0] has too;'
                " expected a scope of one resource only"
            ),
        ),
        *(
            (
                f'{FILES}scopes = ["{scope}"]',
                (
                    f'resources[1].scopes[0]: got "{scope}";'
                    " expected a scope of the API, and not of OpenID Connect"
                ),
            )
            for scope in ("openid", "profile", "email", "offline_access")
        ),
        (
            '[[resources]]\nresource = "https://api.example"\nscopes = ["files"]',
            (
                'resources[1].resource: got "https://api.example", which resources[0] has too;'
                " expected another"
            ),
        ),
        (
            '[[resources]]\nresource = "http://127.0.0.1:8628"\nscopes = ["files"]',
            "resources[1].resource: got the issuer; expected the address of another API",
        ),
        (
            '[[resources]]\nresource = "api"\nscopes = ["files"]',
            'resources[1].resource: got "api"; expected an absolute URI without a fragment',
        ),
        (
            '[[resources]]\nscopes = ["files"]',
            "resources[1].resource: missing; expected an absolute URI without a fragment",
        ),
        (
            CLIENT + 'scopes = ["print"]',
            f"clients[0].resources: {FOR_API}; expected that resource, or no such scope",
        ),
        (
            CLIENT + 'scopes = ["print"]\nresources = ["https://files.example"]',
            f"clients[0].resources: {FOR_API}; expected that resource, or no such scope",
        ),
        (
            CLIENT + 'scopes = ["print"]\naudience = "print"',
            f"clients[0].resources: {FOR_API}; expected that resource, or no such scope",
        ),
    ],
)
def test_wrong_resources(text: str, expected: str, tmp_path: Path) -> None:
    """9068-3-a: each scope belongs to one audience, and its clients may name it."""
    assert problems(f"[[resources]]\n{API}{text}", tmp_path) == [expected]


def test_one_secret_needs_no_list(tmp_path: Path) -> None:
    text = CLIENT + f'auth_method = "client_secret_post"\nsecret_sha256 = "{DIGEST}"'
    assert read(text, tmp_path).clients[0].secret_sha256 == (DIGEST,)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            f'secret_sha256 = "{DIGEST}"',
            (
                'clients[0].secret_sha256: set for a client with auth_method "none";'
                " expected no secret, or another auth_method"
            ),
        ),
        (
            'auth_method = "client_secret_basic"',
            (
                "clients[0].secret_sha256: missing;"
                ' expected at least one for auth_method "client_secret_basic"'
            ),
        ),
        (
            f'auth_method = "basic"\nsecret_sha256 = "{DIGEST}"',
            (
                'clients[0].auth_method: got "basic"; expected one of'
                ' "client_secret", "client_secret_basic", "client_secret_post", "none",'
                ' "private_key_jwt", "tls_client_auth"'
            ),
        ),
        (
            'scopes = ["openid", "a b"]',
            (
                'clients[0].scopes[1]: got "a b";'
                " expected a scope: printable ASCII without spaces, quotes and backslashes"
            ),
        ),
        (
            "interval_s = 61",
            "clients[0].interval_s: got 61; expected at most device.max_interval_s, which is 60",
        ),
        ("hold_s = 26", "clients[0].hold_s: got 26; expected a whole number from 0 to 25"),
        ("user_code = { length = 4 }", "clients[0].user_code.length: got 4; expected"),
        ("user_code = 4", "clients[0].user_code: got 4; expected a table"),
        ("refresh_token = 4", "clients[0].refresh_token: got 4; expected true or false"),
        ('audience = ""', 'clients[0].audience: got ""; expected the address or name of an API'),
        ("secret = 1", "clients[0].secret: unknown key; "),
        (
            'auth_method = "private_key_jwt"',
            (
                "clients[0].jwks: no keys;"
                ' expected at least one public key for auth_method "private_key_jwt"'
            ),
        ),
        (
            'jwks = { keys = [{ kty = "RSA", q = "SECRET", p = "SECRET" }] }',
            (
                'clients[0].jwks.keys[0]: a private key, for it has "p";'
                " expected its public half only; the client keeps the other"
            ),
        ),
        (
            'jwks = { keys = [{ kty = "oct", k = "SECRET" }] }',
            'clients[0].jwks.keys[0]: a private key, for it has "k"; expected',
        ),
        (
            'jwks = { keys = [{ kty = "EC" }] }',
            (
                "clients[0].jwks.keys[0]: a key of no kty and crv that is known here;"
                " expected RSA, or EC with crv P-256 or"
            ),
        ),
        (
            f'jwks = {{ keys = [{GOOD_KEY}, {{ kty = "RSA", n = "{"_" * 171}", e = "AQAB" }}] }}',
            (
                "clients[0].jwks.keys[1]: an RSA key of 1024 bits;"
                " expected 2048 to 4096 (RFC 7518 3.3)"
            ),
        ),
        (
            'auth_method = "tls_client_auth"',
            (
                "clients[0].tls_client_auth_subject_dn: missing;"
                ' expected the name in the certificate, for auth_method "tls_client_auth"'
            ),
        ),
        (
            'optional_scopes = ["print"]',
            'clients[0].optional_scopes[0]: got "print"; expected one of the client\'s scopes',
        ),
        (
            (
                'scopes = ["offline_access"]\noptional_scopes = ["offline_access"]\n'
                "refresh_token = true"
            ),
            (
                'clients[0].optional_scopes[0]: got "offline_access", with refresh_token = true;'
                " expected no refresh_token = true, which gives one anyway"
            ),
        ),
        (
            "introspect = true",
            (
                "clients[0].introspect: set for a public client;"
                " expected a client that authenticates (RFC 7662 2.1)"
            ),
        ),
        (
            'resources = ["https://api.example.com/#a"]',
            (
                'clients[0].resources[0]: got "https://api.example.com/#a";'
                " expected an absolute URI without a fragment"
            ),
        ),
        (
            'client_uri = "http://example.com"',
            (
                'clients[0].client_uri: got "http://example.com";'
                " expected the https:// address of a page, without a user name"
            ),
        ),
        (
            'tos_uri = "https://bank.example@evil.example/"',
            (
                'clients[0].tos_uri: got "https://***@evil.example/";'
                " expected the https:// address of a page, without a user name"
            ),
        ),
        (
            'optional_scopes = ["a b"]',
            (
                'clients[0].optional_scopes[0]: got "a b"; expected a scope:'
                " printable ASCII without spaces, quotes and backslashes"
            ),
        ),
        ('pkce = "on"', 'clients[0].pkce: got "on"; expected one of "optional", "required"'),
        ('dpop = "on"', 'clients[0].dpop: got "on"; expected one of "optional", "required"'),
        (
            'token_format = "reference"',
            'clients[0].token_format: got "reference"; expected one of "jwt", "opaque"',
        ),
        (
            '[[clients]]\nclient_id = "tv"\nname = "TV 2"',
            'clients[1].client_id: got "tv", which clients[0] has too; expected another',
        ),
    ],
)
def test_wrong_clients(text: str, expected: str, tmp_path: Path) -> None:
    (problem,) = problems(CLIENT + text, tmp_path)
    assert problem.startswith(expected)
    assert "SECRET" not in problem


@pytest.mark.parametrize("digest", ["0" * 63, "0" * 65, "g" * 64, "A" * 64, ""])
def test_a_digest_is_64_hexadecimal_digits(digest: str, tmp_path: Path) -> None:
    text = CLIENT + f'auth_method = "client_secret_basic"\nsecret_sha256 = ["{digest}"]'
    assert problems(text, tmp_path) == [
        (
            "clients[0].secret_sha256[0]: got a value that is not shown here; expected the SHA-256"
            " of the secret: 64 digits and lower-case letters a to f"
        )
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (USER, 'users[1].username: got "demo", which users[0] has too; expected another'),
        (
            USER.replace("demo", "other") + 'sub = "1"',
            'users[1].sub: got "1", which users[0] has too; expected another',
        ),
        ('email = "nobody"', 'users[0].email: got "nobody"; expected an e-mail address'),
        ('name = " "', 'users[0].name: got " "; expected 1 to 100 characters on one line'),
        ('disabled = "no"', 'users[0].disabled: got "no"; expected true or false'),
    ],
)
def test_wrong_users(text: str, expected: str, tmp_path: Path) -> None:
    (problem,) = problems(USER + 'sub = "1"\n' + text, tmp_path)
    assert problem.startswith(expected)


@pytest.mark.parametrize(
    "password_hash", ["", "secret", "$argon2i$v=19$x", "$argon2id$", "$2b$12$x"]
)
def test_a_password_hash_is_argon2id(password_hash: str, tmp_path: Path) -> None:
    text = USER.replace("$argon2id$v=19$x", password_hash)
    assert problems(text, tmp_path) == [
        (
            "users[0].password_hash: got a value that is not shown here;"
            ' expected an Argon2id hash, which starts with "$argon2id$"'
        )
    ]
