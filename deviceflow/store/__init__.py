"""The one door to Redis or Valkey: nobody else imports `redis`.

Contract: everything durable lives here. Every method either did what it says or raises
`StoreUnavailable`, and a repeated command (redis-py repeats by itself) does nothing twice.

Keys. Permanent: `df:install` (secrets of this installation), `df:signing` (token signing
keys), `df:users`, `df:subjects` (their subjects), `df:clients`, `df:registrations`,
`df:revision` (grows when clients or keys change), `df:slots` (the slot counter). All others
have a TTL: `df:t:<hash>` an opaque access token, `df:r:<name>` a grant whose tokens were
revoked, `df:j:<kind>:<hash>` an id that was used, `df:g:<name>` a grant,
`df:u:<hash>` its user code, `df:f:<name>` a family of refresh tokens, `df:s:<hash>` a session,
`df:l:<name>:<hash>` a limit, `df:decisions` the decision log. A grant and its family share one
hash tag, and every script touches one tag only, so that the keys may live on a cluster.
"""
