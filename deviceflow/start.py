"""The preparation of the store, once, before the workers start."""

import time

import structlog

from deviceflow.config import Settings
from deviceflow.core.clients import Clients, algorithms_of
from deviceflow.core.signing_key import signing_key_of
from deviceflow.core.store_owner import is_trial
from deviceflow.parts import Secrets
from deviceflow.reload import open_signing_keys
from deviceflow.signing.keys import new_key
from deviceflow.store.clients import StoredClients
from deviceflow.store.envelope import NO_ENVELOPE, Envelope
from deviceflow.store.installation import Installation
from deviceflow.store.opening import connect
from deviceflow.store.owner import note_issuer
from deviceflow.store.survey import survey

log = structlog.get_logger()


async def prepare(settings: Settings, redis_url: str, envelope: Envelope = NO_ENVELOPE) -> Secrets:
    """Read the secrets, or make them at the first start. Log what is wrong with the store.

    May raise StoreSetupError and StoreUnavailable.
    """
    connection = connect(settings, redis_url)
    try:
        report = await survey(connection, time.time)
        findings = report.findings(
            is_embedded=settings.redis.url is None, confirming=connection.durability.replicas
        )
        for finding in findings:
            log.warning("store.finding", finding=finding)
        installation = await Installation.open(connection, envelope)
        if await note_issuer(connection, settings.issuer_url):
            if not is_trial(settings.issuer_url):
                log.info("store.owned", issuer=settings.issuer_url)
            await installation.take_changes(connection)
        _warn_if_unsealed(installation)
        clients = Clients(settings.clients)
        stored_clients = StoredClients(connection)
        stored = await stored_clients.all()
        clients.adopt(stored)
        await stored_clients.mend_names()
        _warn_without_clients(settings, clients)
        signing_keys = open_signing_keys(settings, connection, installation, time.time)
        keys = await signing_keys.live_keys()
        for algorithm in algorithms_of(clients, settings.tokens.algorithm):
            if signing_key_of(keys, algorithm) is None:
                keys = await signing_keys.add_first(new_key(algorithm, int(time.time())))
        return Secrets(installation, keys, stored)
    finally:
        await connection.close()


def _warn_if_unsealed(installation: Installation) -> None:
    if installation.envelope.can_seal and not installation.is_sealed:
        log.warning(
            "keys.not_sealed",
            consequence="the keys in the store are not sealed, though there is an envelope key",
            remedy="deviceflow keys seal, once all hosts have the envelope key",
        )


def _warn_without_clients(settings: Settings, clients: Clients) -> None:
    if not settings.registration.enabled and not any(client.enabled for client in clients):
        log.warning(
            "clients.none_enabled",
            consequence="no device can ask for a code",
            remedy="deviceflow clients add, or [[clients]] in the file",
        )
