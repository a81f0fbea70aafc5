# ruff: noqa: INP001, E402, S106, a script that needs its settings before Django's modules
"""Django with django-oauth-toolkit's device flow, in one file, with SQLite.

`python site_of_one_file.py` makes the database, the person ada and two public clients.
"""

from pathlib import Path

import django
from django.conf import settings

BACKEND = "django.template.backends.django.DjangoTemplates"
PROCESSORS = (
    "django.template.context_processors.request",
    "django.contrib.auth.context_processors.auth",
)

settings.configure(
    SECRET_KEY="only for tests on this machine",
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=[
        "django.contrib.admin",
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.sessions",
        "django.contrib.messages",
        "oauth2_provider",
    ],
    MIDDLEWARE=[
        "django.middleware.security.SecurityMiddleware",
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
        "django.middleware.clickjacking.XFrameOptionsMiddleware",
    ],
    TEMPLATES=[
        {
            "BACKEND": BACKEND,
            "APP_DIRS": True,
            "OPTIONS": {
                "context_processors": [
                    *PROCESSORS,
                    "django.contrib.messages.context_processors.messages",
                ]
            },
        }
    ],
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": Path(__file__).with_name("db.sqlite3"),
        }
    },
    LOGIN_URL="/admin/login/",
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    OAUTH2_PROVIDER={
        "SCOPES": {"openid": "Identity", "profile": "Profile", "offline_access": "Stay"},
        "OAUTH_DEVICE_VERIFICATION_URI": "http://127.0.0.1:8802/o/device",
        "DEVICE_FLOW_INTERVAL": 5,
    },
)
django.setup()

from django.contrib import admin
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.urls import include, path

urlpatterns = [
    path("o/", include("oauth2_provider.urls", namespace="oauth2_provider")),
    path("admin/", admin.site.urls),
]
application = get_wsgi_application()

if __name__ == "__main__":
    from django.contrib.auth.models import User
    from oauth2_provider.models import Application

    call_command("migrate", verbosity=0)
    ada = User.objects.create_superuser("ada", "ada@example.com", "secret")
    for client_id in ("tv", "other"):
        Application.objects.create(
            client_id=client_id,
            name=client_id,
            user=ada,
            client_type="public",
            authorization_grant_type="urn:ietf:params:oauth:grant-type:device_code",
        )
