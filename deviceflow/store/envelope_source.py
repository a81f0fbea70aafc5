"""Where the envelope key comes from: a file, the environment, or what a command prints."""

import subprocess
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from deviceflow.config import Keys
from deviceflow.core.envelope_key import EXPECTED_KEY, read_envelope_key, read_envelope_keys
from deviceflow.store.envelope import Envelope, EnvelopeError

SOURCE_TIMEOUT_S = 20
"""A key management service on another continent answers in less."""


def open_envelope(settings: Keys) -> Envelope:
    """Read the envelope keys. May raise EnvelopeError: the text is a line for the operator."""
    return Envelope(partial(_read, settings))


def _read(settings: Keys) -> Sequence[bytes]:
    if settings.envelope_file is not None:
        text = _file(Path(settings.envelope_file))
        return _keys(text, f"keys.envelope_file: {settings.envelope_file}")
    if settings.envelope_command:
        text = _output(settings.envelope_command)
        return _keys(text, f"keys.envelope_command: the output of {settings.envelope_command[0]}")
    return [key for text in settings.envelope_keys if (key := read_envelope_key(text)) is not None]


def _keys(text: str, source: str) -> list[bytes]:
    keys = read_envelope_keys(text)
    if not keys:
        fault = "has no key" if keys == [] else "has a line that is no key"
        raise EnvelopeError(f"{source} {fault}; expected {EXPECTED_KEY}, one a line")
    return keys


def _file(path: Path) -> str:
    try:
        return path.read_text("ascii", errors="replace")
    except OSError as error:
        reason = error.strerror or "input/output error"
        raise EnvelopeError(f"keys.envelope_file: {path} cannot be read: {reason}") from error


def _output(command: Sequence[str]) -> str:
    name = f"keys.envelope_command: {command[0]}"
    try:
        done = subprocess.run(  # noqa: S603 - the operator's own command, without a shell
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=SOURCE_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        # Its output is in the error, and must not get into a traceback.
        raise EnvelopeError(f"{name} has printed no key within {error.timeout:.0f} s") from None
    except OSError as error:
        raise EnvelopeError(f"{name} cannot be run: {error.strerror}") from error
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise EnvelopeError(f"{name} failed: {said[-1] if said else f'status {done.returncode}'}")
    return done.stdout.decode("ascii", errors="replace")
