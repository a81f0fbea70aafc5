"""From what `clients add` and `clients set` were told to the client that is stored."""

import re
import sys
from collections.abc import Mapping
from typing import Any

import click
import msgspec

from deviceflow.cli.check import warnings
from deviceflow.cli.client_options import OPTION_OF
from deviceflow.cli.options import fail, refuse_undecodable
from deviceflow.config import ConfigError, Settings, read_client
from deviceflow.core.client import SECRET_METHODS, Client
from deviceflow.core.user_code import UserCodeFormat
from deviceflow.signing import is_public_jwk

CREDENTIALS = {
    "secret_sha256": SECRET_METHODS,
    "jwks": ("private_key_jwt",),
    "tls_client_auth_subject_dn": ("tls_client_auth",),
}
"""What proves a client, by its field, and the methods that look at it."""

CODE_FIELDS = UserCodeFormat.__struct_fields__


def named(given: Mapping[str, Any]) -> dict[str, Any]:
    """Give the fields of a client that a command line names, as a file would have them."""
    fields = {field: value for field, value in given.items() if value not in (None, ())}
    for field, value in fields.items():
        for text in value if isinstance(value, tuple) else (value,):
            refuse_undecodable(OPTION_OF.get(field, field), str(text))
    if "scopes" in fields:
        fields["scopes"] = " ".join(fields["scopes"]).split()
    code = {name: fields.pop(f"user_code_{name}", None) for name in CODE_FIELDS}
    if code := {name: value for name, value in code.items() if value is not None}:
        fields["user_code"] = code
    if (policy := fields.get("refresh_token")) is not None:
        fields["refresh_token"] = policy == "always"
    return fields


def changed(client: Client, fields: Mapping[str, Any], unset: tuple[str, ...]) -> dict[str, Any]:
    """Give all fields of `client` with the new `fields`; what is not named stays.

    What proved it under another method goes: it shall not be good again with that method.
    """
    gone = {field for field, option in OPTION_OF.items() if option.removeprefix("--") in unset}
    if fields.get("auth_method", client.auth_method) != client.auth_method:
        gone |= {one for one, by in CREDENTIALS.items() if fields["auth_method"] not in by}
    before: dict[str, Any] = msgspec.to_builtins(client)
    kept = {one: value for one, value in before.items() if value is not None and one not in gone}
    new = dict(fields)
    if "user_code" in new:
        new["user_code"] = {**kept.get("user_code", {}), **new["user_code"]}
    return {**kept, **new}


def checked(fields: Mapping[str, Any], settings: Settings) -> Client:
    """Make the client of `fields`; end the program where a file with it would be refused."""
    try:
        return read_client(fields, settings)
    except ConfigError as error:
        for problem in error.problems:
            click.echo(f"deviceflow: {_by_option(problem)}", err=True)
        sys.exit(1)


def check_credentials(client: Client, fields: Mapping[str, Any]) -> None:
    """End the program where what `fields` name as proof would prove nothing."""
    for field, methods in CREDENTIALS.items():
        if field in fields and client.auth_method not in methods:
            fail(
                f"{OPTION_OF.get(field, field)}: set for a client with auth_method"
                f' "{client.auth_method}"; expected it with --auth-method {methods[0]}'
            )
    for i, key in enumerate(client.public_keys if "jwks" in fields else ()):
        if not is_public_jwk(key):
            fail(
                f"--jwks keys[{i}]: no signature can be checked with it;"
                " expected a public key of type EC, OKP or RSA (RFC 7518 6)"
            )


def warn(client: Client, settings: Settings) -> None:
    """Print what `check` would say of the client if it stood in the file."""
    for warning in warnings(msgspec.structs.replace(settings, clients=(client,))):
        if warning.startswith("clients[0]."):
            told = _by_option(warning.removeprefix("clients[0]."))
            click.echo(f"deviceflow: warning: {told}", err=True)


def _by_option(line: str) -> str:
    """Write the option of a field in the place of its path: `interval_s: got ...`."""
    path, colon, rest = line.partition(":")
    path = path.replace("user_code.", "user_code_")
    field, *below = re.sub(r"\A(\w+)\[\d+\]", r"\1", path).split(".", 1)
    return " ".join([OPTION_OF.get(field, field), *below]) + colon + rest
