"""The rules, and the table of them that people read."""

import math
import re
from pathlib import Path

import pytest

from deviceflow.config import Device
from deviceflow.core.user_code import (
    HITS_PER_DAY,
    NUMERIC,
    WRONG_CODES_PER_DAY,
    UserCodeFormat,
    length_for,
)
from deviceflow.policy import rules
from deviceflow.policy.rules import (
    ADDRESSES_IN_A_NETWORK,
    CODES_IN_A_WAVE,
    GUESSES_PER_LIFETIME,
    Rule,
    approval_account,
    approval_client,
    approval_counts,
    code_account,
    code_address,
    code_counts,
    code_network,
    code_wave,
    second_factor_counts,
    sign_in_counts,
    upstream_counts,
)

LIFETIME_S = 1234
AS_SET = 7
ADDRESSES = ADDRESSES_IN_A_NETWORK
"""How many addresses at their limit the length of every code allows for."""

SECURITY = (Path(__file__).parents[2] / "docs" / "security.md").read_text(encoding="utf-8")
DIGITS = UserCodeFormat(alphabet=NUMERIC, length=9, group=3)
ALL = [
    *(each for each in vars(rules).values() if isinstance(each, Rule)),
    code_account(LIFETIME_S),
    code_wave(LIFETIME_S),
    code_address(LIFETIME_S),
    code_network(LIFETIME_S),
    approval_account(AS_SET),
    approval_client(AS_SET),
]


def test_the_table_has_every_rule_as_it_is() -> None:
    rows = re.findall(r"^\| (\S+\.\S+) \| ([^|]+) \|(.*)\|$", rules.__doc__ or "", re.MULTILINE)
    table = {name: (key, [cell.strip() for cell in cells.split("|")]) for name, key, cells in rows}
    assert set(table) == {rule.name for rule in ALL}
    for rule in ALL:
        window = "a code's lifetime" if rule.window_s == LIFETIME_S else f"{rule.window_s} s"
        delay = f"{rule.longest_delay_s} s" if rule.longest_delay_s else ""
        limit = "as set" if rule.limit == AS_SET else str(rule.limit)
        assert table[rule.name] == (rule.counted_by, [limit, window, delay])


def test_no_two_rules_share_a_count() -> None:
    assert len({rule.name for rule in ALL}) == len(ALL)


def test_an_account_may_guess_as_often_as_the_length_of_codes_allows() -> None:
    rule = code_account(900)
    assert (rule.limit, rule.window_s) == (GUESSES_PER_LIFETIME, 900)


def test_the_most_general_rule_is_asked_first() -> None:
    """So a stranger who is refused at an address leaves no counts of accounts behind."""
    names = [count.rule.name for count in sign_in_counts("ada", "203.0.113.7", None)]
    assert names == ["sign-in.address", "sign-in.account", "sign-in.account-address"]
    names = [count.rule.name for count in code_counts("sub", "203.0.113.7", 600)]
    assert names == ["code.address", "code.account"]


def test_the_addresses_of_one_network_have_a_limit_together() -> None:
    """Of IPv6 alone: whoever has a /48 has 65,536 networks that count as an address."""
    here, there = "2001:db8:1:1::1", "2001:db8:1:2::1"
    for count_of in (
        lambda address: sign_in_counts("ada", address, None),
        lambda address: second_factor_counts("ada", address, None),
        lambda address: code_counts("sub", address, 600),
        upstream_counts,
    ):
        one, other = count_of(here), count_of(there)
        assert one[0].rule.counted_by == "network"
        assert one[0] == other[0] != count_of("2001:db8:2:1::1")[0]
        assert one[1].rule.counted_by == "address"
        assert one[1] != other[1]
    known = sign_in_counts("ada", here, "mark")
    assert all(count.rule.counted_by in {"account", "browser"} for count in known)


def test_approvals_count_only_where_there_is_a_limit() -> None:
    assert approval_counts("sub", "tv", None, None) == ()
    both = approval_counts("sub", "tv", 20, 3)
    assert both == ((approval_account(20), "sub"), (approval_client(3), "tv sub"))
    assert approval_counts("sub", "tv", None, 3) == both[1:]


def test_one_address_alone_does_not_delay_others() -> None:
    """What it may guess in a day is less than what delays the account elsewhere."""
    near = rules.SIGN_IN_ACCOUNT_ADDRESS
    pauses, waited = 0, 0
    while waited < near.window_s:
        waited += min(near.longest_delay_s, 2**pauses)
        pauses += 1
    assert near.limit + pauses < rules.SIGN_IN_ACCOUNT.limit


