"""Whether the log has grown from what a place outside knows of it."""

from interlock.audit.checkpoints import Checkpoint
from interlock.audit.ports import Prover
from interlock.audit.tree import verify_consistency
from interlock.domain.errors import InterlockError, SigningStopped


async def check_growth(known: Checkpoint, ours: Checkpoint, prove: Prover, where: str) -> None:
    """Return if one of the two checkpoints is a beginning of the other; else raise SigningStopped.

    The known one may be the larger: another machine of the deployment was quicker.
    """
    older, newer = sorted((known, ours), key=lambda one: one.size)
    try:
        proof = await prove(older.size, newer.size) if older.size else ()
        if older.size:
            verify_consistency(older.size, newer.size, proof, older.root, newer.root)
    except InterlockError as error:
        raise conflict(where, known.size, str(error)) from None


def conflict(where: str, size: int, why: str) -> SigningStopped:
    """Return the error of a place that knows of another history."""
    return SigningStopped(
        f"{where} knows a log of {size} entries that this one has not grown from",
        why=f"a backup was restored, or the log was rewritten ({why})",
        do="Find out which, and restore the whole log; a witness never forgets: a log that lost entries needs a new audit.origin",
    )
