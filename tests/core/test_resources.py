"""Resource indicators (RFC 8707), and which scopes are good where (RFC 9068 2.2.3, 3)."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from deviceflow.core.client import Client
from deviceflow.core.resources import GrantedScope, ProtectedResource, Resources, TokenScope

API = "https://api.example.com"
FILES = "https://files.example.com/v1?a=b"
OPEN = "urn:example:open"
ISSUER = "https://auth.example.com"
BILLING = "https://billing.example.com"
CLIENT = Client(client_id="apis", name="APIs", resources=(API, FILES, OPEN))
AUDIENCE = Client(client_id="own", name="Own", audience="own")
UNKNOWN = Resources(ISSUER)
KNOWN = Resources(
    ISSUER,
    (
        ProtectedResource(resource=API, scopes=("print", "print:status")),
        ProtectedResource(resource=FILES, scopes=("files",)),
    ),
)


def opened(
    resources: Resources,
    scope: str,
    named: str,
    client: Client,
    narrow: str = "",
    *,
    granted: str | None = None,
) -> TokenScope | None:
    """What a token of a grant of `scope` (or `granted`) opens; names are space separated here."""
    grant = GrantedScope(scope if granted is None else granted, named.split())
    return resources.access(scope, grant, client, narrow.split())


def test_who_owns_a_scope() -> None:
    """9068-3-a: one resource, or none. `openid` is good at the issuer, which owns no scope."""
    assert KNOWN.owner("print") == KNOWN.owner("print:status") == API
    assert KNOWN.owner("files") == FILES
    assert KNOWN.owner("openid") is KNOWN.owner("profile") is UNKNOWN.owner("print") is None
    assert KNOWN.owners(["openid", "print", "files", "print:status"]) == {API, FILES}
    assert KNOWN.owners(["openid"]) == set()


@pytest.mark.parametrize(
    ("parameter", "names"),
    [
        ([], ()),
        ([API], (API,)),
        ([FILES, API, FILES], (FILES, API)),
        ([OPEN], (OPEN,)),
        ([API, ISSUER], (API, ISSUER)),
    ],
)
def test_named(parameter: list[str], names: tuple[str, ...]) -> None:
    """8707-2-a: and the issuer, which is nobody's to forbid."""
    assert UNKNOWN.named(parameter, CLIENT) == names


@pytest.mark.parametrize(
    "parameter",
    ["api", "/api", "//api.example.com", f"{API}#x", f"{API}#", f"{API}/", "https://else.example",
     f"{API} {FILES}", f"{API} ", " ", "", "https:", "https://[", "é", f"{ISSUER}/"],
)  # fmt: skip
def test_refused(parameter: str) -> None:
    """8707-2-a: not absolute, with a fragment, two in one, or not for this client."""
    assert UNKNOWN.named([parameter], CLIENT) is None
    assert UNKNOWN.named([API, parameter], CLIENT) is None


@pytest.mark.parametrize(
    ("scopes", "named", "allowed"),
    [
        ("", (), True),
        ("openid profile offline_access", (), True),
        ("print print:status", (), True),
        ("openid profile offline_access files", (), True),
        ("print files", (), False),
        ("openid print offline_access files", (), False),
        ("print files", (API, FILES), True),
        ("print", (API, FILES), True),
        ("print files", (API,), False),
        ("files", (API,), False),
        ("openid print", (API,), True),
        ("openid profile", (API,), True),
        ("openid profile", (ISSUER,), True),
        ("print", (ISSUER,), False),
        ("print", (OPEN,), False),
        ("profile", (OPEN,), True),
    ],
)
def test_scopes_that_were_asked_for(scopes: str, named: tuple[str, ...], allowed: bool) -> None:  # noqa: FBT001 - a column
    """9068-3-a: of one resource, or of those that were named."""
    asked = tuple(scopes.split())
    assert KNOWN.scopes(asked, named, are_default=False) == (asked if allowed else None)


@pytest.mark.parametrize(
    ("scopes", "named", "granted"),
    [
        ("openid print", (), "openid print"),
        ("print files", (), None),
        ("openid print files", (API,), "openid print"),
        ("openid print files", (ISSUER,), "openid"),
        ("print files", (API, FILES), "print files"),
        ("print files", (OPEN,), None),
        ("", (API,), ""),
    ],
)
def test_scopes_by_default(scopes: str, named: tuple[str, ...], granted: str | None) -> None:
    """9068-3-a, 6749-3.3-a: the resources choose among those that nobody asked for."""
    expected = None if granted is None else tuple(granted.split())
    assert KNOWN.scopes(tuple(scopes.split()), named, are_default=True) == expected


