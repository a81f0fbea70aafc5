"""Flask with Authlib's device grant, in one file, on SQLAlchemy and PostgreSQL.

Authlib brings the protocol; the tables and the look-ups are the application's. The environment has
DATABASE_URL. `python authlib_site.py` makes the tables and the public client.
"""

import os
import time

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.integrations.sqla_oauth2 import (
    OAuth2ClientMixin,
    OAuth2TokenMixin,
    create_query_client_func,
    create_save_token_func,
)
from authlib.oauth2.rfc8628 import (
    DEVICE_CODE_GRANT_TYPE,
    DeviceAuthorizationEndpoint,
    DeviceCodeGrant,
    DeviceCredentialMixin,
)
from flask import Flask, Response
from flask_sqlalchemy import SQLAlchemy

application = Flask(__name__)
application.config["SQLALCHEMY_DATABASE_URI"] = os.environ["DATABASE_URL"].replace(
    "postgresql://", "postgresql+psycopg://"
)
database = SQLAlchemy(application)


class Client(database.Model, OAuth2ClientMixin):
    """A client, with the columns that Authlib wants."""

    id = database.Column(database.Integer, primary_key=True)


class Token(database.Model, OAuth2TokenMixin):
    """A token, with the columns that Authlib wants."""

    id = database.Column(database.Integer, primary_key=True)
    user_id = database.Column(database.String(40))


class DeviceCredential(database.Model, DeviceCredentialMixin):
    """A pending grant. `approved`: None before the decision."""

    device_code = database.Column(database.String(60), primary_key=True)
    user_code = database.Column(database.String(20), unique=True)
    client_id = database.Column(database.String(48))
    scope = database.Column(database.Text)
    expires_at = database.Column(database.Integer)
    user_id = database.Column(database.String(40))
    approved = database.Column(database.Boolean)

    def get_client_id(self) -> str:
        """Return the client that it belongs to."""
        return self.client_id

    def get_scope(self) -> str:
        """Return what was asked for."""
        return self.scope

    def get_user_code(self) -> str:
        """Return the code that a person types."""
        return self.user_code

    def is_expired(self) -> bool:
        """Return whether its time is over."""
        return self.expires_at < time.time()


class Endpoint(DeviceAuthorizationEndpoint):
    """The device authorization endpoint."""

    EXPIRES_IN = 3600

    def get_verification_uri(self) -> str:
        """Return where people type codes."""
        return "http://127.0.0.1/activate"

    def save_device_credential(self, client_id: str, scope: str, data: dict) -> None:
        """Store a new pending grant."""
        database.session.add(
            DeviceCredential(
                device_code=data["device_code"],
                user_code=data["user_code"],
                client_id=client_id,
                scope=scope,
                expires_at=int(time.time()) + data["expires_in"],
            )
        )
        database.session.commit()


class Grant(DeviceCodeGrant):
    """The device code grant."""

    def query_device_credential(self, device_code: str) -> DeviceCredential | None:
        """Find a grant by its device code."""
        return database.session.get(DeviceCredential, device_code)

    def query_user_grant(self, user_code: str) -> tuple[str, bool] | None:
        """Find the decision of a person. The session has read the row of this poll already."""
        credential = (
            self.request.credential
            or database.session.execute(
                database.select(DeviceCredential).filter_by(user_code=user_code)
            ).scalar_one()
        )
        return None if credential.approved is None else (credential.user_id, credential.approved)

    def should_slow_down(self, _: DeviceCredential) -> bool:
        """Judge no pace: the library leaves it to the application, and this costs least."""
        return False


server = AuthorizationServer(
    application,
    query_client=create_query_client_func(database.session, Client),
    save_token=create_save_token_func(database.session, Token),
)
server.register_endpoint(Endpoint)
server.register_grant(Grant)


@application.post("/device_authorization")
def device_authorization() -> Response:
    """Start a grant."""
    return server.create_endpoint_response(Endpoint.ENDPOINT_NAME)


@application.post("/token")
def token() -> Response:
    """Answer a poll."""
    return server.create_token_response()


if __name__ == "__main__":
    with application.app_context():
        database.create_all()
        client = Client(client_id="tv", client_id_issued_at=int(time.time()))
        client.set_client_metadata(
            {
                "client_name": "Living-room TV",
                "token_endpoint_auth_method": "none",
                "grant_types": [DEVICE_CODE_GRANT_TYPE],
                "scope": "openid profile",
            }
        )
        database.session.add(client)
        database.session.commit()
