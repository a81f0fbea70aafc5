"""The rules of a client against phishing: its own, or else those of the settings."""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from deviceflow.config import Device, Phishing, Settings
from deviceflow.core.client import Client
from deviceflow.core.clients import Clients
from deviceflow.policy.phishing import STEP_UP_AGE_S, CodeLinks, rules_of
from tests.stage.examples import unless_few

TV = Client(client_id="tv", name="TV")
NETWORKS = st.one_of(
    st.ip_addresses().map(str),
    st.tuples(st.ip_addresses(v=4), st.integers(0, 32)).map(
        lambda pair: str(ip_network(f"{pair[0]}/{pair[1]}", strict=False))
    ),
    st.tuples(st.ip_addresses(v=6), st.integers(0, 128)).map(
        lambda pair: str(ip_network(f"{pair[0]}/{pair[1]}", strict=False))
    ),
)
OWN = st.fixed_dictionaries(
    {},
    optional={
        "device": st.booleans(),
        "start_networks": st.lists(NETWORKS, min_size=1, max_size=3).map(tuple),
        "approval_networks": st.lists(NETWORKS, min_size=1, max_size=3).map(tuple),
        "near": st.sampled_from(["address", "network", "country"]),
        "if_far": st.sampled_from(["show", "retype", "step_up", "refuse"]),
        "sign_in": st.sampled_from(["any", "second_factor", "phishing_resistant"]),
        "max_sign_in_age_s": st.integers(30, 600),
        "verification_uri_complete": st.booleans(),
    },
)


def _settings(general: dict[str, Any]) -> Settings:
    """The same names, as the general settings have them."""
    rest = dict(general)
    device = Device(
        enabled_by_default=rest.pop("device", True),
        verification_uri_complete=rest.pop("verification_uri_complete", True),
    )
    return Settings(device=device, phishing=Phishing(**rest))


@settings(max_examples=unless_few(60))
@given(own=OWN, general=OWN)
def test_what_a_client_says_itself_replaces_what_all_have(
    own: dict[str, Any], general: dict[str, Any]
) -> None:
    """A client with a field of its own has the rule that it would have if all had that field."""
    found = rules_of(Client(client_id="tv", name="TV", **own), _settings(general))
    assert found == rules_of(TV, _settings(general | own))


def test_without_any_rule_everybody_may_do_everything() -> None:
    rules = rules_of(TV, Settings())
    assert rules.uses_device_grant
    assert not rules.must_type
    for address in ("203.0.113.7", "2001:db8::1", "10.0.0.1", ""):
        assert rules.may_start(address)
        assert rules.may_approve(address)


@settings(max_examples=unless_few(60))
@given(networks=st.lists(NETWORKS, min_size=1, max_size=3).map(tuple), address=st.ip_addresses())
def test_an_address_is_allowed_if_it_is_in_a_network(
    networks: tuple[str, ...], address: IPv4Address | IPv6Address
) -> None:
    rules = rules_of(TV, _settings({"start_networks": networks, "approval_networks": networks}))
    # A dual-stack socket writes an IPv4 address as ::ffff:192.0.2.1.
    meant = getattr(address, "ipv4_mapped", None) or address
    is_inside = any(meant in ip_network(text) for text in networks)
    assert rules.may_start(str(address)) is is_inside
    assert rules.may_approve(str(address)) is is_inside


def test_what_is_no_address_is_in_no_network() -> None:
    """A Unix socket has none, and a dual-stack socket writes an IPv4 address in another way."""
    everywhere = {"start_networks": ("0.0.0.0/0", "::/0")}
    rules = rules_of(TV, _settings(everywhere))
    assert not rules.may_start("")
    assert not rules.may_start("unknown")
    only_four = rules_of(TV, _settings({"approval_networks": ("192.0.2.0/24",)}))
    assert only_four.may_approve(f"::ffff:{ip_address('192.0.2.9')}")
    assert not only_four.may_approve("::ffff:198.51.100.9")


@settings(max_examples=unless_few(40))
@given(own=OWN)
def test_a_step_up_never_asks_for_less(own: dict[str, Any]) -> None:
    rules = rules_of(Client(client_id="tv", name="TV", **own), Settings())
    stepped = rules.stepped_up()
    assert stepped.sign_in in {rules.sign_in, "second_factor"} - {"any"}
    assert stepped.max_sign_in_age_s is not None
    assert stepped.max_sign_in_age_s <= (rules.max_sign_in_age_s or STEP_UP_AGE_S)
    assert stepped.stepped_up() == stepped
    assert rules == stepped._replace(
        sign_in=rules.sign_in, max_sign_in_age_s=rules.max_sign_in_age_s
    )


def test_links_are_used_if_any_client_allows_them() -> None:
    strict = Settings(device=Device(verification_uri_complete=False))
    links = Client(client_id="links", name="Links", verification_uri_complete=True)
    assert CodeLinks(settings=Settings(), clients=Clients([TV])).are_used
    assert not CodeLinks(settings=strict, clients=Clients([TV])).are_used
    assert CodeLinks(settings=strict, clients=Clients([TV, links])).are_used
