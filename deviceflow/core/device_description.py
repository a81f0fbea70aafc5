"""What a device calls itself, read from its User-Agent (RFC 9110 10.1.5) for the person to compare.

Any device can claim anything. So only a few words are kept: a product of one word with its
version, and a device or system from a table. No story fits into that, and no markup. A library's
name says nothing to a person, so it is left out: better nothing than "okhttp".
"""

import re
from functools import lru_cache
from typing import NamedTuple

DESCRIPTION_BYTES = 64
"""The most that is stored. With more, each grant would need a third more memory."""

_READ = 512
_REMEMBERED = 1024
"""How many headers are remembered: a fleet sends few different ones, and reading one is slow."""

_PRODUCT_BYTES = 36
_SEPARATOR = "; "

# The first that is found counts: a television also says that it is an Android, and an Android
# also says that it is a Linux. These run one browser or one kind of app, so it is not named.
_DEVICES = (
    (r"PlayStation Vita", "PlayStation Vita"),
    (r"PlayStation; PlayStation 5|PlayStation 5|\bPS5\b", "PlayStation 5"),
    (r"PlayStation 4|\bPS4\b|\bOrbis\b", "PlayStation 4"),
    (r"PLAYSTATION 3|PlayStation 3", "PlayStation 3"),
    (r"PlayStation", "PlayStation"),
    (r"Xbox Series", "Xbox Series X or S"),
    (r"Xbox One", "Xbox One"),
    (r"\bXbox", "Xbox"),
    (r"Nintendo Switch 2", "Nintendo Switch 2"),
    (r"Nintendo Switch", "Nintendo Switch"),
    (r"Nintendo Wii ?U", "Wii U"),
    (r"Apple ?TV|\btvOS\b", "Apple TV"),
    (r"\bFire ?TV\b|\bAFT[A-Z0-9]{1,8}\b|AmazonWebAppPlatform", "Fire TV"),
    (r"\bRoku", "Roku"),
    (r"\bBRAVIA", "Sony Bravia"),
    (r"\bCrKey\b|\bChromecast", "Chromecast"),
    (r"\bTizen\b.*\bTV\b|SMART-TV.*Tizen|Tizen.*SMART-TV|SmartTV.*Tizen", "Samsung TV (Tizen)"),
    (r"(?:Web0S|webOS).*\bLGE?\b|\bLGE?\b.*(?:Web0S|webOS)|\bLG NetCast", "LG TV (webOS)"),
    (r"Web0S|webOS[ .]?TV|webOS", "webOS TV"),
    (r"\bVIDAA", "VIDAA TV"),
    (r"\bVIZIO|SmartCast", "Vizio TV"),
    (r"Android ?TV|\bGoogle ?TV\b|Android.*\b(?:MiTV|SMART TV|TV ?Box|MIBOX)", "Android TV"),
    (r"\bHbbTV\b", "HbbTV"),
    (r"OculusBrowser|\bQuest [23S]|\bQuest Pro", "Meta Quest"),
)

_SYSTEMS = (
    (r"\biPhone|\bCriOS.*Mobile.*iPhone", "iPhone"),
    (r"\biPad", "iPad"),
    (r"\bApple ?Watch|\bwatchOS\b", "Apple Watch"),
    (r"\bWindows Phone", "Windows Phone"),
    (r"\bAndroid", "Android"),
    (r"\bTizen", "Tizen"),
    (r"\bKAIOS\b", "KaiOS"),
    (r"\bCrOS\b", "ChromeOS"),
    (r"\bWindows\b|\bWin32\b|\bWin64\b|\bwindows\b", "Windows"),
    (r"\bMac OS X|\bMacintosh|\bmac ?OS\b|\bmacos\b|\(Darwin\)", "macOS"),
    (r"\bFreeBSD", "FreeBSD"),
    (r"\bOpenBSD", "OpenBSD"),
    (r"\bLinux\b|\bX11\b|\bUbuntu|\blinux\b", "Linux"),
)

_BROWSERS = (
    (r"\b(?:Edg|EdgA|EdgiOS|Edge)/", "Edge"),
    (r"\b(?:OPR|Opera|OPiOS)/", "Opera"),
    (r"\bSamsungBrowser/", "Samsung Internet"),
    (r"\bSilk/", "Silk"),
    (r"\bVivaldi/", "Vivaldi"),
    (r"\bDuckDuckGo/|\bDdg/", "DuckDuckGo"),
    (r"\b(?:Firefox|FxiOS)/", "Firefox"),
    (r"\b(?:Chrome|CriOS|Chromium)/", "Chrome"),
    (r"\bSafari/", "Safari"),
)

