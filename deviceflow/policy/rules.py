"""The rules: what is counted, under which key, and how much of it there may be.

A window slides: a rule holds for every stretch of time of its length. Beyond its limit, a rule
refuses until a try leaves the window. A rule with a longest delay only makes tries wait for each
other, for 1 s, 2 s, 4 s and so on: nothing is ever locked.

| rule | counted by | limit | window | longest delay |
|---|---|---:|---:|---:|
| sign-in.address | address | 300 | 1800 s | |
| sign-in.network | network | 3000 | 1800 s | |
| sign-in.account | account | 150 | 86400 s | 300 s |
| sign-in.account-address | account and address | 20 | 86400 s | 900 s |
| sign-in.known | account | 150 | 86400 s | 300 s |
| sign-in.browser | browser | 20 | 86400 s | 900 s |
| second-factor.account | account | 20 | 86400 s | 900 s |
| second-factor.known | account | 60 | 86400 s | 900 s |
| second-factor.browser | browser | 20 | 86400 s | 900 s |
| code.address | address | 200 | a code's lifetime | |
| code.network | network | 1000 | a code's lifetime | |
| code.account | account | 8 | a code's lifetime | |
| approval.account | account | as set | 3600 s | |
| approval.client | client and account | as set | 3600 s | |
| code.wave | account | 3 | a code's lifetime | |
| client.failure-address | address | 300 | 60 s | |
| client.failure | client and address | 30 | 60 s | |

- **sign-in** counts wrong passwords; a right one is taken back. A browser that has signed in to
  this account before is counted by the last two rules, and all others by the first four. So a
  stranger who guesses delays other strangers, and no owner in a known browser. One address
  alone stays below the limit of `sign-in.account`, so it delays no one at other addresses.
  Answers of an upstream provider count by address and network alone, until one has signed a
  person in.
- **second-factor** counts wrong one-time codes, after a right password. All together allow fewer
  than 333 codes of a person in a day. Three of a million are right at a time, so a thief of the
  password hits one on less than one day in 1,000. A known browser is again counted by itself. The
  address and the network of a stranger count under `sign-in`, too.
- **code** counts codes that lead to no request that this account may see, and codes that a link
  has filled in until they are typed, where they have to be. Malformed codes are no guesses, as
  nothing is looked up for them. The length of codes allows for five addresses at
  their limit (docs/security.md).
- **approval** counts requests that a person approves, each once: of all clients together, and of
  one client. There is no limit unless the settings have one (`max_approvals_per_hour`).
- **code.wave** counts the same codes, while very many wrong ones are tried by all people together
  (`guess_wave`), and only those after the last right one. So for a person who connects many
  devices, only `code.account` counts. If the settings ask for a proof of work, it goes past this
  rule.
- **client.failure** counts credentials of clients that could be guesses and are wrong: secrets and
  signed assertions. A fleet whose secret is wrong uses up its own count only, so ten such
  fleets behind one address stay within the address's. Beyond the address's limit, each client
  there has one failure in place of 30. A right secret is no failure, so it is never refused for
  what was tried on other clients.

An address is an IPv4 address or the /64 of an IPv6 address. A network is a /48 of IPv6: its
owner has 65,536 addresses. Its limits are wide, since a provider may serve many homes from it.
"""

from typing import Literal, NamedTuple

from deviceflow.core.address import rate_key, site_key

GUESSES_PER_LIFETIME = 8
"""How many codes one account may try while a code is valid."""

ADDRESSES_IN_A_NETWORK = 5
"""How many addresses at their limit one /48 may have: what the length of codes allows for."""

PEOPLE_PER_ADDRESS = 25
"""How many people's guesses at codes one address may make: a household, a shop, an office."""

CODE_WAVE = "code.wave"
CODES_IN_A_WAVE = 3
"""A person who mistypes every tenth code does so three times in a row once in a thousand times."""

DAY_S = 86_400
HOUR_S = 3_600

Key = Literal[
    "address",
    "network",
    "account",
    "account and address",
    "browser",
    "client and address",
    "client and account",
]


class Rule(NamedTuple):
    """At most `limit` tries in any `window_s`; `name` keeps the counts of rules apart.

    `longest_delay_s`: not 0 if further tries are allowed after a pause that grows up to this.
    """

    name: str
    counted_by: Key
    limit: int
    window_s: int
    longest_delay_s: int = 0


class Count(NamedTuple):
    """What a try is counted under."""

    rule: Rule
    key: str


