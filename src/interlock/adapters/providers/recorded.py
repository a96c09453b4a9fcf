"""A provider that plays recorded conversations from files, in every wire format."""

import asyncio
import gzip
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import orjson

from interlock.adapters.providers.local import JSON, SSE, LocalAnswer, object_in, reply_pieces, request_in
from interlock.domain.canonical import JsonObject
from interlock.domain.errors import ConfigurationError, MalformedJson, ModelRefused, UnknownModel
from interlock.domain.models import Dialect, Usage
from interlock.models.counting import Count, part_tokens, request_tokens
from interlock.models.ports import Answer, Operation, Outbound, Provider
from interlock.models.recorded import Conversation, Rates, Recordings, conversation_of, reply_of
from interlock.models.wire import Wire

LABEL: Final = "recording"
"""The key under the request's `metadata` that names a conversation."""
HEADER: Final = "x-interlock-recording"
"""The header that does."""


class RecordedProvider(Provider):
    """Answers as models once did. Speaks whatever it is asked in. Files are read when the first question comes."""

    def __init__(
        self,
        name: str,
        files: Sequence[Path],
        wires: Mapping[Dialect, Wire],
        count: Count,
        rates: Mapping[str, Rates] | None = None,
    ) -> None:
        """`files` hold a record per line, as JSON, gzipped where their name ends in .gz. `count` tells the tokens of a
        text, for replies whose usage was not recorded; `rates`, by recorded model, what its record leaves out.
        """
        self._name = name
        self._files = tuple(files)
        self._wires = wires
        self._count = count
        self._rates = rates or {}
        self._recordings: Recordings | None = None
        self._reading = asyncio.Lock()

    @property
    def name(self) -> str:
        return self._name

    def speaks(self, dialect: Dialect) -> Dialect:
        return dialect

    async def open(self, outbound: Outbound, dialect: Dialect) -> Answer:
        wire = self._wires[dialect]
        try:
            if outbound.operation is not Operation.REPLY:
                raise ModelRefused(f"The provider '{self._name}' has recorded conversations only")
            request = request_in(wire, outbound, self._name)
            names = _names(outbound, object_in(outbound.body, self._name))
            spoken, name = (await self._loaded()).next_reply(request, names)
        except (ModelRefused, UnknownModel) as error:
            return LocalAnswer(error.status, JSON, (orjson.dumps(wire.write_error(error)),))
        usage = spoken.usage or Usage(
            input=request_tokens(request, self._count),
            output=sum(part_tokens(part, self._count) for part in spoken.parts),
        )
        reply = reply_of(spoken, name, request.model, usage)
        return LocalAnswer(200, SSE if request.stream else JSON, reply_pieces(wire, reply, request))

    async def models(self) -> tuple[str, ...]:
        """Return the shortest sufficient label of every conversation. Raises ModelRefused for a file that cannot be read."""
        return (await self._loaded()).labels

    async def close(self) -> None:
        """Nothing to let go of."""

    async def _loaded(self) -> Recordings:
        async with self._reading:
            if self._recordings is None:
                self._recordings = await asyncio.to_thread(self._read)
            return self._recordings

    def _read(self) -> Recordings:
        try:
            return Recordings(one for file in self._files for one in conversations_in(file, self._rates))
        except ConfigurationError as error:
            raise ModelRefused(
                f"The provider '{self._name}' has nothing to play: {error.what}", why=error.why, do=error.do
            ) from None


def conversations_in(file: Path, rates: Mapping[str, Rates]) -> Iterator[Conversation]:
    """Yield the conversations in `file`. Raises ConfigurationError, which names the line."""
    try:
        raw = file.read_bytes()
        text = gzip.decompress(raw) if file.suffix == ".gz" else raw
    except (OSError, EOFError, zlib.error) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else "it is not gzip"
        raise ConfigurationError(f"The recordings in {file} cannot be read", why=why) from None
    for number, line in enumerate(text.splitlines(), 1):
        try:
            record = orjson.loads(line)
            if not isinstance(record, dict):
                raise MalformedJson("A line is no JSON object")
            yield conversation_of(record, rates)
        except (orjson.JSONDecodeError, MalformedJson) as error:
            why = f"line {number}: {error}"
            raise ConfigurationError(f"The recordings in {file} cannot be read", why=why) from None


def _names(outbound: Outbound, body: JsonObject) -> tuple[str, ...]:
    metadata = body.get("metadata")
    label = metadata.get(LABEL) if isinstance(metadata, dict) else None
    found = (outbound.headers.get(HEADER), label, outbound.model, body.get("model"))
    return tuple(name for name in found if isinstance(name, str))
