"""Use cases around the audit log: its checkpoint, proofs, tiles, its keys, and what to do after a break."""

import base64
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace

from interlock.audit.checkpoints import read_checkpoint
from interlock.audit.export import Target
from interlock.audit.notes import VerifierKey
from interlock.audit.ports import KeyRing, LogEntry, LogKey
from interlock.audit.proofs import LogProof, prove
from interlock.audit.tiles import Bundle, Tile, bundle_bytes, is_in_tree, parse_tile_path, tile_bytes
from interlock.audit.tree import Frontier
from interlock.audit.verifying import Verdict
from interlock.domain.audit import AuditKind
from interlock.domain.canonical import parse_json
from interlock.domain.errors import Conflict, Forbidden, InterlockError, SigningStopped, UnknownRecord
from interlock.domain.identity import Principal, Role
from interlock.domain.ids import ModelCallId, TenantId
from interlock.gateway import audit_export
from interlock.gateway.audit_anchors import Anchored, Anchorer
from interlock.gateway.audit_log import Log, Sequencer, Signer, Standing, Watchman, check_continuity, complete, grow
from interlock.gateway.ports import Clock
from interlock.gateway.record_check import RecordReport, check_records
from interlock.gateway.store import Tx
from interlock.gateway.trail import event

MOST_PROVED = 1_000
"""How many entries one question proves at most."""
_DIGITS = 18
"""No index has more."""


@dataclass(frozen=True, slots=True)
class LogStanding:
    """How the log stands."""

    note: bytes | None
    """The latest signed checkpoint; None while there is none."""
    keys: tuple[LogKey, ...]
    """The keys that have signed, in order."""
    size: int
    """How many events have a place; those beyond the checkpoint are signed with the next one."""
    waits: bool
    """Whether events wait for their places."""
    problem: InterlockError | None
    """Why nothing is signed at the moment, as far as this process knows."""


@dataclass(frozen=True, slots=True)
class ProvedEntry:
    """An entry of the log with its proof."""

    entry: LogEntry
    proof: LogProof
    """Holds the entry itself, so that one file is all that a verifier needs besides the key."""


