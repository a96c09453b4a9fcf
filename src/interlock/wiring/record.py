"""The audit log of a deployment, built: what places, what signs, and what is asked about it."""

from dataclasses import dataclass
from pathlib import Path

from interlock.adapters.anchors import FileAnchor, ObjectAnchor, WitnessAnchor
from interlock.adapters.keys import CheckpointFile, GivenKeys, KeyFiles
from interlock.adapters.secrets.resolver import SecretResolver
from interlock.audit.ports import AnchorPlace, KeyRing
from interlock.config import Deployment
from interlock.config.keeping import Anchor
from interlock.domain.errors import BadInput, ConfigurationError, MalformedProof
from interlock.gateway.audit_anchors import Anchored, Anchorer
from interlock.gateway.audit_desk import AuditDesk
from interlock.gateway.audit_log import Log, Sequencer, Signer, Watchman
from interlock.gateway.ports import Clock, Notifier, Secrets
from interlock.gateway.store import Store


@dataclass(frozen=True, slots=True)
class AuditWork:
    """What keeps the log going, and its use cases."""

    watchman: Watchman
    anchorer: Anchorer
    desk: AuditDesk


def ring_to(deployment: Deployment, reference: str) -> KeyRing:
    """Return the keys of a change: the deployment's own, and as the next one what `reference` leads to."""
    secrets = SecretResolver(folder=deployment.folder)
    kept = deployment.keeping.audit
    if kept.key is None:
        raise BadInput(
            "Interlock makes and keeps the keys of this log itself", do="Leave out --to, or set audit.key first"
        )
    return GivenKeys(secrets, kept.key, reference)


def build_audit(deployment: Deployment, store: Store, secrets: Secrets, clock: Clock, notifier: Notifier) -> AuditWork:
    """Return the audit log of `deployment`. Nothing is read or written yet."""
    kept = deployment.keeping.audit
    state = deployment.folder / deployment.keeping.state
    ring: KeyRing = KeyFiles(state) if kept.key is None else GivenKeys(secrets, kept.key)
    origin = kept.origin or f"interlock/{deployment.tenant}"
    log = Log(store, ring, CheckpointFile(state), origin)
    watchman = Watchman(Sequencer(store), Signer(log), kept.every_ms, notifier)
    places = [Anchored(_place(one, deployment.folder, secrets), one.every_ms / 1_000) for one in kept.anchors]
    anchorer = Anchorer(store, places, watchman)
    return AuditWork(watchman, anchorer, AuditDesk(log, watchman, anchorer, deployment.tenant, clock))


def _place(anchor: Anchor, folder: Path, secrets: Secrets) -> AnchorPlace:
    if anchor.kind == "file":
        return FileAnchor(folder / anchor.where)
    if anchor.kind == "object":
        return ObjectAnchor(anchor.where, secrets, anchor.credential)
    try:
        return WitnessAnchor(anchor.where, anchor.key, secrets, anchor.credential)
    except MalformedProof as error:
        raise ConfigurationError(
            "The key of a witness is not a verifier key", why=str(error), do="Copy it from the witness: NAME+ID+KEY"
        ) from None
