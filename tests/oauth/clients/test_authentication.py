"""Which client sent a request (RFC 6749 2.3), at both endpoints that ask."""

from base64 import b64encode
from urllib.parse import quote_plus

import msgspec
import pytest

from deviceflow.core.messages import DEVICE_CODE_GRANT
from tests.stage.oauth import Answer, People, Stage, Worker

SECRET = "%:+ é&="
AUTHORIZE = "/oauth2/device_authorization"
TOKEN = "/oauth2/token"
INVALID_CLIENT = (401, "invalid_client")
INVALID_REQUEST = (400, "invalid_request")

Form = dict[str, str]


def basic(client_id: str, secret: str) -> str:
    """RFC 6749 2.3.1: each part form-encoded, then joined."""
    return raw_basic(f"{quote_plus(client_id)}:{quote_plus(secret)}".encode())


def raw_basic(credentials: bytes) -> str:
    return f"Basic {b64encode(credentials).decode()}"


@pytest.fixture(params=[AUTHORIZE, TOKEN])
def path(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def form(path: str) -> Form:
    """A request that is good but for its client. The code is refused only after the client."""
    if path == AUTHORIZE:
        return {"scope": "profile"}
    return {"grant_type": DEVICE_CODE_GRANT, "device_code": "x" * 43}


def accepted(path: str) -> tuple[int, str]:
    """The outcome for a client that is known: codes, or the verdict on the code."""
    return (200, "") if path == AUTHORIZE else (400, "invalid_grant")


# Good ones


@pytest.mark.parametrize("secret", [SECRET, "the next secret"])
async def test_basic_is_form_decoded(worker: Worker, path: str, form: Form, secret: str) -> None:
    """6749-2.3.1-a, 8628-3.1-e, 8628-3.4-b; while a secret is being changed both are good."""
    answer = await worker.post(path, form, headers={"Authorization": basic("console", secret)})
    assert answer.outcome == accepted(path)


@pytest.mark.parametrize("scheme", ["basic", "BASIC", "Basic  "])
async def test_the_scheme_in_other_spellings(
    worker: Worker, path: str, form: Form, scheme: str
) -> None:
    """RFC 9110 11.1: case does not matter, and one space or more follow."""
    header = basic("console", SECRET).replace("Basic", scheme)
    answer = await worker.post(path, form, headers={"Authorization": header})
    assert answer.outcome == accepted(path)


async def test_the_client_id_may_stand_in_both_places(
    worker: Worker, path: str, form: Form
) -> None:
    """RFC 6749 3.2.1: as long as it is the same; an empty secret counts as none."""
    both = form | {"client_id": "console", "client_secret": ""}
    answer = await worker.post(path, both, headers={"Authorization": basic("console", SECRET)})
    assert answer.outcome == accepted(path)


async def test_secret_in_the_body(worker: Worker, path: str, form: Form) -> None:
    answer = await worker.post(path, form | {"client_id": "box", "client_secret": SECRET})
    assert answer.outcome == accepted(path)


async def test_an_empty_secret_of_a_public_client(worker: Worker, path: str, form: Form) -> None:
    """RFC 6749 2.3.1: it may be left out, so the header only names the client (`curl -u id:`)."""
    for extra in ({}, {"client_id": "tv-app"}):
        headers = {"Authorization": basic("tv-app", "")}
        assert (await worker.post(path, form | extra, headers=headers)).outcome == accepted(path)
    for name in ("console", "box", "either", "nobody", "off"):
        headers = {"Authorization": basic(name, "")}
        assert (await worker.post(path, form, headers=headers)).outcome == INVALID_CLIENT


async def test_a_client_with_both_secret_methods(worker: Worker, path: str, form: Form) -> None:
    headers = {"Authorization": basic("either", SECRET)}
    assert (await worker.post(path, form, headers=headers)).outcome == accepted(path)
    body = {"client_id": "either", "client_secret": SECRET}
    assert (await worker.post(path, form | body)).outcome == accepted(path)
    assert (await worker.post(path, form | body, headers=headers)).outcome == INVALID_REQUEST
    for wrong in ({"client_id": "either"}, body | {"client_secret": "wrong"}):
        assert (await worker.post(path, form | wrong)).outcome == INVALID_CLIENT


async def test_the_expected_method_is_told_once_the_secret_is_right(
    worker: Worker, path: str, form: Form
) -> None:
    """And only then: a stranger learns nothing of a client."""
    headers = {"Authorization": basic("box", SECRET)}
    answer = await worker.post(path, form, headers=headers)
    assert answer.outcome == INVALID_CLIENT
    assert "client_secret_post" in answer.body["error_description"]
    right = {"client_id": "console", "client_secret": SECRET}
    answer = await worker.post(path, form | right)
    assert answer.outcome == INVALID_CLIENT
    assert "client_secret_basic" in answer.body["error_description"]
    for body in ({"client_secret": "wrong"}, {"client_id": "tv-app"}, {"client_id": "nobody"}):
        answer = await worker.post(path, form | right | body)
        assert answer.outcome == INVALID_CLIENT
        assert "client_secret" not in answer.body["error_description"]


async def test_a_disabled_client_learns_nothing(stage: Stage, path: str, form: Form) -> None:
    clients = tuple(
        msgspec.structs.replace(client, enabled=False) for client in stage.settings.clients
    )
    worker = await stage.start_worker(msgspec.structs.replace(stage.settings, clients=clients))
    answer = await worker.post(path, form, headers={"Authorization": basic("box", SECRET)})
    assert answer.outcome == INVALID_CLIENT
    assert "client_secret" not in answer.body["error_description"]


async def test_the_whole_flow_of_a_confidential_client(worker: Worker, people: People) -> None:
    """8628-3.1-e, 8628-3.4-b: and nobody redeems its code without the secret."""
    headers = {"Authorization": basic("console", SECRET)}
    grant = await worker.post(AUTHORIZE, {}, headers=headers)
    await people.approve(grant.body["user_code"])
    form = {"grant_type": DEVICE_CODE_GRANT, "device_code": grant.body["device_code"]}
    without = await worker.post(TOKEN, form | {"client_id": "console"})
    assert without.outcome == INVALID_CLIENT
    assert (await worker.post(TOKEN, form, headers=headers)).status == 200


# Bad ones


@pytest.mark.parametrize(
    "credentials",
    [
        {"client_id": "nobody"},
        {"client_id": "off"},
        {"client_id": "TV-APP"},
        {"client_id": "tv-app\x00"},
        {"client_id": "console"},
        {"client_id": "box"},
        {"client_id": "box", "client_secret": "wrong"},
        {"client_id": "box", "client_secret": SECRET + " "},
        {"client_id": "console", "client_secret": SECRET},
        {"client_id": "tv-app", "client_secret": "anything"},
        {"client_id": "nobody", "client_secret": SECRET},
    ],
)
async def test_refused_in_the_body(
    worker: Worker, path: str, form: Form, credentials: Form
) -> None:
    """8628-3.1-e, 6749-5.2-b: unknown, disabled, wrong secret, another method, a public client's.

    No challenge, for no header was used. 6749-2.3-b: a secret makes nobody of a public client.
    """
    answer = await worker.post(path, form | credentials)
    assert answer.outcome == INVALID_CLIENT
    assert "WWW-Authenticate" not in answer.headers
    assert "device_code" not in answer.body


async def test_one_answer_for_all_reasons(worker: Worker, path: str, form: Form) -> None:
    """Whether a client exists, is disabled or has another secret is nobody's business."""
    answers = [
        await worker.post(path, form | {"client_id": name, "client_secret": "guess"})
        for name in ("nobody", "off", "box")
    ]
    assert len({str(answer.body) for answer in answers}) == 1


@pytest.mark.parametrize(
    "header",
    [
        basic("console", "wrong"),
        basic("console", ""),
        basic("", SECRET),
        basic("nobody", SECRET),
        basic("off", SECRET),
        basic("box", SECRET),
        raw_basic(b"console"),
        raw_basic(b""),
        raw_basic(b":"),
        raw_basic(b"console:\xff\xfe"),
        raw_basic(b"\xff:secret"),
        raw_basic(b"console:%ff"),
        raw_basic(b"console:%zz"),
        raw_basic("console:%:+ é&=".encode()),
        raw_basic(f"console:{quote_plus(SECRET)}\n".encode()),
        "Basic",
        "Basic ",
        "Basic !!!!",
        "Basic Y29uc29sZ",
        "Basic Y29uc29sZTpz ZWNyZXQ=",
        "Basic " + "A" * 2000,
        "Bearer abc",
        "Digest username=x",
        "é",
        "Basic é",
        "",
    ],
)
async def test_refused_in_the_header(worker: Worker, path: str, form: Form, header: str) -> None:
    """6749-5.2-a: 401 with WWW-Authenticate, for everything that is no good Basic header."""
    answer = await worker.post(path, form, headers={"Authorization": header})
    assert answer.outcome == INVALID_CLIENT
    assert answer.headers["WWW-Authenticate"].startswith("Basic ")
    assert "device_code" not in answer.body


async def test_a_header_that_is_not_text(worker: Worker, path: str) -> None:
    body = b"scope=profile"
    answer = await worker.raw(
        b"POST %b HTTP/1.1\r\nHost: x\r\nAuthorization: Basic \xff\xfe\r\n"
        b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n%b"
        % (path.encode(), len(body), body)
    )
    assert answer.outcome == INVALID_CLIENT


@pytest.mark.parametrize("given", [SECRET, "wrong"])
async def test_two_ways_at_once(worker: Worker, path: str, form: Form, given: str) -> None:
    """6749-2.3-a: Basic and a secret in the body, whether or not it is the same."""
    answer = await worker.post(
        path, form | {"client_secret": given}, headers={"Authorization": basic("console", SECRET)}
    )
    assert answer.outcome == INVALID_REQUEST


async def test_two_headers(worker: Worker, path: str, form: Form) -> None:
    """6749-2.3-a."""
    one = ("Authorization", basic("console", SECRET))
    answer = await worker.post(path, form, headers=[one, one])
    assert answer.outcome == INVALID_REQUEST


async def test_another_client_in_the_body(worker: Worker, path: str, form: Form) -> None:
    """Section 3: who is authenticated and who is named are never two."""
    answer = await worker.post(
        path, form | {"client_id": "tv-app"}, headers={"Authorization": basic("console", SECRET)}
    )
    assert answer.outcome == INVALID_REQUEST


async def test_no_client_at_all(worker: Worker, path: str, form: Form) -> None:
    for credentials in ({}, {"client_id": ""}, {"client_secret": SECRET}):
        answer = await worker.post(path, form | credentials)
        assert answer.outcome == INVALID_REQUEST


@pytest.mark.parametrize("query", ["client_secret=x", "client_secret", "a=b&client_secret="])
async def test_a_secret_in_the_address(worker: Worker, path: str, form: Form, query: str) -> None:
    """6749-2.3.1-b."""
    answer = await worker.post(f"{path}?{query}", form | {"client_id": "tv-app"})
    assert answer.outcome == INVALID_REQUEST


async def test_parameters_in_the_address_are_not_read(
    worker: Worker, path: str, form: Form
) -> None:
    answer = await worker.post(f"{path}?client_id=tv-app", form)
    assert answer.outcome == INVALID_REQUEST


async def test_another_clients_code_with_good_credentials(worker: Worker, people: People) -> None:
    """6749-5.2-b: the client is who it says it is, but the code is not its own."""
    grant: Answer = await worker.authorize()
    await people.approve(grant.body["user_code"])
    form = {"grant_type": DEVICE_CODE_GRANT, "device_code": grant.body["device_code"]}
    headers = {"Authorization": basic("console", SECRET)}
    answer = await worker.post(TOKEN, form, headers=headers)
    assert answer.outcome == (400, "invalid_grant")