@pytest.mark.parametrize(
    ("scope", "granted", "client", "audience"),
    [
        ("profile", "", CLIENT, (ISSUER,)),
        ("openid", "", CLIENT, (ISSUER,)),
        ("profile", "", AUDIENCE, ("own",)),
        ("openid", "", AUDIENCE, ("own", ISSUER)),
        ("profile", API, AUDIENCE, (API,)),
        ("openid", f"{API} {FILES}", CLIENT, (API, FILES, ISSUER)),
        ("openid", f"{ISSUER} {API}", CLIENT, (ISSUER, API)),
        ("profile", f"{ISSUER} {API}", CLIENT, (ISSUER, API)),
    ],
)
@pytest.mark.parametrize("resources", [UNKNOWN, KNOWN])
def test_the_audience(
    resources: Resources, scope: str, granted: str, client: Client, audience: tuple[str, ...]
) -> None:
    """8707-2-b, 9068-3-a: what was named, else the client's, else the issuer; openid adds it."""
    assert opened(resources, scope, granted, client) == TokenScope(scope, audience)


@pytest.mark.parametrize(
    ("scope", "client", "audience"),
    [
        ("print", CLIENT, (API,)),
        ("profile print:status print", AUDIENCE, (API,)),
        ("openid files offline_access", CLIENT, (FILES, ISSUER)),
        # GrantedScope before the settings had these resources: as it was then.
        ("print files", AUDIENCE, ("own",)),
    ],
)
def test_the_audience_that_the_scope_tells(
    scope: str, client: Client, audience: tuple[str, ...]
) -> None:
    """9068-3-a: inferred from the scope."""
    assert opened(KNOWN, scope, "", client) == TokenScope(scope, audience)
    untold = opened(UNKNOWN, scope, "", client)
    assert untold is not None
    assert FILES not in untold.audience


ALL = "openid profile print files"
BOTH = f"{API} {FILES}"


@pytest.mark.parametrize(
    ("scope", "granted", "parameter", "found"),
    [
        (ALL, BOTH, "", TokenScope(ALL, (API, FILES, ISSUER))),
        (ALL, BOTH, API, TokenScope("profile print", (API,))),
        (ALL, BOTH, f"{FILES} {FILES}", TokenScope("profile files", (FILES,))),
        (ALL, BOTH, f"{FILES} {API}", TokenScope("profile print files", (FILES, API))),
        (ALL, BOTH, ISSUER, TokenScope("openid profile", (ISSUER,))),
        (ALL, BOTH, f"{API} {ISSUER}", TokenScope("openid profile print", (API, ISSUER))),
        (ALL, BOTH, OPEN, None),
        (ALL, API, FILES, None),
        (ALL, API, f"{API} {FILES}", None),
        (ALL, API, f"{API}#x", None),
        ("openid print", "", API, TokenScope("print", (API,))),
        ("openid print", "", ISSUER, TokenScope("openid", (ISSUER,))),
        ("openid print", "", FILES, None),
        ("print", API, ISSUER, None),
        ("profile", "", API, None),
        ("profile", "", ISSUER, TokenScope("profile", (ISSUER,))),
        # Nothing would be left, which no answer could say.
        ("print", BOTH, FILES, None),
        ("openid", API, API, None),
        ("", API, API, TokenScope("", (API,))),
        # GrantedScope before the settings had these resources.
        (ALL, API, "", TokenScope("openid profile print", (API, ISSUER))),
        ("files", API, "", None),
    ],
)
def test_narrowed(scope: str, granted: str, parameter: str, found: TokenScope | None) -> None:
    """8707-2.2-a: within what was granted, with the scopes that are good there."""
    assert opened(KNOWN, scope, granted, CLIENT, parameter) == found


def test_a_name_that_is_no_uri_cannot_be_narrowed_to() -> None:
    """8707-2-a: an `audience` of the settings need not be one."""
    assert opened(UNKNOWN, "openid profile", "", AUDIENCE, "own") is None
    assert opened(UNKNOWN, "openid", "", AUDIENCE, ISSUER) == TokenScope("openid", (ISSUER,))
    one = GrantedScope("openid", [API, FILES])
    assert UNKNOWN.access("openid", one, CLIENT, [f"{API} {FILES}"]) is None


