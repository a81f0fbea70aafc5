"""The security headers that every page carries, error pages too (RFC 9700 4.16, 4.2.4)."""

from collections.abc import Mapping

_POLICY = {
    "default-src": "'none'",
    "style-src": "'self'",
    "img-src": "'self' data:",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
    "base-uri": "'none'",
}

_HEADERS = {
    "X-Frame-Options": "DENY",
    # `no-referrer` would make browsers send `Origin: null` with this server's own forms.
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}

_ONE_YEAR = "max-age=31536000"


def security_headers(*, https: bool, policy: Mapping[str, str] | None = None) -> dict[str, str]:
    """Make the headers of a page; `https`: whether the issuer is reached over TLS.

    `policy` adds directives to the Content-Security-Policy or replaces them, such as
    `{"script-src": "'self'"}` for the one page that has a script. There is no CORS header:
    no other site reads a page (RFC 9700 2.6).
    """
    directives = _POLICY | dict(policy or {})
    value = "; ".join(f"{name} {sources}" for name, sources in directives.items())
    headers = _HEADERS | {"Content-Security-Policy": value}
    if https:
        headers["Strict-Transport-Security"] = _ONE_YEAR
    return headers