class AuditDesk:
    """What auditors ask of the log, and what operators do to it."""

    def __init__(self, log: Log, watchman: Watchman, anchorer: Anchorer, tenant: TenantId, clock: Clock) -> None:
        """Work on `log`, which belongs to the deployment of `tenant`."""
        self._log = log
        self._watchman = watchman
        self._anchorer = anchorer
        self._tenant = tenant
        self._clock = clock

    @property
    def origin(self) -> str:
        """The name of the log."""
        return self._log.origin

    def problems(self) -> tuple[InterlockError, ...]:
        """Return why this process signs nothing, and which anchors do not get what it signs, at the moment."""
        against = (self._watchman.problem, self._watchman.stuck, *(one.problem for one in self._anchorer.places))
        return tuple(one for one in against if one is not None)

    async def standing(self, principal: Principal) -> LogStanding:
        """Return how the log stands. Raises Forbidden."""
        self._check_auditor(principal)

        def look(tx: Tx) -> LogStanding:
            log = tx.log
            return LogStanding(log.checkpoint(), log.keys(), log.size(), log.waits(), self._watchman.problem)

        return await self._log.store.read(look)

    async def sign(self, principal: Principal) -> bytes:
        """Place and sign all that has been recorded, now; return the checkpoint. Raises SigningStopped, Conflict, Forbidden."""
        self._check_auditor(principal)
        return await self._sign(self._log)

    async def anchor(self, principal: Principal) -> tuple[Anchored, ...]:
        """Carry the latest checkpoint to every anchor, now; return how each stands. Raises Forbidden."""
        self._check_auditor(principal)
        await self._anchorer.publish()
        return self._anchorer.places

    async def prove(self, principal: Principal, what: str) -> tuple[ProvedEntry, ...]:
        """Return the entries about `what`, proved under the latest checkpoint.

        `what` is an index, the id of an event, a run (with its calls), RUN/CALL, a model call, an approval, or any other subject.
        Raises Forbidden, UnknownRecord, Conflict while the latest checkpoint does not reach all of them.
        """
        self._check_auditor(principal)

        def look(tx: Tx) -> tuple[ProvedEntry, ...]:
            entries = _entries(tx, principal.tenant, what)
            if not entries:
                raise UnknownRecord(
                    f"Nothing with a place in the log is about '{what}'",
                    do="Name an event, RUN, RUN/CALL, a model call or an approval: interlock audit search finds them",
                )
            note = tx.log.checkpoint()
            if note is None or read_checkpoint(note).size <= entries[-1].index:
                raise Conflict(
                    "The latest checkpoint does not reach these entries yet",
                    why="they are signed with the next one",
                    do="Ask again in a second, or sign now: interlock audit checkpoint",
                )
            hashes_at = complete(tx.log)
            return tuple(ProvedEntry(one, prove(one.index, note, hashes_at, one.leaf)) for one in entries)

        return await self._log.store.read(look)

    async def tile(self, principal: Principal, path: str) -> bytes:
        """Return what lies at `path` (`tile/...` of C2SP tlog-tiles). Raises Forbidden, MalformedProof, UnknownRecord."""
        self._check_owner(principal)
        tile = parse_tile_path(path)

        def look(tx: Tx) -> bytes:
            note = tx.log.checkpoint()
            if note is None or not is_in_tree(tile, read_checkpoint(note).size):
                raise UnknownRecord(
                    "The tree of the latest checkpoint has no such tile", do="Ask for the checkpoint first"
                )
            return _content(tx, tile)

        return await self._log.store.read(look)

    async def export(self, principal: Principal, target: Target, told: Callable[[int], None]) -> int:
        """Write all that is recorded now to `target`; return how many entries. `told` hears how far it has come.

        Raises Forbidden, SigningStopped, Conflict while nothing is recorded.
        """
        self._check_owner(principal)
        return await audit_export.write(
            await audit_export.source_of(self._log, await self._sign(self._log)), target, told
        )

    async def export_chunks(self, principal: Principal) -> AsyncIterator[bytes]:
        """Return the bytes of a ZIP archive of the log up to the latest checkpoint. Raises as `export` does."""
        self._check_owner(principal)
        note = await self._log.store.read(lambda tx: tx.log.checkpoint())
        return audit_export.chunks(await audit_export.source_of(self._log, note or await self._sign(self._log)))

    async def verify(self, principal: Principal, keys: tuple[str, ...], kept: tuple[bytes, ...]) -> Verdict:
        """Return what the verifier says of the log as it is in the store, held against the keys and checkpoints given.

        Our own kept checkpoint always counts, and our own key where none is given. Raises Forbidden, Conflict.
        """
        self._check_owner(principal)
        note = await self._log.store.read(lambda tx: tx.log.checkpoint())
        source = await audit_export.source_of(self._log, note or await self._sign(self._log))
        own = await self._log.memory.load()
        told = keys or tuple(str(key.verifier) for key in await self._log.keys.keys())
        return await audit_export.verify_source(source, told, kept if own is None else (*kept, own))

    async def check_records(self, principal: Principal) -> RecordReport:
        """Return what of the tenant's records is not what the log says of it. Raises Forbidden."""
        self._check_auditor(principal)
        return await check_records(self._log.store, principal.tenant)

    async def rotate(self, principal: Principal, ring: KeyRing | None = None) -> tuple[bytes, str]:
        """Change the key; return the checkpoint that both keys signed, and the new verifier key.

        A change that was interrupted is completed. `ring` takes the place of the deployment's own keys: the present and the next.
        Raises Forbidden, SigningStopped, ConfigurationError.
        """
        _check_admin(principal)
        log = self._log if ring is None else replace(self._log, keys=ring)
        await self._sign(log)
        following = await log.keys.prepare(log.origin)
        vkey = str(following.verifier)

        def change(tx: Tx) -> None:
            known = tx.log.keys()
            if known[-1].vkey == vkey:
                return
            if any(one.vkey == vkey for one in known):
                raise Conflict("The new key has signed this log before", do="Take a fresh one: interlock audit key")
            told = event(
                principal.tenant,
                AuditKind.LOG_KEY_ROTATED,
                self._clock.now(),
                principal.id,
                vkey,
                {"former": known[-1].vkey},
            )
            tx.audit.append(told)
            _place_all(tx)
            placed = tx.log.find_event(principal.tenant, told.id)
            if placed is None or not tx.log.keep_key(LogKey(placed.index, vkey)):
                raise Conflict("Another change of the key is under way", do="Try again")

        await log.store.transact(change)
        note = await self._sign(log)
        await log.keys.promote()
        return note, vkey

    async def resume(self, principal: Principal, because: str) -> tuple[bytes, str]:
        """Accept that the tree is no growth of what this machine has signed, on the record; sign again.

        Returns the new checkpoint and where the former one lies. Raises Forbidden, Conflict where nothing is broken,
        SigningStopped where the database contradicts itself: that is not to be accepted.
        """
        _check_admin(principal)
        await Sequencer(self._log.store).place()
        kept = await self._log.memory.load()
        signer = Signer(self._log)
        standing = await signer.standing(kept)
        check_continuity(standing, None, self.origin)
        if kept is None or _continues(standing, kept, self.origin):
            raise Conflict("Nothing is broken", why="the tree has grown from the last checkpoint", do="Go on")
        body = {
            "because": because,
            "found": {"root": _text(standing.present.root), "size": standing.present.size},
            "kept": {"root": _text(read_checkpoint(kept).root), "size": read_checkpoint(kept).size},
        }
        told = event(principal.tenant, AuditKind.LOG_RESUMED, self._clock.now(), principal.id, self.origin, body)
        await self._log.store.transact(lambda tx: tx.audit.append(told))
        aside = await self._log.memory.put_aside()
        return await self._sign(self._log), aside

    async def verifiers(self) -> tuple[VerifierKey, ...]:
        """Return the public halves of the keys at hand."""
        return tuple(key.verifier for key in await self._log.keys.keys())

    async def _sign(self, log: Log) -> bytes:
        await Sequencer(log.store).place()
        note = await Signer(log).sign()
        if note is None:
            raise Conflict("There is nothing to sign", why="nothing has been recorded yet", do="Make a call first")
        return note

    def _check_auditor(self, principal: Principal) -> None:
        if not principal.may(Role.AUDITOR):
            raise Forbidden("The audit log is for auditors to see", do="Use a key with the role `auditor` or `admin`")

    def _check_owner(self, principal: Principal) -> None:
        self._check_auditor(principal)
        if principal.tenant != self._tenant:
            raise Forbidden("The whole log is for its owner to see", why="it holds the events of every tenant")


