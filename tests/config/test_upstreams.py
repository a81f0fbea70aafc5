"""The settings of upstream providers."""

import re
from pathlib import Path

import pytest

from deviceflow.config import Upstream
from deviceflow.config.upstreams import PRESETS
from tests.config.documents import problems, read
from tests.stage.checkout import DOCS

UPSTREAM = """
[[upstream]]
id = "acme"
issuer = "https://sso.example.com/"
client_id = "deviceflow"
client_secret = "hush"
"""


def one(text: str, tmp_path: Path) -> Upstream:
    (upstream,) = read(UPSTREAM + text, tmp_path).upstream
    return upstream


def test_a_provider(tmp_path: Path) -> None:
    upstream = one("", tmp_path)
    assert upstream.issuer == "https://sso.example.com/", "a slash at its end is part of it"
    assert (upstream.title, upstream.username_claim) == ("your organisation", "preferred_username")
    assert (upstream.allow_create, upstream.trust_email) == (False, False)
    assert upstream.prompt_for_another == "login"


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_only_fills_defaults(tmp_path: Path, preset: str) -> None:
    filled = one(f'preset = "{preset}"', tmp_path)
    assert filled.title
    own = one(
        f'preset = "{preset}"\nname = "Acme"\nclaims = {{ username = "nick" }}\n'
        'fresh_prompt = "login"\nassertion_audience = "issuer"',
        tmp_path,
    )
    assert (own.title, own.username_claim, own.prompt_for_another) == ("Acme", "nick", "login")
    assert own.audience_of_assertions == "issuer"


def test_what_differs_in_the_presets(tmp_path: Path) -> None:
    google = one('preset = "google"', tmp_path)
    assert (google.prompt_for_another, google.username_claim) == ("select_account", "email")
    assert one('preset = "okta"', tmp_path).audience_of_assertions == "token_endpoint"


def test_files_are_beside_the_settings(tmp_path: Path) -> None:
    text = UPSTREAM.replace('client_secret = "hush"', 'client_secret_file = "secrets/acme"')
    (upstream,) = read(text, tmp_path).upstream
    assert upstream.client_secret_file == str(tmp_path / "secrets/acme")
    text = text.replace("secrets/acme", "/etc/acme")
    assert read(text, tmp_path).upstream[0].client_secret_file == "/etc/acme"


@pytest.mark.parametrize(
    "issuer",
    [
        "http://sso.example.com",
        "https://sso.example.com/?a=b",
        "https://sso.example.com/#a",
        "https://user@sso.example.com",
        "https://sso example.com",
        "https://",
        "https://[::1",
        "sso.example.com",
        "ftp://sso.example.com",
        "",
    ],
)
def test_what_can_be_no_issuer(tmp_path: Path, issuer: str) -> None:
    (problem,) = problems(UPSTREAM.replace("https://sso.example.com/", issuer), tmp_path)
    assert problem.startswith("upstream[0].issuer: got")


@pytest.mark.parametrize("upstream_id", ["", "Acme", "a/b", "a--b", "-a", "a" * 33, "../x", "a{b}"])
def test_what_can_be_no_id(tmp_path: Path, upstream_id: str) -> None:
    """It is a part of an address."""
    text = UPSTREAM.replace('id = "acme"', f'id = "{upstream_id}"')
    assert [line.partition(":")[0] for line in problems(text, tmp_path)] == ["upstream[0].id"]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ('client_secret_env = "ACME"', "client_secret_env: set beside client_secret; expected"),
        ('key_file = "key.pem"', "key_file: set beside client_secret; expected exactly one of"),
        ('auth_method = "private_key_jwt"', 'auth_method: got "private_key_jwt" without key_file'),
        ('scopes = ["profile"]', 'scopes: without "openid"; expected'),
        ("algorithms = []", "algorithms: an empty list; expected"),
        ('algorithms = ["HS256"]', 'algorithms[0]: got "HS256"; expected one of ES256'),
        ('algorithms = ["none"]', 'algorithms[0]: got "none"; expected one of ES256'),
        (
            'response_mode = "fragment"',
            'response_mode: got "fragment"; expected one of "form_post"',
        ),
        ('email_domains = ["@example.com"]', 'email_domains[0]: got "@example.com"; expected'),
        ("max_age_s = -1", "max_age_s: got -1; expected a whole number from 0"),
        ('preset = "auth0"', 'preset: got "auth0"; expected one of "authentik"'),
        ('client_id2 = "x"', 'client_id2: unknown key; did you mean "client_id"?'),
        ('claims = { mail = "x" }', "claims.mail: unknown key;"),
    ],
)
def test_a_problem_is_named(tmp_path: Path, change: str, problem: str) -> None:
    (line,) = problems(UPSTREAM + change, tmp_path)
    assert line.startswith(f"upstream[0].{problem}")


def test_a_credential_is_needed(tmp_path: Path) -> None:
    (line,) = problems(UPSTREAM.replace('client_secret = "hush"', ""), tmp_path)
    assert line.startswith("upstream[0].client_secret: missing; expected exactly one of")


def test_a_secret_is_never_shown(tmp_path: Path) -> None:
    text = UPSTREAM.replace('"hush"', '"hush\\u0000"')
    (line,) = problems(text, tmp_path)
    assert "hush" not in line
    assert line.startswith("upstream[0].client_secret: got a value that is not shown here")
    assert "hush" not in repr(read(UPSTREAM, tmp_path))


def test_ids_are_unique(tmp_path: Path) -> None:
    (line,) = problems(UPSTREAM + UPSTREAM, tmp_path)
    assert line == 'upstream[1].id: got "acme", which upstream[0] has too; expected another'


def test_somebody_must_be_able_to_sign_in(tmp_path: Path) -> None:
    off = "[sign_in]\npassword = false\n"
    (line,) = problems(off, tmp_path)
    assert line.startswith("sign_in.password: got false without [[upstream]]")
    assert not read(off + UPSTREAM, tmp_path).sign_in.password


def examples() -> list[str]:
    """The settings that docs/sign-in.md shows."""
    text = (DOCS / "sign-in.md").read_text(encoding="utf-8")
    return [block for block in re.findall(r"```toml\n(.*?)```", text, re.DOTALL) if "[[up" in block]


def test_the_examples_of_the_page_are_right(tmp_path: Path) -> None:
    upstreams = [upstream for text in examples() for upstream in read(text, tmp_path).upstream]
    assert {upstream.preset for upstream in upstreams} == set(PRESETS)
    commented = [re.sub(r"(?m)^# ", "", text) for text in examples()]
    assert all(read(text, tmp_path).upstream for text in commented)
