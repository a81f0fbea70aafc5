"""django-oauth-toolkit, from PyPI, in a Django site of one file, on PostgreSQL."""

from benchmarks.peers.peer import Endpoints, Peer
from benchmarks.peers.postgres import TOOLS
from benchmarks.peers.wsgi import THREADS, Application

NAME, VERSION = "django-oauth-toolkit", "3.4.1"
SITE = Application(
    NAME,
    # With oauthlib 4, its device endpoint answers 500.
    (f"django-oauth-toolkit=={VERSION}", "oauthlib==3.3.1", "Django==5.2.19"),
    "django_site.py",
    Endpoints(
        "/o/device-authorization/", "/o/token/", "client_id=tv", "openid profile offline_access"
    ),
)
PEER = Peer(
    name=NAME,
    title="django-oauth-toolkit (PostgreSQL)",
    version=VERSION,
    licence="BSD-2-Clause",
    made_for=(
        "An application for Django: a site that has its people there already becomes an "
        "authorization server, with Django's own models and administration pages."
    ),
    store="PostgreSQL, default durability",
    per_poll=(
        "Reads the row of the device grant. It writes nothing: its source has slow_down as open "
        "work."
    ),
    settings=(
        f"Django 5.2.19, oauthlib 3.3.1, gunicorn 27.0.1 with one process and {THREADS} threads, "
        "connections to the database kept (CONN_MAX_AGE)"
    ),
    tools=TOOLS,
    ready=SITE.ready,
    get=SITE.get,
    serve=SITE.serve,
)
