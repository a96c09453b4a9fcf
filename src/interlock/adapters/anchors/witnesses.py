"""A witness (c2sp.org/tlog-witness): it signs a checkpoint once it has seen the proof that the log only grew."""

import base64
import re

from interlock.adapters.anchors.growth import conflict
from interlock.adapters.anchors.http import HttpPlace
from interlock.audit.notes import open_note, parse_verifier_key
from interlock.audit.ports import AnchorPlace, Prover
from interlock.domain.errors import InterlockError
from interlock.gateway.ports import Secrets

_SIZE = re.compile(rb"(0|[1-9][0-9]{0,18})\n", re.ASCII)
_REFUSALS = {
    403: "it trusts none of the keys that signed the checkpoint: tell its operator the log's verifier key",
    404: "it does not know this log: tell its operator origin and verifier key",
}


class WitnessAnchor(AnchorPlace):
    """Remembers how far the witness has seen the log, and learns it from the witness itself."""

    def __init__(self, url: str, key: str, secrets: Secrets, credential: str | None) -> None:
        """Ask the witness at `url`, whose signatures `key` verifies. Raises MalformedProof for a key that is none."""
        self._key = parse_verifier_key(key)
        self._url = f"{url.rstrip('/')}/add-checkpoint"
        self._place = HttpPlace(f"witness {self._key.name}", secrets, credential)
        self._seen = 0

    @property
    def name(self) -> str:
        return self._place.name

    async def publish(self, size: int, note: bytes, prove: Prover) -> tuple[str, ...]:
        status, answer = await self._add(self._seen, size, note, prove)
        if status == 409 and (found := _SIZE.fullmatch(answer)) and int(found[1]) != self._seen:
            self._seen = int(found[1])
            if self._seen > size:
                # Ahead of us, as another machine of the deployment may have been: then the log has that many entries.
                await self._check_reached(size, prove)
                return ()
            status, answer = await self._add(self._seen, size, note, prove)
        if status in {409, 422}:
            raise conflict(f"The {self.name}", self._seen, f"it answered {status}")
        if status != 200:
            raise self._place.unavailable(_REFUSALS.get(status, f"it answered {status}"))
        self._seen = size
        return self._checked(note, answer)

    async def _add(self, old: int, size: int, note: bytes, prove: Prover) -> tuple[int, bytes]:
        proof = await prove(old, size) if 0 < old < size else ()
        lines = [f"old {old}", *(base64.b64encode(one).decode() for one in proof), "", ""]
        return await self._place.send("POST", self._url, "\n".join(lines).encode() + note)

    async def _check_reached(self, size: int, prove: Prover) -> None:
        try:
            await prove(size, self._seen)
        except InterlockError as error:
            raise conflict(f"The {self.name}", self._seen, str(error)) from None

    def _checked(self, note: bytes, answer: bytes) -> tuple[str, ...]:
        """Return the signature lines of the witness, if they are true; it is no anchor if they are not."""
        try:
            opened = open_note(note + answer, [self._key])
        except InterlockError as error:
            raise self._place.unavailable(
                f"its signature is not that of the key in the configuration: {error}"
            ) from None
        return tuple(str(signature) for _, signature in opened.signed_by)
