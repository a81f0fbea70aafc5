"""The table of authentication methods, and that it is the only one."""

import ast
from collections.abc import Container
from pathlib import Path
from typing import get_args

import pytest

import deviceflow
from deviceflow.core.client import Client
from deviceflow.core.client_methods import (
    CLIENT_METHODS,
    CREDENTIAL_PARAMETERS,
    METHODS_WITH,
    PUBLIC,
    REGISTERED_METHODS,
    AuthMethod,
)

PACKAGE = Path(deviceflow.__file__).parent
HOMES = {
    "core/client_methods.py",
    "oauth/clients/methods.py",
    "config/upstreams.py",  # the methods of this server as a client
    "config/section_rules.py",  # and what they need
}
MODULES = sorted(
    str(path.relative_to(PACKAGE))
    for path in PACKAGE.rglob("*.py")
    # Libraries of their own, and this server as the client of others.
    if path.relative_to(PACKAGE).parts[0] not in {"device", "conformance", "upstream"}
)


def is_literal(node: ast.AST, names: Container[object]) -> bool:
    return isinstance(node, ast.Constant) and node.value in names


def is_method(node: ast.AST) -> bool:
    """Whether it is the name of a client's method: `client.auth_method`, `auth_method`."""
    name = node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
    return name in {"auth_method", "method"}


@pytest.mark.parametrize("module", MODULES)
def test_no_other_module_names_a_method(module: str) -> None:
    """So a new method touches the two homes, and `Client` where it has a new credential.

    Elsewhere "none" has other meanings too; compared to a method it is this one.
    """
    named = []
    for node in ast.walk(ast.parse((PACKAGE / module).read_text(encoding="utf-8"))):
        if is_literal(node, {*CLIENT_METHODS} - {PUBLIC}):
            named.append(ast.unparse(node))
        elif isinstance(node, ast.Compare) and any(map(is_method, ast.walk(node))):
            named += [ast.unparse(each) for each in ast.walk(node) if is_literal(each, {PUBLIC})]
    assert module in HOMES or named == []


def test_every_name_has_a_row() -> None:
    assert list(CLIENT_METHODS) == list(get_args(AuthMethod))


def test_every_credential_is_a_field_of_a_client() -> None:
    """And each is looked at by some method."""
    credentials = {method.credential for method in CLIENT_METHODS.values()} - {None}
    assert {each.field for each in credentials if each} == set(METHODS_WITH)
    assert set(METHODS_WITH) <= set(Client.__struct_fields__)
    assert all(METHODS_WITH.values())
    assert PUBLIC not in {name for names in METHODS_WITH.values() for name in names}


def test_only_the_operator_chooses_the_strongest() -> None:
    """And those that the registry of methods does not have."""
    strongest = max(CLIENT_METHODS, key=lambda name: CLIENT_METHODS[name].strength)
    covering = {name for name, method in CLIENT_METHODS.items() if method.covers}
    assert set(CLIENT_METHODS) - set(REGISTERED_METHODS) == {strongest} | covering
    for name in covering:
        assert set(CLIENT_METHODS[name].covers) <= set(REGISTERED_METHODS)
    assert min(CLIENT_METHODS, key=lambda name: CLIENT_METHODS[name].strength) == PUBLIC


def test_what_must_not_stand_in_an_address() -> None:
    """6749-2.3.1-b."""
    assert {"client_secret", "client_assertion"} == CREDENTIAL_PARAMETERS
