"""Settings documents: the shipped file and small ones, and the problems in them."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from deviceflow.config import (
    ConfigError,
    Settings,
    load,
)

DIGEST = "0" * 64
CLIENT = '[[clients]]\nclient_id = "tv"\nname = "TV"\n'
USER = '[[users]]\nusername = "demo"\npassword_hash = "$argon2id$v=19$x"\n'
ISSUER = (
    'expected an https:// URL without a query, a fragment or a "/" at the end'
    " (http:// only for 127.0.0.1, [::1] or localhost), its host as browsers write it"
)


def read(text: str, tmp_path: Path, environ: Mapping[str, str] | None = None) -> Settings:
    file = tmp_path / "deviceflow.toml"
    file.write_text(text, encoding="utf-8")
    return load(file, environ=environ or {})


def problems(text: str, tmp_path: Path, environ: Mapping[str, str] | None = None) -> list[str]:
    """Return the problems of a file, without the name of the file."""
    with pytest.raises(ConfigError) as caught:
        read(text, tmp_path, environ)
    name = f"{tmp_path / 'deviceflow.toml'}: "
    assert str(caught.value).splitlines() == list(caught.value.problems)
    return [problem.removeprefix(name) for problem in caught.value.problems]
