"""The schemas of Kubernetes. Their package takes more than a second to import: where it is used."""

from typing import Any


def fault_of(resource: dict[str, Any], version: str) -> str | None:
    """Return what is wrong with a resource in a version of Kubernetes, None if nothing is."""
    from kubernetes_validate.utils import ValidationError, validate  # noqa: PLC0415

    try:
        validate(resource, version, strict=True)
    except ValidationError as error:
        return str(error)
    return None
