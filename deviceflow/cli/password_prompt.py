"""A new password, from a person at a terminal or from a pipe."""

import os
import sys
from contextlib import suppress

import click

from deviceflow.cli.options import fail, refuse_undecodable
from deviceflow.core.precis import MIN_PASSWORD

_TOO_SHORT = f"the password needs at least {MIN_PASSWORD} characters"


def ask_password(*, stdin: bool) -> str:
    """Return a new password. Print a line and exit if there is none; ask again if one is short."""
    if stdin:
        line = sys.stdin.buffer.readline()
        password = line.decode(errors="surrogateescape").rstrip("\r\n")
        refuse_undecodable("password", password)
        if len(password) < MIN_PASSWORD:
            fail(_TOO_SHORT)
        return password
    if not _has_terminal():
        fail("there is no terminal to ask for the password; pipe it in with --password-stdin")
    while True:
        prompt = f"Password, at least {MIN_PASSWORD} characters"
        password = str(click.prompt(prompt, hide_input=True, confirmation_prompt=True))
        refuse_undecodable("password", password)
        if len(password) >= MIN_PASSWORD:
            return password
        click.echo(f"{_TOO_SHORT}; try again, or stop with Ctrl-C", err=True)


def _has_terminal() -> bool:
    """Return whether a person can be asked. Look where `getpass` does, in its order."""
    with suppress(OSError):
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
        return True
    return sys.stdin.isatty()
