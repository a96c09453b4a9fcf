"""The audit log of a deployment, built: what places, what signs, and what is asked about it."""

from dataclasses import dataclass

from interlock.adapters.keys import CheckpointFile, GivenKeys, KeyFiles
from interlock.adapters.secrets.resolver import SecretResolver
from interlock.audit.ports import KeyRing
from interlock.config import Deployment
from interlock.domain.errors import BadInput
from interlock.gateway.audit_desk import AuditDesk
from interlock.gateway.audit_log import Log, Sequencer, Signer, Watchman
from interlock.gateway.ports import Clock, Secrets
from interlock.gateway.store import Store


@dataclass(frozen=True, slots=True)
class AuditWork:
    """What keeps the log going, and its use cases."""

    watchman: Watchman
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


def build_audit(deployment: Deployment, store: Store, secrets: Secrets, clock: Clock) -> AuditWork:
    """Return the audit log of `deployment`. Nothing is read or written yet."""
    kept = deployment.keeping.audit
    state = deployment.folder / deployment.keeping.state
    ring: KeyRing = KeyFiles(state) if kept.key is None else GivenKeys(secrets, kept.key)
    origin = kept.origin or f"interlock/{deployment.tenant}"
    log = Log(store, ring, CheckpointFile(state), origin)
    watchman = Watchman(Sequencer(store), Signer(log), kept.every_ms)
    return AuditWork(watchman, AuditDesk(log, watchman, deployment.tenant, clock))
