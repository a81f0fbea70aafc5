"""Why no answer came, in a few words, and what to do."""

import errno
import os
import ssl
from typing import NamedTuple

import aiohttp

from deviceflow.device.answers import printable
from deviceflow.device.proxies import shown

_PROXY_AUTHENTICATION_REQUIRED = 407

# The results of OpenSSL's check of a certificate (X509_verify_cert_error_string).
_NOT_YET_VALID, _EXPIRED, _WRONG_NAME, _WRONG_ADDRESS = 9, 10, 62, 64
_CERTIFICATE_ADVICE = {
    _NOT_YET_VALID: "Is the clock of this machine right?",
    _EXPIRED: "Its operator must renew it, unless the clock of this machine is wrong.",
    _WRONG_NAME: "Use the name that is in the certificate.",
    _WRONG_ADDRESS: "Use the name that is in the certificate, not a number.",
}
_OWN_AUTHORITY = (
    "If the server has a certificate of your own authority, name the file with the authority's "
    "certificate in SSL_CERT_FILE."
)

_SYSTEM_ADVICE = {
    errno.ECONNREFUSED: "Is the server running there, and is the port right?",
    errno.ENETUNREACH: "Check the network of this machine.",
    errno.EHOSTUNREACH: "Check the address and the network of this machine.",
}


class Cause(NamedTuple):
    """Why no answer came. `reason`: a few words. `advice`: sentences for a person, or empty."""

    reason: str
    advice: str = ""


def cause_of(error: Exception, timeout_s: float, proxy: str | None) -> Cause:
    """Describe an error of aiohttp or of the system."""
    if isinstance(error, TimeoutError):
        advice = "Check the address and the network. HTTPS_PROXY names a proxy, if you need one."
        return Cause(f"no answer within {timeout_s:g} s", advice)
    return (
        _of_proxy(error, shown(proxy or ""))
        or _of_tls(error)
        or _of_host(error)
        or Cause(printable(str(error)) or type(error).__name__)
    )


def _of_proxy(error: Exception, proxy: str) -> Cause | None:
    if isinstance(error, aiohttp.ClientProxyConnectionError):
        advice = "Check HTTPS_PROXY, or add the host to NO_PROXY."
        return Cause(f"the proxy {proxy} cannot be reached", advice)
    if not isinstance(error, aiohttp.ClientHttpProxyError):
        return None
    reason = f"the proxy {proxy} answered HTTP {error.status}"
    if error.status == _PROXY_AUTHENTICATION_REQUIRED:
        return Cause(reason, "It wants a password: HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT.")
    return Cause(reason, "Ask its operator, or add the host to NO_PROXY.")


def _of_tls(error: Exception) -> Cause | None:
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return _untrusted(error.certificate_error)
    if isinstance(error, aiohttp.ClientConnectorSSLError | ssl.SSLError):
        return _no_handshake(error)
    return None


def _of_host(error: Exception) -> Cause | None:
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return Cause("no such host", "Check the spelling and the network of this machine.")
    if isinstance(error, aiohttp.ServerDisconnectedError | ConnectionResetError):
        reason = "it closed the connection without an answer"
        return Cause(reason, "If it expects TLS, write https://.")
    if isinstance(error, aiohttp.ClientResponseError):
        return Cause("its answer is not HTTP", "Check the port. If it expects TLS, write https://.")
    if isinstance(error, OSError) and error.errno is not None and error.errno > 0:
        return Cause(os.strerror(error.errno).lower(), _SYSTEM_ADVICE.get(error.errno, ""))
    return None


def _untrusted(error: Exception) -> Cause:
    text = getattr(error, "verify_message", "") or str(error)
    advice = _CERTIFICATE_ADVICE.get(getattr(error, "verify_code", 0), _OWN_AUTHORITY)
    return Cause(f"its certificate is not trusted ({printable(text).rstrip('.')})", advice)


def _no_handshake(error: Exception) -> Cause:
    """Describe a handshake that failed; OpenSSL's number for it is no number of the system."""
    inner = getattr(error, "os_error", error)
    reason = getattr(inner, "reason", None) or ""
    if reason in {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE"}:
        return Cause(
            "it does not speak TLS on this port",
            "Check the port. For a server on this machine without TLS, write http://.",
        )
    return Cause(f"TLS failed ({printable(reason.replace('_', ' ').lower() or str(inner))})")
