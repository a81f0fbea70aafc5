"""What a device calls itself: real User-Agents, and what a person reads of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deviceflow.core.device_description import DESCRIPTION_BYTES, DeviceDescription, describe

WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"

CONSOLES_AND_TELEVISIONS = [
    (
        (
            "Mozilla/5.0 (PlayStation; PlayStation 5/9.00) AppleWebKit/605.1.15 (KHTML, like Gecko)"
            " Version/15.4 Safari/605.1.15"
        ),
        "PlayStation 5",
    ),
    ("Mozilla/5.0 (PlayStation 4 11.00) AppleWebKit/605.1.15 (KHTML, like Gecko)", "PlayStation 4"),
    ("Mozilla/5.0 (PLAYSTATION 3; 4.90) AppleWebKit/531.22.8", "PlayStation 3"),
    ("Mozilla/5.0 (PlayStation Vita 3.74) AppleWebKit/537.73 Silk/3.2", "PlayStation Vita"),
    (
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64; Xbox; Xbox Series X) "
            f"{WEBKIT} Chrome/120.0.0.0 Safari/537.36 Edg/120.0.0.0"
        ),
        "Xbox Series X or S",
    ),
    (
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64; Xbox; Xbox One) "
            f"{WEBKIT} Chrome/58.0.3029.110 Safari/537.36 Edge/16.16299"
        ),
        "Xbox One",
    ),
    ("Mozilla/5.0 (Nintendo Switch; WifiWebAuthApplet) AppleWebKit/609.4", "Nintendo Switch"),
    ("Mozilla/5.0 (Nintendo WiiU) AppleWebKit/536.30 NX/3.0.4.2.13", "Wii U"),
    (
        (
            "Mozilla/5.0 (Linux; BRAVIA 4K VH2 Build/PTT1.190515.001.S52; wv) "
            f"{WEBKIT} Version/4.0 Chrome/108.0 Safari/537.36"
        ),
        "Sony Bravia",
    ),
    ("Dalvik/2.1.0 (Linux; U; Android 9; BRAVIA 4K UR2 Build/PTT1.190515.001.S104)", "Sony Bravia"),
    (
        (
            "Mozilla/5.0 (Linux; Android 9; AFTMM Build/PS7285; wv) "
            f"{WEBKIT} Version/4.0 Chrome/108.0 Mobile Safari/537.36"
        ),
        "Fire TV",
    ),
    ("Dalvik/2.1.0 (Linux; U; Android 7.1.2; AFTS Build/NS6265)", "Fire TV"),
    ("Roku/DVP-12.5 (12.5.0.4178-50)", "Roku"),
    ("Roku4640X/DVP-7.70 (297.70E04154A)", "Roku"),
    (
        (
            "Mozilla/5.0 (SMART-TV; LINUX; Tizen 6.5) AppleWebKit/537.36 (KHTML, like Gecko)"
            " 85.0.4183.93/6.5 TV Safari/537.36"
        ),
        "Samsung TV (Tizen)",
    ),
    (
        (
            "Mozilla/5.0 (SMART-TV; X11; Linux armv7l) AppleWebKit/537.42 (KHTML, like Gecko)"
            " Chromium/25.0.1349.2 Chrome/25.0.1349.2 Safari/537.42 Tizen/2.3"
        ),
        "Samsung TV (Tizen)",
    ),
    (
        (
            "Mozilla/5.0 (Linux; Tizen 2.3; SAMSUNG SM-R750) AppleWebKit/537.3 (KHTML, like Gecko)"
            " SamsungBrowser/1.0 Mobile Safari/537.3"
        ),
        "Samsung Internet on Tizen",
    ),
    (
        (
            f"Mozilla/5.0 (Web0S; Linux/SmartTV) {WEBKIT} Chrome/94.0.4606.128 Safari/537.36 "
            "WebAppManager LG Browser/8.00.00(LGE; 55UP7550; 03.33.70)"
        ),
        "LG TV (webOS)",
    ),
    (f"Mozilla/5.0 (Web0S; Linux/SmartTV) {WEBKIT} Chrome/87.0 Safari/537.36", "webOS TV"),
    (
        f"Mozilla/5.0 (X11; Linux armv7l) {WEBKIT} CrKey/1.56.500000 DeviceType/Chromecast",
        "Chromecast",
    ),
    ("Dalvik/2.1.0 (Linux; U; Android 12; Chromecast Build/STTE.230615.004)", "Chromecast"),
    ("AppleTV11,1/11.1", "Apple TV"),
    ("AppleCoreMedia/1.0.0.21K69 (Apple TV; U; CPU OS 17_1 like Mac OS X; en_us)", "Apple TV"),
    ("NebulaTV/4.2 (tvOS 17.1; AppleTV14,1) Alamofire/5.8", "NebulaTV 4.2 on Apple TV"),
    (
        f"Mozilla/5.0 (Linux; Android 11; SHIELD Android TV Build/RQ1A; wv) {WEBKIT} Chrome/110.0",
        "Android TV",
    ),
    ("Dalvik/2.1.0 (Linux; U; Android 9; MiTV-AXSO0 Build/PI)", "Android TV"),
    (f"Mozilla/5.0 (Linux; Android 12; Google TV) {WEBKIT} Chrome/110.0 Safari", "Android TV"),
    (f"Mozilla/5.0 (Linux; Andr0id 9; VIDAA/6.0) {WEBKIT} Chrome/88 Safari", "VIDAA TV"),
    (f"Mozilla/5.0 (X11; Linux armv7l) {WEBKIT} Chrome/90 SmartCast/1.0 VIZIO", "Vizio TV"),
    (
        f"Mozilla/5.0 (X11; Linux x86_64; Quest 3) {WEBKIT} OculusBrowser/30.2 Chrome/118",
        "Meta Quest",
    ),
]

BROWSERS = [
    (
        f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {WEBKIT} Chrome/131.0.0.0 Safari/537.36",
        "Chrome on Windows",
    ),
    (
        f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {WEBKIT} Chrome/131.0 Safari/537.36 Edg/131.0",
        "Edge on Windows",
    ),
    (
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:132.0) Gecko/20100101 Firefox/132.0",
        "Firefox on Windows",
    ),
    (
        (
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15"
            " (KHTML, like Gecko) Version/17.6 Safari/605.1.15"
        ),
        "Safari on macOS",
    ),
    ("Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0", "Firefox on Linux"),
    (
        f"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) {WEBKIT} Chrome/131.0 Safari",
        "Chrome on ChromeOS",
    ),
    (
        f"Mozilla/5.0 (Linux; Android 10; K) {WEBKIT} Chrome/131.0 Mobile Safari/537.36",
        "Chrome on Android",
    ),
    (
        f"Mozilla/5.0 (Linux; Android 13; SM-S918B) {WEBKIT} SamsungBrowser/23.0 Chrome/115.0",
        "Samsung Internet on Android",
    ),
    (
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 17_6 like Mac OS X) AppleWebKit/605.1.15"
            " (KHTML, like Gecko) Version/17.6 Mobile/15E148 Safari/604.1"
        ),
        "Safari on iPhone",
    ),
    (
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 17_6 like Mac OS X) AppleWebKit/605.1.15"
            " (KHTML, like Gecko) CriOS/131.0 Mobile/15E148 Safari/604.1"
        ),
        "Chrome on iPhone",
    ),
    (
        (
            "Mozilla/5.0 (iPad; CPU OS 16_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)"
            " FxiOS/132.0 Mobile/15E148 Safari/605.1.15"
        ),
        "Firefox on iPad",
    ),
    (
        f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {WEBKIT} Chrome/131.0 Safari/537.36 OPR/116.0",
        "Opera on Windows",
    ),
    (
        (
            f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {WEBKIT} Slack/4.41.98 Chrome/130.0"
            " Electron/33.0.2 Safari/537.36 Sonic Slack_SSB/4.41.98"
        ),
        "Slack 4.41.98 on macOS",
    ),
    ("Mozilla/5.0 (Haiku)", ""),
]

APPS_AND_TOOLS = [
    ("NebulaTV/4.2 (Linux; armv7) okhttp/4.12.0", "NebulaTV 4.2 on Linux"),
    ("okhttp/4.12.0 NebulaTV/4.2", "NebulaTV 4.2"),
    ("NebulaTV/4.2.1.7 CFNetwork/1498.700.2 Darwin/23.6.0", "NebulaTV 4.2.1"),
    ("NebulaTV/4.2 (PlayStation 5)", "NebulaTV 4.2 on PlayStation 5"),
    ("curl/8.5.0", "curl 8.5.0"),
    ("Wget/1.21.4", "Wget 1.21.4"),
    ("HTTPie/3.2.2", "HTTPie 3.2.2"),
    (
        "Mozilla/5.0 (Windows NT; Windows NT 10.0; en-US) WindowsPowerShell/5.1.22621.2506",
        "PowerShell 5.1.22621 on Windows",
    ),
    ("aws-cli/2.17.18 md/awscrt#0.20.11 ua/2.0 os/linux#6.8.0", "aws-cli 2.17.18 on Linux"),
    ("kubectl/v1.31.0 (linux/amd64) kubernetes/9edcffc", "kubectl 1.31.0 on Linux"),
    ("deviceflow/0.1.0 (Darwin)", "deviceflow 0.1.0 on macOS"),
    ("GitHub CLI 2.62.0", "GitHub"),
]

LIBRARIES = [
    "okhttp/4.12.0",
    "python-requests/2.32.3",
    "python-httpx/0.27.2",
    "Python-urllib/3.12",
    "Python/3.12 aiohttp/3.10.10",
    "Go-http-client/2.0",
    "Java/17.0.12",
    "Java-http-client/21.0.4",
    "Apache-HttpClient/4.5.14 (Java/17.0.12)",
    "axios/1.7.7",
    "node",
    "node-fetch/1.0 (+https://github.com/bitinn/node-fetch)",
    "undici",
    "got (https://github.com/sindresorhus/got)",
    "Dart/3.5 (dart:io)",
    "libcurl/8.5.0",
    "reqwest/0.12.8",
    "hyper/1.4",
    "ureq/2.10.1",
    "Ruby",
    "Faraday v2.12.0",
    "GuzzleHttp/7",
    "RestSharp/112.1.0.0",
    "CFNetwork/1498.700.2 Darwin/23.6.0",
    "libwww-perl/6.77",
    "ktor-client",
    "ESP32HTTPClient",
    "MSAL.Python/1.31.0",
    "rust-openid/1.0",
    "",
]


def words(agent: str) -> str:
    product, system = describe(agent)
    return f"{product} on {system}" if product and system else product or system


@pytest.mark.parametrize(("agent", "read"), [*CONSOLES_AND_TELEVISIONS, *BROWSERS, *APPS_AND_TOOLS])
def test_what_a_person_recognises(agent: str, read: str) -> None:
    assert words(agent) == read


@pytest.mark.parametrize("agent", LIBRARIES)
def test_of_a_library_nothing_is_said(agent: str) -> None:
    assert describe(agent).product == ""


@pytest.mark.parametrize(
    ("agent", "read"),
    [
        ("x" * 500, "x" * 24),
        ("Press Approve to win a prize", "Press"),
        ("a\x00b\u202ec\nd", "a"),
        ("\udcff\udcfe", ""),
        ("<img/src=x onerror=alert(1)>", ""),
        ("TV\udcff\udcfe\u202e!", "TV"),
        ("\u202eVT", ""),
        ("📺/1", ""),
        ("Fernsehgerät/2", "Fernsehgerät 2"),
        ("テレビ/1.0", "テレビ 1.0"),
        ("----", ""),
        ("Mozilla/5.0 (" + "(" * 5000, ""),
    ],
)
def test_nothing_else_gets_through(agent: str, read: str) -> None:
    assert words(agent) == read


@given(st.text() | st.binary().map(lambda raw: raw.decode("utf-8", "surrogateescape")))
def test_whatever_it_is_a_few_plain_words_are_stored(agent: str) -> None:
    described = describe(agent)
    assert len(described.stored.encode()) <= DESCRIPTION_BYTES
    assert described.stored.isprintable()
    assert DeviceDescription.of(described.stored) == described


def test_what_is_known_in_part_is_stored_too() -> None:
    for described in (
        DeviceDescription("", ""),
        DeviceDescription("curl 8.5.0", ""),
        DeviceDescription("", "Roku"),
        DeviceDescription("Chrome", "Windows"),
    ):
        assert DeviceDescription.of(described.stored) == described
