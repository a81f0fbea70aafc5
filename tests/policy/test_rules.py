"""The rules, and the table of them that people read."""

import re

from deviceflow.policy import rules
from deviceflow.policy.rules import Rule, code_account, code_address, code_counts, sign_in_counts
from deviceflow.store.grants import GUESSES_PER_LIFETIME

LIFETIME_S = 1234
ALL = [
    *(each for each in vars(rules).values() if isinstance(each, Rule)),
    code_account(LIFETIME_S),
    code_address(LIFETIME_S),
]


def test_the_table_has_every_rule_as_it_is() -> None:
    rows = re.findall(r"^\| (\S+\.\S+) \| ([^|]+) \|(.*)\|$", rules.__doc__ or "", re.MULTILINE)
    table = {name: (key, [cell.strip() for cell in cells.split("|")]) for name, key, cells in rows}
    assert set(table) == {rule.name for rule in ALL}
    for rule in ALL:
        window = "a code's lifetime" if rule.window_s == LIFETIME_S else f"{rule.window_s} s"
        delay = f"{rule.longest_delay_s} s" if rule.longest_delay_s else ""
        assert table[rule.name] == (rule.counted_by, [str(rule.limit), window, delay])


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


def test_one_address_alone_does_not_delay_others() -> None:
    """What it may guess in a day is less than what delays the account elsewhere."""
    near = rules.SIGN_IN_ACCOUNT_ADDRESS
    pauses, waited = 0, 0
    while waited < near.window_s:
        waited += min(near.longest_delay_s, 2**pauses)
        pauses += 1
    assert near.limit + pauses < rules.SIGN_IN_ACCOUNT.limit


def test_a_known_browser_shares_no_count_with_strangers() -> None:
    strangers = {count.rule.name for count in sign_in_counts("ada", "203.0.113.7", None)}
    owners = {count.rule.name for count in sign_in_counts("ada", "203.0.113.7", "mark")}
    assert strangers & owners == set()


def test_an_ipv6_address_counts_as_its_network() -> None:
    [address, *_] = code_counts("sub", "2001:db8:0:7::1", 600)
    assert address.key == "2001:db8:0:7::/64"
