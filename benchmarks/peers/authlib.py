"""Authlib, from PyPI, in a Flask application of one file, on SQLAlchemy and PostgreSQL."""

from benchmarks.peers.peer import Endpoints, Peer
from benchmarks.peers.postgres import TOOLS
from benchmarks.peers.wsgi import THREADS, Application

NAME, VERSION = "authlib", "1.9.6"
SITE = Application(
    NAME,
    (f"Authlib=={VERSION}", "Flask==3.1.3", "Flask-SQLAlchemy==3.1.1", "SQLAlchemy==2.1.9"),
    "authlib_site.py",
    Endpoints("/device_authorization", "/token", "client_id=tv", "openid profile"),
)
PEER = Peer(
    name=NAME,
    title="Authlib (Flask, PostgreSQL)",
    version=VERSION,
    licence="BSD-3-Clause",
    made_for=(
        "A library for Python that has the protocols, for clients and for servers of any "
        "framework. Tables, look-ups and pages are the application's."
    ),
    store="PostgreSQL, default durability",
    per_poll=(
        "Reads the client and the grant, as the application here does it. It writes nothing: "
        "whether to slow down is the application's question."
    ),
    settings=(
        "Flask 3.1.3, SQLAlchemy 2.1.9 with a pool, gunicorn 27.0.1 with one process and "
        f"{THREADS} threads; an application of 150 lines, which is what a user of the library "
        "writes"
    ),
    tools=TOOLS,
    ready=SITE.ready,
    get=SITE.get,
    serve=SITE.serve,
)
