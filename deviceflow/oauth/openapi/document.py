"""Serve openapi.json (OpenAPI 3.1), as far as the settings offer what it describes.

It is for operators and for tests; devices read the metadata. An object with an `x-setting` stays
in the document only if that setting is on, so a new endpoint needs no change here.
"""

import re
from functools import cache, partial
from operator import attrgetter
from pathlib import Path
from typing import Any

import msgspec

from deviceflow import __version__
from deviceflow.config import Settings
from deviceflow.oauth.metadata import PublicDocument

METADATA = "/.well-known/oauth-authorization-server"
DISCOVERY = "/.well-known/openid-configuration"

_WRITTEN = Path(__file__).with_name("openapi.json")
# A scope may hold these characters, which mean something in a regular expression (ECMA-262).
_SPECIAL = re.compile(r"[$()*+.?\[\]^{|}]")


def document(settings: Settings) -> dict[str, Any]:
    """Return the document for these settings."""
    described: dict[str, Any] = _offered(msgspec.json.decode(_WRITTEN.read_bytes()), settings)
    described["info"]["version"] = __version__
    described["servers"] = [{"url": settings.issuer_url}]
    _place_metadata(described["paths"], settings)
    components = described["components"]
    for item in described["paths"].values():
        for operation in item.keys() & {"get", "post", "put", "patch", "delete", "options"}:
            ways = item[operation]["security"]
            item[operation]["security"] = [
                way for way in ways if way.keys() <= components["securitySchemes"].keys()
            ]
    if settings.registration.enabled:
        request = components["schemas"]["RegistrationRequest"]
        request["properties"]["scope"]["pattern"] = _pattern(settings.registration.scopes)
    return described


def published_openapi(settings: Settings) -> PublicDocument:
    """Publish the document on the admin port. It is made when somebody asks for it."""
    return PublicDocument(path="/openapi.json", document=cache(partial(document, settings)))


def _offered(node: Any, settings: Settings) -> Any:  # noqa: ANN401, any part of a document
    """Return `node` without the objects whose setting is off."""
    if isinstance(node, list):
        return [_offered(part, settings) for part in node]
    if not isinstance(node, dict):
        return node
    return {
        name: _offered(part, settings)
        for name, part in node.items()
        if not (isinstance(part, dict) and "x-setting" in part)
        or attrgetter(part["x-setting"])(settings)
    }


def _place_metadata(paths: dict[str, Any], settings: Settings) -> None:
    """Put the metadata beside the issuer's path too (RFC 8414 3). Everything else is below it."""
    base = settings.base_path
    if base:
        server = {"url": settings.issuer_url.removesuffix(base)}
        for path in (METADATA, DISCOVERY):
            get = paths[path]["get"]
            beside = get | {"operationId": f"{get['operationId']}_beside_the_path"}
            paths[path + base] = {"get": beside, "servers": [server]}


def _pattern(scopes: tuple[str, ...]) -> str:
    """Write the pattern of a `scope` with any of `scopes`."""
    offered = "|".join(_SPECIAL.sub(r"\\\g<0>", scope) for scope in scopes)
    return f"^(({offered})( ({offered}))*)?$"