# An Electron application names itself before its engine. PowerShell calls itself a browser.
_EMBEDDING = re.compile(
    r"Gecko\) (?:\S+ )*?([A-Za-z][\w.+-]*/[\d.]+\S*) Chrome/\S+ Electron/|\b(\w*PowerShell/\S+)"
)

# Command-line tools that call themselves differently.
_TOOLS = {"WindowsPowerShell": "PowerShell", "PostmanRuntime": "Postman", "httpie": "HTTPie"}

_LIBRARY_NAMES = """
    aiohttp adal alamofire apache appauth applecoremedia applewebkit authlib axios bun cfnetwork
    cobalt cpp-httplib cpprestsdk cronet curb dalvik dart darwin deno dio exoplayer exoplayerlib
    fasthttp faraday fetch flurl gecko go got grequests gstreamer guzzle guzzlehttp http httpclient
    httplib2 httpx httpoison hyper isahc jakarta java jersey jdk khtml ktor kotlin lavf libcurl
    libsoup libwww-perl like lua lwp mechanize media3 mint mobile msal nghttp2 node node.js okhttp
    okhttp3 okio openid openssl perl php pycurl python qt reqwest requests resty restsharp
    retrofit ruby rust-client stagefright superagent surf symfony tesla treq typhoeus undici
    unirest ureq urllib urllib3 urlsession version volley webkit wininet winhttp
"""
_LIBRARIES = frozenset(_LIBRARY_NAMES.split())
"""Names in lower case, beside those that `_LIBRARY` matches."""

_LIBRARY = re.compile(
    r".*http[_.-]?(client|lib|kit|request).*|.*([_.-]|\b)(sdk|client|lib|http|fetch|requests?)"
    r"|(python|java|node|ruby|perl|php|go|rust|dart|kotlin|msal|openid|oauth)[_.-].*",
    re.IGNORECASE,
)

# No markup, and no version that stands alone.
_PRODUCT = re.compile(r"(?!v\d)([^\W\d_][\w.+-]*)(?![\w.+-]|[=<>])(?:/v?(\d[\w.]*))?")
_COMMENT = re.compile(r"\([^()]*\)")


class DeviceDescription(NamedTuple):
    """A product (`Chrome`, `NebulaTV 4.2`) and the device or system; empty if unknown."""

    product: str
    system: str

    @classmethod
    def of(cls, stored: str) -> "DeviceDescription":
        """Read what `stored` has written."""
        product, _, system = stored.partition(_SEPARATOR)
        return cls(product, system)

    @property
    def stored(self) -> str:
        """The description as a text of at most DESCRIPTION_BYTES, empty if nothing is known."""
        return f"{self.product}{_SEPARATOR}{self.system}" if self.system else self.product


def describe(user_agent: str) -> DeviceDescription:
    """Read a User-Agent of any length and content."""
    return _described(user_agent[:_READ])


@lru_cache(maxsize=_REMEMBERED)
def _described(user_agent: str) -> DeviceDescription:
    text = " ".join(user_agent.split())
    device = _first(_DEVICES, text)
    system = device or _first(_SYSTEMS, text)
    if text.startswith(("Mozilla/", "Opera/")):
        embedding = _EMBEDDING.search(text)
        if embedding is not None:
            return DeviceDescription(_product(embedding[1] or embedding[2]), system)
        return DeviceDescription("" if device else _first(_BROWSERS, text), system)
    return DeviceDescription(_product(_COMMENT.sub(" ", text), besides=device), system)


def _first(table: tuple[tuple[str, str], ...], text: str) -> str:
    return next((name for pattern, name in table if re.search(pattern, text)), "")


def _product(text: str, besides: str = "") -> str:
    """Choose the first product in `text` that is no library, and not the device `besides` again."""
    for token in text.split():
        found = _PRODUCT.match(token)
        if found is None or found[1].lower() in _LIBRARIES or _LIBRARY.fullmatch(found[1]):
            continue
        name = _TOOLS.get(found[1], found[1])
        if besides and _first(_DEVICES, name):
            continue
        version = ".".join((found[2] or "").split(".")[:3])[:10]
        words = f"{name.encode()[:24].decode(errors='ignore')} {version}".strip()
        return words.encode()[:_PRODUCT_BYTES].decode(errors="ignore").strip()
    return ""
