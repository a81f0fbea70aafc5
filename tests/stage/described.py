"""The OpenAPI document as a witness: an endpoint gives no answer that it does not describe."""

import re
from typing import Any

import msgspec

from deviceflow.config import Settings
from deviceflow.oauth.openapi.document import document

_DOCUMENTS: dict[bytes, dict[str, Any]] = {}
"""Documents by their settings: most tests have the same ones, and nobody changes a document."""

ANYWHERE = {404, 405, 500}
"""404 and 405 are for what is not there, 500 for what a test broke."""


class Description:
    """What the document of these settings describes."""

    def __init__(self, settings: Settings) -> None:
        self._document = _document_of(settings)
        self._base = settings.base_path

    def check(self, method: str, path: str, status: int, error: str) -> None:
        """Fail if the operation does not describe the status and the error code."""
        operation = self._operation(method, path.partition("?")[0])
        if operation is None or status in ANYWHERE:
            return
        responses = operation["responses"]
        assert str(status) in responses, f"{method} {path}: {status} is not described"
        if error:
            codes = self._codes(responses[str(status)])
            assert error in codes, f"{method} {path}: {status} {error} is not described"

    def _operation(self, method: str, path: str) -> dict[str, Any] | None:
        for template, item in self._document["paths"].items():
            base = "" if "servers" in item else self._base
            pattern = re.escape(base) + re.sub(r"\{\w+\}", "[^/]+", template)
            if re.fullmatch(pattern, path):
                operation: dict[str, Any] | None = item.get(method.lower())
                return operation
        return None

    def _codes(self, response: dict[str, Any]) -> list[str]:
        if "$ref" in response:
            response = self._document["components"]["responses"][response["$ref"].split("/")[-1]]
        schema = response["content"]["application/json"]["schema"]
        return [
            code
            for part in schema["allOf"]
            if "properties" in part
            for code in part["properties"]["error"]["enum"]
        ]


def _document_of(settings: Settings) -> dict[str, Any]:
    name = msgspec.json.encode(settings)
    if name not in _DOCUMENTS:
        _DOCUMENTS[name] = document(settings)
    return _DOCUMENTS[name]
