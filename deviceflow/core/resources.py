"""Resource indicators (RFC 8707): which APIs an access token is for."""

from urllib.parse import urlsplit

from deviceflow.core.client import Client


def requested(parameter: str | None, client: Client) -> tuple[str, ...] | None:
    """The resources that `parameter` (space separated) names, or None for `invalid_target`.

    Each has to be an absolute URI without a fragment, and one that the client may name.
    """
    names = tuple(dict.fromkeys((parameter or "").split()))
    good = all(_is_resource(name) and name in client.resources for name in names)
    return names if good else None


def narrowed(parameter: str | None, granted: str) -> str | None:
    """The resources (space separated) of one access token, within what was granted (2.2).

    None for `invalid_target`.
    """
    if not parameter:
        return granted
    names = dict.fromkeys(parameter.split())
    return " ".join(names) if set(names) <= set(granted.split()) else None


def audience(resources: str, client: Client, issuer: str) -> str | list[str]:
    """The `aud` of an access token (RFC 9068 3)."""
    names = resources.split()
    if len(names) > 1:
        return names
    return names[0] if names else client.audience or issuer


def _is_resource(name: str) -> bool:
    try:
        parts = urlsplit(name)
    except ValueError:
        return False
    return bool(parts.scheme) and bool(parts.netloc or parts.path) and "#" not in name
