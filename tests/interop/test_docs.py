"""What docs/devices.md and docs/apis.md say of other people's libraries."""

import re
import subprocess

from tests.interop.peer import GO_PROVIDER, HERE, LIBRARIES, OIDC_PROVIDER, OPENID_CLIENT
from tests.interop.site import Site
from tests.stage.checkout import DOCS
from tests.stage.waiting import PATIENCE_S

WRITTEN = "http://127.0.0.1:8628"

# An API that gets the request of the device, and then the stolen token alone.
REQUESTS = """
let request;
const keep = async (url, sent) => {
  request = new Request(url, { headers: sent.headers });
  return new Response();
};
const url = new URL("https://api.example.com/readings/1");
const options = { DPoP, [oauth.customFetch]: keep };
await oauth.protectedResourceRequest(tokens.access_token, "GET", url, undefined, null, options);
console.log((await claimsOf(request)).scope);
const stolen = new Request(url, { headers: { authorization: `Bearer ${tokens.access_token}` } });
await claimsOf(stolen).catch(() => console.log("refused"));
"""


def example(page: str) -> str:
    (block,) = re.findall(r"```js\n(.*?)```", (DOCS / page).read_text("utf-8"), re.DOTALL)
    return str(block)


def test_every_library_that_is_tried_has_its_row() -> None:
    page = (DOCS / "devices.md").read_text("utf-8")
    section = page.partition("## With other libraries")[2].partition("\n## ")[0]
    for library in LIBRARIES:
        assert f"\n| [{library.name}" in section or f", [{library.name}" in section, library.name
    # What cannot be used is named, too.
    assert "msal-node invents the address `/oauth2/devicecode`" in section


def test_every_program_here_is_run() -> None:
    folders = {path.name for path in HERE.iterdir() if path.is_dir() and path.name[0] not in "._"}
    # Providers are no clients: people sign in there (tests/browser/test_upstream.py).
    programs = [*LIBRARIES, OIDC_PROVIDER, GO_PROVIDER]
    assert folders == {library.made.relative_to(HERE).parts[0] for library in programs}


def test_a_code_and_a_token_that_are_bound_to_a_key(site: Site) -> None:
    """RFC 9449 7.1: the device of one page and the API of the other."""
    OPENID_CLIENT.check()
    device = example("devices.md").replace('"tv-app"', '"tv"')
    api = example("apis.md").replace("https://api.example.com/readings", site.issuer)
    api = api.replace("const issuer", "const its").replace("(issuer", "(its")
    api = api.replace("export const", "const")
    script = f"{device}\n{api}\n{REQUESTS}".replace(WRITTEN, site.issuer)
    with subprocess.Popen(
        ["/usr/bin/env", "node", "--input-type=module", "--eval", script],
        stdout=subprocess.PIPE,
        text=True,
        cwd=OPENID_CLIENT.made.parent,
    ) as process:
        assert process.stdout is not None
        try:
            told = process.stdout.readline()
            shown = re.fullmatch(r"Open (\S+) and enter (\S+)\n", told)
            assert shown is not None
            site.decide({"verification_uri": shown[1], "user_code": shown[2]}, "approve")
            rest, _ = process.communicate(timeout=PATIENCE_S)
        finally:
            process.kill()
    assert rest.splitlines() == [
        "Connected, with a token of type dpop.",
        "openid offline_access",
        "refused",
    ]
