"""The redactor of a deployment: what it knows by form, and every secret that the deployment itself uses."""

import importlib
import logging
import re
from collections.abc import Iterator, Mapping
from urllib.parse import unquote, urlsplit

from interlock.checks.known_secrets import SHORTEST
from interlock.checks.redactor import Recogniser, Redactor
from interlock.config import Deployment
from interlock.domain.errors import ConfigurationError, InterlockError
from interlock.gateway.ports import Secrets

_LOG = logging.getLogger(__name__)
_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


async def redactor_of(deployment: Deployment, secrets: Secrets, environ: Mapping[str, str]) -> Redactor:
    """Return the redactor that knows every secret of `deployment` that can be had now.

    A secret that is rotated while Interlock runs is known by its form only, until Interlock is started anew. Raises
    ConfigurationError for a secret under `redaction.secrets` that cannot be had, and for Presidio where it is not installed.
    """
    said = deployment.keeping.redaction
    known = [part for url in _urls(deployment, environ) for part in _passwords(url)]
    for reference in sorted({one for one in _references(deployment) if one}):
        try:
            known += _pieces(await secrets.resolve(reference))
        except InterlockError:
            # Whatever needs it says so when it is used.
            _LOG.debug("A credential cannot be had, so the redactor does not know it")
    for reference in said.secrets:
        known += _pieces(await _named(reference, secrets))
    return Redactor.of(known, said.keep, _recognisers(presidio=said.presidio))


async def _named(reference: str, secrets: Secrets) -> str:
    try:
        secret = await secrets.resolve(reference)
    except InterlockError as error:
        raise ConfigurationError(
            "A secret that must appear nowhere cannot be had",
            why=f"{reference}: {error.why}",
            do="Check redaction.secrets",
        ) from None
    if len(secret.strip()) < SHORTEST:
        raise ConfigurationError(
            "A secret is too short to be looked for",
            why=f"{reference} has fewer than {SHORTEST} characters, and would take ordinary words out of every text",
            do="Use a longer secret, or take it out of redaction.secrets",
        )
    return secret


def _pieces(secret: str) -> list[str]:
    """Return `secret`, and each of its lines: a file may hold several secrets, or a key that is framed."""
    lines = [line.strip() for line in secret.splitlines() if line.strip() and not line.startswith("-----")]
    return [secret, *lines] if len(lines) > 1 else [secret]


def _references(deployment: Deployment) -> Iterator[str | None]:
    for connection in deployment.connections:
        yield getattr(connection, "credential", None)
        yield from getattr(connection, "secrets", {}).values()
    for overlay in deployment.overlays:
        yield overlay.credential
    for provider in deployment.router.providers if deployment.router is not None else ():
        yield from (provider.credential, provider.access_key, provider.secret_key, provider.session_token)
    keeping = deployment.keeping
    yield keeping.audit.key
    yield keeping.encryption_key
    yield from (anchor.credential for anchor in keeping.audit.anchors)
    yield from (exporter.credential for exporter in keeping.traces.exporters)


def _urls(deployment: Deployment, environ: Mapping[str, str]) -> Iterator[str]:
    for url in (deployment.store, deployment.keeping.traces.store or ""):
        yield _REFERENCE.sub(lambda name: environ.get(name[1], ""), url)


def _passwords(url: str) -> Iterator[str]:
    try:
        password = urlsplit(url).password
    except ValueError:
        return
    if password:
        yield password
        yield unquote(password)


def _recognisers(*, presidio: bool) -> tuple[Recogniser, ...]:
    if not presidio:
        return ()
    try:
        # It weighs more than all the rest together.
        return (importlib.import_module("interlock.adapters.presidio").PresidioRecogniser().finds,)
    except ImportError:
        raise ConfigurationError(
            "Presidio is not installed",
            why="redaction.presidio is true",
            do="pip install presidio-analyzer && python -m spacy download en_core_web_sm, or take redaction.presidio out",
        ) from None
