"""The one door to Redis or Valkey: nobody else imports `redis`.

Contract: everything durable lives here. Every method either did what it says or raises
`StoreUnavailable`, and a repeated command (redis-py repeats by itself) does nothing twice.

Keys. Permanent: `df:install` (secrets of this installation), `df:signing` (token signing
keys), `df:users`, `df:slots` (the slot counter). All others have a TTL: `df:g:<name>` a grant,
`df:u:<hash>` its user code, `df:f:<name>` a family of refresh tokens, `df:s:<hash>` a session,
`df:l:<name>:<hash>` a limit, `df:decisions` the decision log. A grant and its family share one
hash tag, and every script touches one tag only, so that the keys may live on a cluster.
"""
