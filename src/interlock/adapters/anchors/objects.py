"""A bucket with object lock: each checkpoint is a new object, which nobody can replace or delete."""

from interlock.adapters.anchors.growth import check_growth
from interlock.adapters.anchors.http import HttpPlace
from interlock.audit.checkpoints import read_checkpoint
from interlock.audit.ports import AnchorPlace, Prover
from interlock.domain.errors import MalformedProof
from interlock.gateway.ports import Secrets

_KEPT = frozenset({200, 201, 204})
_THERE = frozenset({409, 412})
_HEADERS = {
    "content-type": "text/plain; charset=utf-8",
    # Never in place of an object that is there; the second says the same to Google's, the third makes an object of Azure's.
    "if-none-match": "*",
    "x-goog-if-generation-match": "0",
    "x-ms-blob-type": "BlockBlob",
}


class ObjectAnchor(AnchorPlace):
    """Objects named after the size of the tree, so that they list in order."""

    def __init__(self, url: str, secrets: Secrets, credential: str | None) -> None:
        """Put objects below `url`."""
        self._url = url.rstrip("/")
        self._place = HttpPlace(f"object store {self._url.partition('?')[0]}", secrets, credential)

    @property
    def name(self) -> str:
        return self._place.name

    async def publish(self, size: int, note: bytes, prove: Prover) -> tuple[str, ...]:
        url = f"{self._url}/{size:020d}.checkpoint"
        status, _ = await self._place.send("PUT", url, note, _HEADERS)
        if status in _KEPT:
            return ()
        if status not in _THERE:
            raise self._place.unavailable(f"it answered {status}")
        status, there = await self._place.send("GET", url)
        if status != 200:
            raise self._place.unavailable(f"an object of this size is there, and cannot be read: {status}")
        try:
            known = read_checkpoint(there)
        except MalformedProof as error:
            raise self._place.unavailable(f"an object is there that is no checkpoint: {error}") from None
        await check_growth(known, read_checkpoint(note), prove, f"The {self.name}")
        return ()
