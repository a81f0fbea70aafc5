"""Every name in Redis: what it holds, which module owns it, and when it ends.

On a Redis Cluster a key's hash slot is computed from its hash tag, the part in braces, or from
the whole key if it has none. A script and a pipeline may touch one slot only. So keys that are
used together share a tag: a grant with its redemption and its family of refresh tokens, and
the keys that the feed reads once a second. All others have no tag, which spreads them over the
cluster.

Values that another version of the program may have written are read by `records`.

The names that the functions take are hashes (`Installation.name`, `hidden_name`): no key tells a
user code, a token, an address or a session id.
"""

PATTERN = "df:*"
"""What every key and every channel matches."""

# Permanent keys.

INSTALLATION = "df:install:{feed}"
"""A hash, the secrets of this installation. Owner: `installation`."""

REVISION = "df:revision:{feed}"
"""A number that grows when clients or signing keys change. Owner: `announcements`."""

SIGNING_KEYS = "df:signing"
"""A hash, the keys that sign tokens by their id. Owner: `signing_keys`."""

CLIENTS = "df:clients"
"""A hash, client records by client id. Owner: `clients`."""

CLIENT_NAMES = "df:client-names:{df:clients}"
"""A sorted set, folded names with their client ids, in order. It shares the hash slot of CLIENTS.

Owner: `clients`.
"""

REGISTRATIONS = "df:registrations"
"""A hash, hashes of registration access tokens by client id. Owner: `clients`."""

USERS = "df:users"
"""A hash, user records by username. Owner: `users`."""

SUBJECTS = "df:subjects"
"""A hash, usernames by subject. Owner: `users`."""

LINKS = "df:links"
"""A hash, the accounts of people at upstream providers, by a digest of issuer and subject.

Owner: `links`.
"""

ACCOUNT_MARKS = "df:marks:{df:users}"
"""A hash, when the sessions and the devices of an account were last ended, by username.

It shares the hash slot of USERS. Owner: `account_marks`.
"""

SLOTS = "df:slots"
"""A number, the last slot number that was taken. Owner: `slots`."""

FACTORS = "df:factors"
"""A hash, the further ways in which a person can sign in, by subject. Owner: `factors`."""

PASSKEYS = "df:passkeys"
"""A hash, subjects by credential id (WebAuthn), in base64url. Owner: `factors`."""

PERMANENT = frozenset(
    {INSTALLATION, REVISION, SIGNING_KEYS, CLIENTS, CLIENT_NAMES, REGISTRATIONS, USERS, SUBJECTS}
    | {LINKS, SLOTS}
    | {FACTORS, PASSKEYS}
    | {ACCOUNT_MARKS}
)
"""The keys without a TTL. Every other key has one."""

# Keys that end.

MINUTES = "df:minutes:{df:slots}"
"""A sorted set, the last slot number before each minute. It shares the hash slot of SLOTS.

Ends a day after its last entry. Owner: `slots`.
"""

WRONG_CODES = "df:wrong:{df:slots}"
"""A hash, how many wrong user codes were tried by the minute. It shares the hash slot of SLOTS.

Ends a day after its last entry. Owner: `slots`.
"""

ENDS = "df:ends:{df:slots}"
"""A hash, how many grants expire in each minute. It shares the hash slot of SLOTS.

Ends a day after its last entry. Owner: `slots`.
"""

CLIENT_REVOCATIONS = "df:revoked-clients"
"""A hash, when all grants of a client were ended, by client id.

Ends ten years after its last entry. Owner: `client_revocations`.
"""

CLIENT_CANCELLATIONS = "df:cancelled-clients"
"""A hash, the first grant id of a client that was not cancelled with those before, by client id.

Ends a day after its last entry, when no such grant lives any more. Owner: `client_cancellations`.
"""

DECISIONS = "df:decisions:{feed}"
"""A stream, the decision log. Ends 25 h after its last entry. Owner: `decision_log`."""

CHANGED_CLIENTS = "df:changed-clients:{feed}"
"""A sorted set, which client has changed with each revision. It shares the hash slot of REVISION.

Ends a day after its last entry. Owner: `announcements`.
"""

PROBE = "df:probe:{feed}"
"""The key of a write that changes nothing: it is never there. Owner: `feed`."""


def grant(name: str) -> str:
    """Return the key of a hash, a grant. It ends a minute after the grant. Owner: `grants`."""
    return f"df:g:{{{name}}}"


