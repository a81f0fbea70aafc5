"""What is risky about the way to the store, as its URL says it. Pure."""

from collections.abc import Iterator

from deviceflow.core.store_url import StoreUrl


def store_risks(redis_url: str | None) -> Iterator[str]:
    """List what a network between this host and the store makes risky, a line each.

    A store on this host, or on a Unix socket, is reached over no network.
    """
    if redis_url is None:
        return
    url = StoreUrl.parse(redis_url)
    if url.is_on_this_host:
        return
    if url.tls is None:
        yield (
            f"redis.url: {url.address} is reached without TLS, so anybody on the network in between"
            " can read keys and change what is stored; use rediss:// (docs/operations/store.md)"
        )
    elif not url.tls.check_hostname:
        yield (
            "redis.url: with ssl_check_hostname=false, each certificate of the CA is good for the"
            " store; name a CA that signs for nothing else (ssl_ca_certs), or give the nodes"
            " certificates with their names"
        )
    if not url.login.password and not (url.tls and url.tls.certfile):
        yield (
            f"redis.url: no password, so anybody who reaches {url.address} has all keys; give the"
            " server a user of its own (config/redis.acl)"
        )
