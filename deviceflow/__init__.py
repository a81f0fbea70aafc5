"""An OAuth 2.0 Device Authorization Grant server (RFC 8628) for large fleets of polling devices."""

__version__ = "0.1.0"
