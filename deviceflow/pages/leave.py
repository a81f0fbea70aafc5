"""Leave for another server: a provider at which the person signs in or out.

This is no redirect. Browsers hold every redirect after a form to `form-action` of the page with the
form, also those that the provider makes on its way. A page that leads on by itself begins a
navigation of its own. It works without a script, and a link is there for browsers that do not.
"""

from aiohttp import web

from deviceflow.pages.render import render


def leave(request: web.Request, address: str, name: str) -> web.Response:
    """Answer with a page that leads to `address`, https:// or on loopback; `name`: whose it is."""
    return render(request, "leave.html", {"address": address, "name": name})
