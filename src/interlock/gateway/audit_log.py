"""The audit log at work: events get their places, and what has a place is signed, unless history was changed."""

import asyncio
import logging
from dataclasses import dataclass

from interlock.audit.checkpoints import Checkpoint, open_checkpoint, read_checkpoint, sign_checkpoint
from interlock.audit.notes import SignerKey
from interlock.audit.ports import AuditLog, CheckpointMemory, KeyRing, LogKey
from interlock.audit.tree import EMPTY_ROOT, Frontier, HashesAt
from interlock.domain.errors import InterlockError, InternalError, SigningStopped
from interlock.gateway.ports import Notice, Notifier
from interlock.gateway.store import Store, Tx

BATCH = 2_000
"""The most events that get their places in one transaction."""
_PAUSE_S = 0.2
"""Between two looks for events that wait for their places."""
_LOOK_S = 10.0
"""Between two looks at a log that does not grow."""
_STOPPED_S = 5.0
"""Between two attempts to sign that fail."""
_LOG = logging.getLogger(__name__)


class Sequencer:
    """Gives events their places. Any number of processes may: one at a time does."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._frontier = Frontier()

    async def place(self) -> int:
        """Give a place to everything that waits now; return how many events that were."""
        placed = 0
        while await self._store.read(lambda tx: tx.log.waits()):
            grown, count = await self._store.transact(lambda tx: grow(tx.log, self._frontier))
            self._frontier = grown
            placed += count
            if count < BATCH:
                break
        return placed


def grow(log: AuditLog, known: Frontier) -> tuple[Frontier, int]:
    """Place one batch and record what it adds to the tree; return the tree's right edge and how many events it was.

    `known` spares reading that edge where nobody else has placed events since.
    """
    placed = log.place(BATCH)
    before = known if known.size == placed.first else Frontier.at(placed.first, complete(log))
    after, grown = before.extend(placed.hashes)
    for one in grown:
        log.keep_hashes(one.level, one.first, one.hashes)
    return after, len(placed.hashes)


def complete(log: AuditLog) -> HashesAt:
    """Return the hashes of `log`, of which none may be missing: a wrong root would be taken for a forged history."""

    def hashes_at(level: int, first: int, count: int) -> tuple[bytes, ...]:
        found = log.hashes(level, first, count)
        if len(found) != count:
            raise SigningStopped(
                "The tree of the audit log is incomplete",
                why=f"{count - len(found)} hashes of level {level} are missing from the database",
                do="Find out who changed the database, and restore it",
            )
        return found

    return hashes_at


@dataclass(frozen=True, slots=True)
class Standing:
    """What there is to sign, and what it has to agree with."""

    present: Checkpoint
    """Of the whole tree as it is."""
    latest: bytes | None
    """The latest signed note in the database."""
    keys: tuple[LogKey, ...]
    older: dict[int, bytes]
    """The roots that this tree had at the sizes that were asked for."""


@dataclass(frozen=True, slots=True)
class Log:
    """The log of a deployment, and where its memory lies."""

    store: Store
    keys: KeyRing
    memory: CheckpointMemory
    origin: str


class Signer:
    """Signs checkpoints, and nothing that is no growth of what was signed before."""

    def __init__(self, log: Log) -> None:
        self._log = log

    async def sign(self) -> bytes | None:
        """Return the signed checkpoint of what has a place now; None while nothing has.

        It is kept outside the database before anybody can see it. Raises SigningStopped where history was changed or the key
        is not at hand, StoreUnavailable.
        """
        log = self._log
        kept = await log.memory.load()
        standing = await self.standing(kept)
        if standing.present.size == 0 and kept is None and standing.latest is None:
            return None
        check_continuity(standing, kept, log.origin)
        begins = not standing.keys
        signers = await self._signers(standing)
        latest = standing.latest
        if latest is not None:
            _check_signature(latest, signers, await log.keys.keys())
            if read_checkpoint(latest).size == standing.present.size:
                await log.memory.keep(standing.present.size, latest)
                return latest
        note = sign_checkpoint(standing.present, *signers)
        await log.memory.keep(standing.present.size, note)

        def publish(tx: Tx) -> None:
            if begins and not tx.log.keep_key(LogKey(0, str(signers[0].verifier))):
                raise _foreign_key()
            tx.log.keep_checkpoint(standing.present.size, note)

        await log.store.transact(publish)
        return note

    async def standing(self, kept: bytes | None) -> Standing:
        """Return the tree as it is, with the roots that it had when `kept` and the latest checkpoint were signed."""
        origin = self._log.origin

        def look(tx: Tx) -> Standing:
            size, latest = tx.log.size(), tx.log.checkpoint()
            hashes_at = complete(tx.log)
            sizes = {read_checkpoint(note).size for note in (kept, latest) if note is not None}
            roots = {one: Frontier.at(one, hashes_at).root() for one in {*sizes, size} if one <= size}
            return Standing(Checkpoint(origin, size, roots[size]), latest, tx.log.keys(), roots)

        return await self._log.store.read(look)

    async def _signers(self, standing: Standing) -> tuple[SignerKey, ...]:
        at_hand = await self._log.keys.keys()
        if not standing.keys:
            # The log begins: only now, and never again, may a key be made.
            return (at_hand[0] if at_hand else await self._log.keys.begin(self._log.origin),)
        present = standing.keys[-1]
        needed = [present.vkey]
        signed = read_checkpoint(standing.latest).size if standing.latest is not None else 0
        if len(standing.keys) > 1 and signed <= present.since:
            # The first checkpoint that tells of the new key is signed by the old one too.
            needed.append(standing.keys[-2].vkey)
        found = {str(key.verifier): key for key in at_hand}
        if any(vkey not in found for vkey in needed):
            raise _key_missing(needed)
        return tuple(found[vkey] for vkey in reversed(needed))


def check_continuity(standing: Standing, kept: bytes | None, origin: str) -> None:
    """Return if the tree has grown from what was signed, as the database and our own memory have it; else SigningStopped."""
    present = standing.present
    for note, where in ((standing.latest, "the database"), (kept, "this machine")):
        if note is None:
            continue
        signed = read_checkpoint(note)
        if signed.origin != origin:
            raise SigningStopped(
                f"The audit log has another name than {origin}",
                why=f"the last checkpoint that {where} keeps is of {signed.origin}",
                do="Set audit.origin to that name, or give this deployment a database and a state folder of its own",
            )
        if signed.size > present.size:
            raise SigningStopped(
                f"The audit log has {present.size} entries and had {signed.size} when its last checkpoint was signed",
                why=f"entries are gone: a backup was restored, or rows were deleted ({where} keeps that checkpoint)",
                do=_LOOK,
            )
        if standing.older.get(signed.size, EMPTY_ROOT) != signed.root:
            raise SigningStopped(
                f"The first {signed.size} entries of the audit log are not those that were signed",
                why=f"a backup was restored and written to, or rows were changed ({where} keeps the checkpoint)",
                do=_LOOK,
            )


def _check_signature(latest: bytes, signers: tuple[SignerKey, ...], at_hand: tuple[SignerKey, ...]) -> None:
    try:
        open_checkpoint(latest, [key.verifier for key in (*signers, *at_hand)])
    except InterlockError:
        raise _foreign_key() from None


def _foreign_key() -> SigningStopped:
    return SigningStopped(
        "The last checkpoint of the audit log is not signed by a key of this machine",
        why="another machine signs with a key of its own, or somebody else has written into the database",
        do="Give all machines of the deployment the same key (audit.key), and look into who wrote it",
    )


def _key_missing(needed: list[str]) -> SigningStopped:
    return SigningStopped(
        "The key that signs the audit log is not here",
        why=f"checkpoints are signed with {' and '.join(needed)}, and none of the keys at hand is that one",
        do="Restore its file under `state`, or set audit.key; after `audit rotate` every machine needs the new key",
    )


_LOOK = "Find out which. Restore the whole log, or accept the break on the record: interlock audit resume --because ..."


class Watchman:
    """Keeps the log going in a process that serves: places, signs, and says when it cannot."""

    def __init__(self, sequencer: Sequencer, signer: Signer, every_ms: int, notifier: Notifier | None = None) -> None:
        """Sign every `every_ms` at most; `notifier` tells people when that has stopped."""
        self._notifier = notifier
        self._sequencer = sequencer
        self._signer = signer
        self._every_s = every_ms / 1_000
        self.stuck: InterlockError | None = None
        """Why events wait for their places; None while all is well."""
        self._working = False
        self.problem: InterlockError | None = None
        """Why nothing is signed at the moment; None while all is well."""
        self.doubt: InterlockError | None = None
        """What a place outside has against our history; while it stands, nothing is signed."""
        self.latest: bytes | None = None
        """The last checkpoint that this process has seen."""

    async def run(self) -> None:
        """Place and sign for ever. A store that is away for a while is not the end of it."""
        self._working = True
        now = asyncio.get_running_loop().time
        due, unsigned, looked = 0.0, True, 0.0
        while True:
            unsigned = await self.place() or unsigned
            # Others place too, and a backup may be restored at any time: it is looked at now and then in any case.
            if now() >= due and (unsigned or now() - looked >= _LOOK_S):
                unsigned = not await self.sign()
                looked = now()
                due = looked + (self._every_s if not unsigned else max(self._every_s, _STOPPED_S))
            await asyncio.sleep(_PAUSE_S)

    async def place(self) -> bool:
        """Place what waits; return whether there was any."""
        try:
            placed = await self._sequencer.place()
        except Exception as fault:  # noqa: BLE001 - whatever it is, it must not end the log in silence
            error = told(fault)
            if str(self.stuck) != str(error):
                _LOG.error("audit log: events wait for their places: %s", error)
            self.stuck = error
            return False
        self.stuck = None
        return placed > 0

    async def sign(self) -> bool:
        """Sign what has a place; return whether that could be done. What stands against it is told once."""
        try:
            if self.doubt is not None:
                raise self.doubt
            self.latest = await self._signer.sign()
        except Exception as fault:  # noqa: BLE001 - see above
            error = told(fault)
            if self.problem is None or str(self.problem) != str(error):
                _LOG.error("audit log: no checkpoints are signed: %s", error)
                if self._notifier is not None:
                    self._notifier.notify(Notice("alert", "platform", "audit log", str(error)))
            self.problem = error
            return False
        if self.problem is not None:
            _LOG.warning("audit log: checkpoints are signed again")
        self.problem = None
        return True

    async def finish(self) -> None:
        """Place and sign what came last, if this process has kept the log going."""
        if self._working:
            await self.place()
            await self.sign()


def told(fault: Exception) -> InterlockError:
    """Return `fault` as an error that can be shown; what is a fault of our own is logged whole."""
    if isinstance(fault, InterlockError):
        return fault
    _LOG.error("audit log: a fault in Interlock", exc_info=fault)
    return InternalError("The audit log does not go on", why=type(fault).__name__, do="Look into the log of the server")
