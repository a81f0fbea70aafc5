# ruff: noqa: INP001, a script
"""The pages that Ory Hydra leaves to its operator: the code, sign-in, consent, the end.

Run with the Python of deviceflow: `python pages.py`. It listens at 127.0.0.1:8808.
"""

from html import escape
from typing import Any

from aiohttp import ClientSession, web

ADMIN = "http://127.0.0.1:8807/admin/oauth2/auth/requests"
HEADERS = {"Content-Security-Policy": "frame-ancestors 'none'", "Cache-Control": "no-store"}

routes = web.RouteTableDef()


def page(body: str, status: int = 200) -> web.Response:
    """Make a page of HTML."""
    text = f"<!doctype html><title>Ory Hydra</title>{body}"
    return web.Response(text=text, content_type="text/html", status=status, headers=HEADERS)


def form(challenge: str, inputs: str) -> web.Response:
    """Make a page with a form. The challenge is what Hydra knows the request by."""
    return page(
        f'<form method="post"><input type="hidden" name="challenge" '
        f'value="{escape(challenge)}">{inputs}</form>'
    )


async def hydra(method: str, kind: str, action: str, challenge: str, body: Any = None) -> Any:  # noqa: ANN401
    """Ask Hydra's admin API, and return its answer. Raises HTTPBadRequest with a page."""
    address = f"{ADMIN}/{kind}{action}"
    async with (
        ClientSession() as session,
        session.request(
            method, address, params={f"{kind}_challenge": challenge}, json=body
        ) as response,
    ):
        answer = await response.json()
    if not response.ok:
        problem = escape(str(answer.get("error_hint") or answer.get("error")))
        raise web.HTTPBadRequest(text=f'<p id="refused">{problem}</p>', content_type="text/html")
    return answer


@routes.get("/device")
async def enter(request: web.Request) -> web.Response:
    """Ask for the code."""
    code = escape(request.query.get("user_code", ""))
    field = f'<input id="code" name="user_code" value="{code}"><button>Send</button>'
    return form(request.query.get("device_challenge", ""), field)


@routes.post("/device")
async def entered(request: web.Request) -> web.Response:
    """Give the code to Hydra."""
    sent = await request.post()
    body = {"user_code": str(sent["user_code"])}
    answer = await hydra("PUT", "device", "/accept", str(sent["challenge"]), body)
    raise web.HTTPSeeOther(answer["redirect_to"])


@routes.get("/login")
async def sign_in(request: web.Request) -> web.Response:
    """Ask who it is; whoever was remembered is not asked."""
    challenge = request.query["login_challenge"]
    known = await hydra("GET", "login", "", challenge)
    if known["skip"]:
        raise web.HTTPSeeOther(await accept_login(challenge, known["subject"]))
    fields = (
        '<input name="username"><input name="password" type="password"><button>Sign in</button>'
    )
    return form(challenge, fields)


@routes.post("/login")
async def signed_in(request: web.Request) -> web.Response:
    """Sign ada in."""
    sent = await request.post()
    if (sent["username"], sent["password"]) != ("ada", "secret"):
        return page("<p>Wrong name or password.</p>", 403)
    raise web.HTTPSeeOther(await accept_login(str(sent["challenge"]), "ada"))


async def accept_login(challenge: str, subject: str) -> str:
    """Tell Hydra who it is; return where the person goes."""
    body = {"subject": subject, "remember": True, "remember_for": 3600}
    answer = await hydra("PUT", "login", "/accept", challenge, body)
    return str(answer["redirect_to"])


@routes.get("/consent")
async def consent(request: web.Request) -> web.Response:
    """Ask whether the device may."""
    challenge = request.query["consent_challenge"]
    asked = await hydra("GET", "consent", "", challenge)
    scopes = escape(" ".join(asked["requested_scope"]))
    question = f"<p>{escape(asked['client']['client_id'])} asks for {scopes}</p>"
    buttons = "".join(
        f'<button name="choice" value="{choice}">{choice}</button>'
        for choice in ("approve", "deny")
    )
    return form(challenge, question + buttons)


@routes.post("/consent")
async def consented(request: web.Request) -> web.Response:
    """Tell Hydra the decision."""
    sent = await request.post()
    challenge = str(sent["challenge"])
    if sent["choice"] == "deny":
        body: dict[str, Any] = {"error": "access_denied", "error_description": "Denied."}
        answer = await hydra("PUT", "consent", "/reject", challenge, body)
    else:
        asked = await hydra("GET", "consent", "", challenge)
        body = {
            "grant_scope": asked["requested_scope"],
            "grant_access_token_audience": asked["requested_access_token_audience"],
        }
        answer = await hydra("PUT", "consent", "/accept", challenge, body)
    raise web.HTTPSeeOther(answer["redirect_to"])


@routes.get("/done")
async def done(_: web.Request) -> web.Response:
    """Show that the device is connected."""
    return page('<h1 id="done">Done</h1>')


@routes.get("/error")
async def error(request: web.Request) -> web.Response:
    """Show what Hydra does not like."""
    code = escape(request.query.get("error", ""))
    return page(f'<h1 id="error">{code}</h1>{escape(request.query.get("error_description", ""))}')


if __name__ == "__main__":
    app = web.Application()
    app.add_routes(routes)
    web.run_app(app, host="127.0.0.1", port=8808)
