"""Which issuer a store belongs to: two that share one would be one (people, codes, devices)."""

from urllib.parse import urlsplit

from deviceflow.core.address import is_loopback


def may_take_over(noted: str, issuer: str) -> bool:
    """Return whether a server of `issuer` may use the store of the issuer `noted`, '' for none.

    An issuer on loopback is a trial: it gives way to the address under which people will know the
    server, and to another port. It takes over no store of a real issuer.
    """
    return not noted or noted == issuer or is_trial(noted)


def is_trial(issuer: str) -> bool:
    """Return whether an issuer is only good on its own machine."""
    return is_loopback(urlsplit(issuer).hostname or "")