SIGN_IN_ADDRESS = Rule("sign-in.address", "address", 300, 1800)
SIGN_IN_NETWORK = Rule("sign-in.network", "network", 3_000, 1800)
SIGN_IN_ACCOUNT = Rule("sign-in.account", "account", 150, DAY_S, 300)
SIGN_IN_ACCOUNT_ADDRESS = Rule("sign-in.account-address", "account and address", 20, DAY_S, 900)
SIGN_IN_KNOWN = Rule("sign-in.known", "account", 150, DAY_S, 300)
SIGN_IN_BROWSER = Rule("sign-in.browser", "browser", 20, DAY_S, 900)
SECOND_FACTOR_ACCOUNT = Rule("second-factor.account", "account", 20, DAY_S, 900)
SECOND_FACTOR_KNOWN = Rule("second-factor.known", "account", 60, DAY_S, 900)
SECOND_FACTOR_BROWSER = Rule("second-factor.browser", "browser", 20, DAY_S, 900)
CLIENT_FAILURE_ADDRESS = Rule("client.failure-address", "address", 300, 60)
CLIENT_FAILURE = Rule("client.failure", "client and address", 30, 60)


def code_address(lifetime_s: int) -> Rule:
    """Return the rule for the codes that people of one address may try."""
    limit = GUESSES_PER_LIFETIME * PEOPLE_PER_ADDRESS
    return Rule("code.address", "address", limit, lifetime_s)


def code_network(lifetime_s: int) -> Rule:
    """Return the rule for the codes that people of one /48 of IPv6 may try."""
    limit = code_address(lifetime_s).limit * ADDRESSES_IN_A_NETWORK
    return Rule("code.network", "network", limit, lifetime_s)


def code_account(lifetime_s: int) -> Rule:
    """Return the rule for the codes that one account may try."""
    return Rule("code.account", "account", GUESSES_PER_LIFETIME, lifetime_s)


def approval_account(limit: int) -> Rule:
    """Return the rule for the requests that a person may approve."""
    return Rule("approval.account", "account", limit, HOUR_S)


def approval_client(limit: int) -> Rule:
    """Return the rule for the requests of one client that a person may approve."""
    return Rule("approval.client", "client and account", limit, HOUR_S)


def approval_counts(
    sub: str, client_id: str, of_all: int | None, of_client: int | None
) -> tuple[Count, ...]:
    """List what an approval counts under; the limits are None where there is none."""
    counts = []
    if of_all is not None:
        counts.append(Count(approval_account(of_all), sub))
    if of_client is not None:
        counts.append(Count(approval_client(of_client), f"{client_id} {sub}"))
    return tuple(counts)


def code_wave(lifetime_s: int) -> Rule:
    """Return the rule for the codes that one account may try while guessers are at work."""
    return Rule(CODE_WAVE, "account", CODES_IN_A_WAVE, lifetime_s)


def is_of_wave(rule: Rule) -> bool:
    """Return whether it is the rule for a wave, which a proof of work goes past."""
    return rule.name == CODE_WAVE


def sign_in_counts(username: str, address: str, browser: str | None) -> tuple[Count, ...]:
    """List what an attempt to sign in counts under.

    `browser`: the mark of a browser that has signed in to this account before, None without one.
    Its tries are limited by the mark alone, whatever strangers do at its address or elsewhere.
    """
    if browser is not None:
        return (Count(SIGN_IN_KNOWN, username), Count(SIGN_IN_BROWSER, browser))
    return (
        *upstream_counts(address),
        Count(SIGN_IN_ACCOUNT, username),
        Count(SIGN_IN_ACCOUNT_ADDRESS, f"{rate_key(address)} {username}"),
    )


def upstream_counts(address: str) -> tuple[Count, ...]:
    """List what an answer of an upstream provider counts under: it does not name a person yet."""
    return _place_counts(address, SIGN_IN_ADDRESS, SIGN_IN_NETWORK)


def second_factor_counts(username: str, address: str, browser: str | None) -> tuple[Count, ...]:
    """List what a one-time code counts under; the arguments are those of `sign_in_counts`."""
    if browser is not None:
        return (Count(SECOND_FACTOR_KNOWN, username), Count(SECOND_FACTOR_BROWSER, browser))
    return (*upstream_counts(address), Count(SECOND_FACTOR_ACCOUNT, username))


def client_failure_counts(client_id: str, near: str) -> tuple[Count, ...]:
    """List what a failure of a client counts under; `near`: its address, as `rate_key` gives it."""
    return (Count(CLIENT_FAILURE_ADDRESS, near), Count(CLIENT_FAILURE, f"{near} {client_id}"))


def code_counts(
    sub: str, address: str, lifetime_s: int, *, in_wave: bool = False
) -> tuple[Count, ...]:
    """List what a code counts under; `lifetime_s`: the longest of codes that are handed out."""
    place = _place_counts(address, code_address(lifetime_s), code_network(lifetime_s))
    counts = (*place, Count(code_account(lifetime_s), sub))
    return (*counts, Count(code_wave(lifetime_s), sub)) if in_wave else counts


def _place_counts(address: str, of_address: Rule, of_network: Rule) -> tuple[Count, ...]:
    network = site_key(address)
    near = Count(of_address, rate_key(address))
    return (near,) if network is None else (Count(of_network, network), near)