def family(name: str) -> str:
    """Return the key of a hash, a family of refresh tokens: `name` is its grant's name.

    It ends when the family does, used or idle. Owner: `families`.
    """
    return f"df:f:{{{name}}}"


def redemption(name: str) -> str:
    """Return the key of what the tokens of a redemption were made from: `name` is its grant's.

    It ends after `device.redemption_grace_s`, or when one of the tokens is used.
    Owner: `redemptions`.
    """
    return f"df:a:{{{name}}}"


def living(name: str) -> str:
    """Return the key of a subject whose access token lives, for a grant without a family.

    `name` is the grant's. It ends with that token. Owner: `devices`.
    """
    return f"df:w:{{{name}}}"


def devices(person: str) -> str:
    """Return the key of a hash, the devices of a person by the names of their grants.

    This key and the next two end with the last device. Owner: `device_index`.
    """
    return f"df:d:{{{person}}}"


def devices_by_age(person: str) -> str:
    """Return the key of a sorted set, the same names by their approval. Owner: `device_index`."""
    return f"df:da:{{{person}}}"


def devices_by_end(person: str) -> str:
    """Return the key of a sorted set, the same names by their end. Owner: `device_index`."""
    return f"df:de:{{{person}}}"


def user_code(name: str) -> str:
    """Return the key of a grant's id, by user code. It ends with the grant. Owner: `grants`."""
    return f"df:u:{name}"


def opaque_token(name: str) -> str:
    """Return the key of an opaque token's claims. It ends with them. Owner: `access_tokens`."""
    return f"df:t:{name}"


def revoked(name: str) -> str:
    """Return the key of a mark that a grant's access tokens have ended.

    It outlives every access token. Owner: `access_tokens`.
    """
    return f"df:r:{name}"


def used(kind: str, name: str) -> str:
    """Return the key of a mark that an id was used. It ends when the id does. Owner: `replay`."""
    return f"df:j:{kind}:{name}"


def session(name: str) -> str:
    """Return the key of a session's record. It ends with the session. Owner: `sessions`."""
    return f"df:s:{name}"


def sessions_of(person: str) -> str:
    """Return the key of a sorted set, the names of a person's sessions by their end.

    It ends when no session can be left. Owner: `sessions`.
    """
    return f"df:o:{person}"


def notice_link(name: str) -> str:
    """Return the key of the record behind a link in a notice. It ends when the link does.

    Owner: `notice_links`.
    """
    return f"df:n:{name}"


def upstream_answer(name: str) -> str:
    """Return the key of an answer that a provider's page has posted.

    It ends when the browser has come back for it. Owner: `upstream_answers`.
    """
    return f"df:x:{name}"


def upstream_sessions(name: str) -> str:
    """Return the key of a sorted set, sessions that a provider can end, by when they end.

    It ends with the last of them. Owner: `upstream_sessions`.
    """
    return f"df:b:{name}"


def ended_upstream(name: str) -> str:
    """Return the key of the time at which a provider has ended one of its sessions.

    It ends when no sign-in of that time is on its way any more. Owner: `upstream_sessions`.
    """
    return f"df:be:{name}"


def limit(kind: str, name: str) -> str:
    """Return the key of a sorted set, tries by time. It ends with its window. Owner: `limits`."""
    return f"df:l:{kind}:{name}"


def starts(client: str) -> str:
    """Return the key of a hash: how many grants a client starts, and how many of them live.

    It ends a day after its last entry. Owner: `starts`.
    """
    return f"df:c:{{{client}}}"


def starts_from(client: str, network: str) -> str:
    """Return the key of a time: until when a network's starts of this client count.

    It shares the hash slot of `starts`, and ends at that time. Owner: `starts`.
    """
    return f"df:cf:{{{client}}}:{network}"


def reports(kind: str, name: str) -> str:
    """Return the key of a sorted set, reported grants by time, of a client or an address.

    It ends a day after its last entry. Owner: `reports`.
    """
    return f"df:n:{kind}:{name}"


def rights(name: str) -> str:
    """Return the key on which commands are tried at start. It ends at once. Owner: `rights`."""
    return f"df:rights:{name}"


# Channels are no keys. On a Cluster, a channel has a hash slot like a key, and all subscribers
# listen at the node that serves it.

CHANNEL = "df:decided"
"""The channel on which all workers hear of decisions and changes. Owner: `announcements`."""

HOLDS = "df:held"
"""The channel on which a worker announces the polls that it holds. Owner: `holds`."""

PACE = "df:pace"
"""The channel on which hosts tell each other of polls. Owner: `pace_sharing`."""