def test_a_thief_of_the_password_hits_no_one_time_code_in_a_thousand_days() -> None:
    """Three of a million codes are right at a time (policy/totp.py)."""
    tried = 0
    for rule in (rules.SECOND_FACTOR_ACCOUNT, rules.SECOND_FACTOR_KNOWN):
        pauses, waited = 0, 0
        while waited < rule.window_s:
            waited += min(rule.longest_delay_s, 2**pauses)
            pauses += 1
        tried += rule.limit + pauses
    assert tried * 3 / 10**6 < 1 / 1000


def test_a_known_browser_shares_no_count_with_strangers() -> None:
    strangers = {count.rule.name for count in sign_in_counts("ada", "203.0.113.7", None)}
    owners = {count.rule.name for count in sign_in_counts("ada", "203.0.113.7", "mark")}
    assert strangers & owners == set()


def test_an_ipv6_address_counts_as_its_networks() -> None:
    network, address, *_ = code_counts("sub", "2001:db8:0:7::1", 600)
    assert (network.key, address.key) == ("2001:db8::/48", "2001:db8:0:7::/64")


def wrong_codes_per_day(addresses: int, lifetime_s: int = Device().lifetime_s) -> float:
    """Return what the rules let so many addresses try, with as many accounts as they need."""
    rule = code_address(lifetime_s)
    return addresses * rule.limit * rules.DAY_S / rule.window_s


def chance_of_a_hit(form: UserCodeFormat, live: int, tried: float, assumed: float = 0) -> float:
    """Return the true chance of a day; `assumed`: the wrong codes that the server has counted."""
    one = live / len(form.alphabet) ** length_for(form, live, assumed)
    return -math.expm1(tried * math.log1p(-one))


def test_lengths_allow_for_the_rules() -> None:
    """8628-5.1-a: neither the limit nor the arithmetic of user codes can change alone."""
    assert wrong_codes_per_day(ADDRESSES) == WRONG_CODES_PER_DAY


@pytest.mark.parametrize("live", [10**3, 10**4, 10**5, 10**6])
@pytest.mark.parametrize("form", [UserCodeFormat(), DIGITS])
def test_an_attacker_at_the_limits_hits_nothing_in_a_thousand_days(
    form: UserCodeFormat, live: int
) -> None:
    """8628-5.1-a: by the rules as they are; up to five addresses the length needs no count."""
    for addresses in range(1, ADDRESSES + 1):
        assert chance_of_a_hit(form, live, wrong_codes_per_day(addresses)) < HITS_PER_DAY


@pytest.mark.parametrize(("lifetime_s", "addresses"), [(60, 100), (600, 1000), (3600, 1000)])
def test_more_of_them_are_counted(lifetime_s: int, addresses: int) -> None:
    """8628-5.1-a: up to 200 times as many, with a million codes, the length follows the count.

    The window of the rules is the lifetime of codes. So shorter lifetimes allow more in a day.
    """
    tried = wrong_codes_per_day(addresses, lifetime_s)
    for form in (UserCodeFormat(), DIGITS):
        assert chance_of_a_hit(form, 10**6, tried, tried) < HITS_PER_DAY


def test_the_first_lifetime_of_a_large_attack() -> None:
    """8628-5.1-a: the codes that wait already are as long as 1,000 wrong ones demand."""
    addresses, accounts, lifetime_s = 720, 18_000, Device().lifetime_s
    at_addresses = addresses * code_address(lifetime_s).limit
    before = min(at_addresses, accounts * code_account(lifetime_s).limit)
    begins_at = Device().wave_wrong_codes
    in_wave = min(at_addresses, begins_at + accounts * code_wave(lifetime_s).limit)
    assert f"can try {in_wave:,} of them" in SECURITY
    assert f"for such a wave, {before:,}." in SECURITY
    for form in (UserCodeFormat(), DIGITS):
        for live in (10**3, 10**4, 10**5, 10**6):
            assert chance_of_a_hit(form, live, in_wave) < HITS_PER_DAY / 2.5
    assert f"may try only {CODES_IN_A_WAVE} codes" in SECURITY


def test_the_figures_in_the_documentation() -> None:
    """What an account and so many addresses may try, in ten minutes and in a day."""
    rows = re.findall(r"^\| ([^|]+) \| ([\d,]+) \| ([\d,]+) \|$", SECURITY, re.MULTILINE)
    told = {who: [int(each.replace(",", "")) for each in figures] for who, *figures in rows}
    limits = {
        "one account": code_account(600).limit,
        "one address (IPv4, or a /64 of IPv6)": code_address(600).limit,
        "five addresses, or a /48 of IPv6": code_network(600).limit,
    }
    assert told == {who: [limit, limit * rules.DAY_S // 600] for who, limit in limits.items()}
