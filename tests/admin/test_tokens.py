"""The file of tokens: what may be in it, and who may read it."""

import re
from hashlib import sha256
from pathlib import Path

import pytest

from deviceflow.admin.tokens import MOST_TOKENS, AdminTokens, AdminTokensError

FIRST, SECOND = "1" * 32, "a-longer.Token_~+/=" * 3


def written(path: Path, text: str, mode: int = 0o600) -> Path:
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return path


def test_one_token_a_line(tmp_path: Path) -> None:
    path = written(tmp_path / "tokens", f"# of the team\n\n{FIRST}\r\n  {SECOND}  \n")
    tokens = AdminTokens.read(path)
    for token in (FIRST, SECOND):
        assert tokens.name_of(token) == sha256(token.encode()).hexdigest()[:8]
    assert tokens.names() == [tokens.name_of(FIRST), tokens.name_of(SECOND)]
    assert tokens.digest_of(tokens.names()[1]) == sha256(SECOND.encode()).digest()
    assert tokens.digest_of("00000000") is None
    for wrong in ("", FIRST[:-1], f"{FIRST} ", "# of the team", FIRST.replace("1", "é")):
        assert tokens.name_of(wrong) is None
    assert FIRST not in repr(tokens)


@pytest.mark.parametrize("mode", [0o604, 0o602, 0o620, 0o644, 0o666])
def test_a_file_that_others_can_read_or_write(tmp_path: Path, mode: int) -> None:
    with pytest.raises(AdminTokensError, match=f"mode {mode:04o}"):
        AdminTokens.read(written(tmp_path / "tokens", FIRST, mode))


@pytest.mark.parametrize("mode", [0o400, 0o440, 0o600, 0o640])
def test_a_file_that_the_group_can_read(tmp_path: Path, mode: int) -> None:
    """As Kubernetes mounts a secret for a user that is not root."""
    assert AdminTokens.read(written(tmp_path / "tokens", FIRST, mode)).names()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "has 0 tokens"),
        ("# nothing\n", "has 0 tokens"),
        (f"{FIRST}\n{FIRST[:31]}\n", "line 2: shorter than 32 characters"),
        (f"{FIRST} {FIRST}", "line 1: a token is ASCII without spaces"),
        ("é" * 40, "line 1: a token is ASCII without spaces"),
        ("\n".join(f"{number:032}" for number in range(MOST_TOKENS + 1)), "has 101 tokens"),
    ],
)
def test_what_is_no_token(tmp_path: Path, text: str, problem: str) -> None:
    path = written(tmp_path / "tokens", text)
    with pytest.raises(AdminTokensError, match=re.escape(f"{path}: {problem}")) as raised:
        AdminTokens.read(path)
    assert FIRST[:31] not in str(raised.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(AdminTokensError, match="cannot be read"):
            AdminTokens.read(path)
