"""From the options of `clients add` and `clients set` to the client that is stored."""

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
from deviceflow.core.client import Client
from deviceflow.core.client_methods import METHODS_WITH
from deviceflow.core.user_code import UserCodeFormat
from deviceflow.signing.keys import is_public_jwk

CODE_FIELDS = UserCodeFormat.__struct_fields__


def fields_of(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a client that `options` set, as a file would have them."""
    fields = {field: value for field, value in options.items() if value not in (None, ())}
    for field, value in fields.items():
        for text in value if isinstance(value, tuple) else (value,):
            refuse_undecodable(OPTION_OF.get(field, field), str(text))
    for field in {"scopes", "optional_scopes"} & set(fields):
        fields[field] = " ".join(fields[field]).split()
    code = {name: fields.pop(f"user_code_{name}", None) for name in CODE_FIELDS}
    if code := {name: value for name, value in code.items() if value is not None}:
        fields["user_code"] = code
    if (policy := fields.get("refresh_token")) is not None:
        fields["refresh_token"] = policy == "always"
    return fields


def changed_fields(
    client: Client, fields: Mapping[str, Any], unset: tuple[str, ...]
) -> dict[str, Any]:
    """Return all fields of `client` with the new `fields`; a field without an option stays.

    With another method, the credential of the method before goes. Otherwise it would be good
    again if that method ever came back.
    """
    dropped = {field for field, option in OPTION_OF.items() if option.removeprefix("--") in unset}
    method = fields.get("auth_method", client.auth_method)
    if method != client.auth_method:
        dropped |= {field for field, methods in METHODS_WITH.items() if method not in methods}
    before: dict[str, Any] = msgspec.to_builtins(msgspec.structs.asdict(client))
    unchanged = {
        field: value
        for field, value in before.items()
        if value is not None and field not in dropped
    }
    changes = dict(fields)
    if "user_code" in changes:
        changes["user_code"] = {**unchanged.get("user_code", {}), **changes["user_code"]}
    return {**unchanged, **changes}


def client_from(fields: Mapping[str, Any], settings: Settings) -> Client:
    """Make the client of `fields`; end the program if a file with it would be refused."""
    try:
        return read_client(fields, settings)
    except ConfigError as error:
        for problem in error.problems:
            click.echo(f"deviceflow: {_with_option(problem)}", err=True)
        sys.exit(1)


def refuse_useless_credentials(client: Client, fields: Mapping[str, Any]) -> None:
    """End the program if a credential among `fields` could never prove the client."""
    for field, methods in METHODS_WITH.items():
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


def print_warnings(client: Client, settings: Settings) -> None:
    """Print the warnings of `check` that a file with this client would get."""
    for warning in warnings(msgspec.structs.replace(settings, clients=(client,))):
        if warning.startswith("clients[0]."):
            text = _with_option(warning.removeprefix("clients[0]."))
            click.echo(f"deviceflow: warning: {text}", err=True)


def _with_option(line: str) -> str:
    """Write the option of a field in the place of its path: `interval_s: got ...`."""
    path, colon, rest = line.partition(":")
    path = path.replace("user_code.", "user_code_")
    field, *below = re.sub(r"\A(\w+)\[\d+\]", r"\1", path).split(".", 1)
    return " ".join([OPTION_OF.get(field, field), *below]) + colon + rest