@pytest.mark.parametrize(
    ("granted", "named", "scope", "narrow", "found"),
    [
        # The default audience of the client is where the grant's own token was never good.
        ("print pay", "", "pay", "", TokenScope("pay", (API,))),
        ("print pay", "", "print", "", TokenScope("print", (API,))),
        ("openid print pay", "", "pay", "", TokenScope("pay", (API, ISSUER))),
        ("openid print pay", "", "openid pay", "", TokenScope("openid pay", (ISSUER,))),
        ("openid print pay", "", "print pay", "", TokenScope("print pay", (API,))),
        ("openid print pay", "", "pay", BILLING, None),
        ("openid print pay", "", "pay", ISSUER, TokenScope("pay", (ISSUER,))),
        ("openid pay", "", "pay", "", TokenScope("pay", (BILLING,))),
        # What the device has named is not inferred from a scope, and stays.
        ("print files", f"{API} {FILES}", "print", "", TokenScope("print", (API, FILES))),
        ("openid print", f"{API} {ISSUER}", "print", "", TokenScope("print", (API, ISSUER))),
        ("openid print", API, "print", "", TokenScope("print", (API,))),
        # GrantedScope before the settings had these resources: where it was good then.
        ("print files", "", "print", "", TokenScope("print", (BILLING,))),
        ("print files", "", "print", API, None),
    ],
)
def test_a_narrower_scope(
    granted: str, named: str, scope: str, narrow: str, found: TokenScope | None
) -> None:
    """8707-2.2-a: the token is for nothing that the grant's own is not for."""
    client = Client(client_id="bill", name="Bill", resources=(API, FILES), audience=BILLING)
    assert opened(KNOWN, scope, named, client, narrow, granted=granted) == found


NAMES = (API, FILES, OPEN, ISSUER)
SCOPES = st.lists(
    st.sampled_from(["openid", "profile", "offline_access", "a", "b", "c", "d"]), unique=True
)
NAMED = st.lists(st.sampled_from(NAMES), unique=True)
OWNERS = st.dictionaries(st.sampled_from("abcd"), st.sampled_from(NAMES[:3]))
CLIENTS = st.sampled_from([CLIENT, AUDIENCE, Client(client_id="bare", name="Bare")])


def _known(owners: dict[str, str]) -> tuple[ProtectedResource, ...]:
    return tuple(
        ProtectedResource(
            resource=name, scopes=tuple(scope for scope in owners if owners[scope] == name)
        )
        for name in NAMES[:3]
    )


@given(owners=OWNERS, asked=SCOPES, named=NAMED, narrow=NAMED, client=CLIENTS)
def test_no_scope_without_its_resource(
    owners: dict[str, str], asked: list[str], named: list[str], narrow: list[str], client: Client
) -> None:
    """9068-3-a, 9068-5-a, 8707-2.2-a: whatever is granted, and however it is narrowed."""
    resources = Resources(ISSUER, _known(owners))
    scopes = resources.scopes(tuple(asked), tuple(named), are_default=False)
    assume(scopes is not None)
    whole = opened(resources, " ".join(asked), " ".join(named), client)
    assert whole is not None
    assert whole.scope.split() == asked
    homes = owners | {"openid": ISSUER}
    assert {homes[scope] for scope in asked if scope in homes} <= {*whole.audience}
    part = opened(resources, " ".join(asked), " ".join(named), client, " ".join(narrow))
    if part is None:
        # It reaches beyond the grant, or into a part of it where no scope is good.
        assert not {*narrow} <= {*whole.audience} or not any(
            homes.get(scope, narrow[0]) in narrow for scope in asked
        )
        return
    assert part.audience == (tuple(narrow) or whole.audience)
    assert {*part.audience} <= {*whole.audience}
    kept = [one for one in asked if homes.get(one, part.audience[0]) in part.audience]
    assert part.scope.split() == kept


@given(asked=SCOPES, named=NAMED, client=CLIENTS)
def test_without_the_table(asked: list[str], named: list[str], client: Client) -> None:
    """9068-3-a: nothing is refused, and `aud` is what was named, or the default."""
    assert UNKNOWN.scopes(tuple(asked), tuple(named), are_default=False) == tuple(asked)
    access = opened(UNKNOWN, " ".join(asked), " ".join(named), client)
    expected = named or [client.audience or ISSUER]
    if "openid" in asked and ISSUER not in expected:
        expected = [*expected, ISSUER]
    assert access == TokenScope(" ".join(asked), tuple(expected))


@given(
    owners=OWNERS.filter(bool),
    asked=SCOPES.filter(lambda scopes: len(scopes) > 1),
    named=st.just([]) | NAMED,
    gone=st.sets(st.integers(0, 6)),
    narrow=st.just([]) | NAMED,
    client=CLIENTS,
)
def test_narrowing_widens_nothing(
    owners: dict[str, str],
    asked: list[str],
    named: list[str],
    gone: set[int],
    narrow: list[str],
    client: Client,
) -> None:
    """8707-2.2-a, 6749-6-b: neither audience nor scope, by scope or by resource; old grants too."""
    resources = Resources(ISSUER, _known(owners))
    grant = GrantedScope(" ".join(asked), named)
    whole = resources.access(grant.scope, grant, client, [])
    assume(whole is not None)
    assert whole is not None
    scope = [one for i, one in enumerate(asked) if i not in gone]
    part = resources.access(" ".join(scope), grant, client, narrow)
    if part is not None:
        assert part.audience
        assert {*part.audience} <= {*whole.audience}
        assert {*part.scope.split()} <= {*whole.scope.split()} & {*scope}