def subjects_of(tx: Tx, tenant: TenantId, what: str) -> tuple[str, ...]:
    """Return the subjects that `what` may stand for: itself, what a run and its calls are called, where a model call stands."""
    found = tx.models.find(tenant, ModelCallId(what)) if what.startswith("mc_") else None
    if found is not None and found.call.run is not None:
        return (f"{tenant}/{found.call.run}/{what}",)
    # Calls stand there as tenant/run/call: who asks for a run means its calls too.
    return (f"{tenant}/{what}", what)


def _entries(tx: Tx, tenant: TenantId, what: str) -> tuple[LogEntry, ...]:
    if what.isascii() and what.isdigit():
        if len(what) > _DIGITS:
            return ()
        return tuple(one for one in tx.log.entries(int(what), 1) if parse_json(one.leaf)["tenant"] == tenant)
    if what.startswith("evt_"):
        found = tx.log.find_event(tenant, what)
        return () if found is None else (found,)
    entries = {one.index: one for subject in subjects_of(tx, tenant, what) for one in tx.log.find(tenant, subject)}
    if len(entries) > MOST_PROVED:
        raise Conflict(f"More than {MOST_PROVED} entries are about '{what}'", do="Export the log instead")
    return tuple(entries[index] for index in sorted(entries))


def _content(tx: Tx, tile: Tile | Bundle) -> bytes:
    if isinstance(tile, Tile):
        return tile_bytes(tile, complete(tx.log))
    return bundle_bytes(one.leaf for one in tx.log.entries(tile.first, tile.width))


def _place_all(tx: Tx) -> None:
    frontier = Frontier()
    while tx.log.waits():
        frontier, _ = grow(tx.log, frontier)


def _continues(standing: Standing, kept: bytes, origin: str) -> bool:
    try:
        check_continuity(standing, kept, origin)
    except SigningStopped:
        return False
    return True


def _text(root: bytes) -> str:
    return base64.b64encode(root).decode()


def _check_admin(principal: Principal) -> None:
    if not principal.may(Role.ADMIN):
        raise Forbidden("The keys and the course of the audit log are for admins to change")
