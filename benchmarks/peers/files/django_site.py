"""Django with django-oauth-toolkit's device grant, in one file, on PostgreSQL.

The environment has DATABASE_PORT and DATABASE_USER. `python django_site.py` makes the tables and
the public client.
"""

import os

import django
from django.conf import settings

settings.configure(
    SECRET_KEY="only for benchmarks on loopback",
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=[
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.sessions",
        "oauth2_provider",
    ],
    MIDDLEWARE=[
        "django.middleware.security.SecurityMiddleware",
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
    ],
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "HOST": "127.0.0.1",
            "PORT": os.environ["DATABASE_PORT"],
            "NAME": os.environ["DATABASE_USER"],
            "USER": os.environ["DATABASE_USER"],
            # By default, each request opens a connection of its own.
            "CONN_MAX_AGE": None,
        }
    },
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    LOGGING_CONFIG=None,
    OAUTH2_PROVIDER={
        "SCOPES": {"openid": "Identity", "profile": "Profile", "offline_access": "Stay"},
        "OAUTH_DEVICE_VERIFICATION_URI": "http://127.0.0.1/o/device",
        "DEVICE_FLOW_INTERVAL": 1,
    },
)
django.setup()

from django.core.management import call_command  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.urls import include, path  # noqa: E402

urlpatterns = [path("o/", include("oauth2_provider.urls", namespace="oauth2_provider"))]
application = get_wsgi_application()

if __name__ == "__main__":
    from oauth2_provider.models import Application

    call_command("migrate", verbosity=0)
    Application.objects.create(
        client_id="tv",
        name="Living-room TV",
        client_type="public",
        authorization_grant_type="urn:ietf:params:oauth:grant-type:device_code",
    )
