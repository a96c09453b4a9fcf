"""The operations of one configured OpenAPI document, as offers."""

import asyncio
from pathlib import Path

from interlock.adapters.openapi.document import MAX_BYTES, read_document
from interlock.adapters.openapi.importer import Import, offers_of
from interlock.domain.errors import ConfigurationError
from interlock.tools.offers import Offer


class OpenApiSource:
    """Reads its document again only when the file has changed, so that a refresh costs nothing in between."""

    def __init__(
        self, connection: str, document: Path, *, include: tuple[str, ...] = (), exclude: tuple[str, ...] = ()
    ) -> None:
        """`include` and `exclude` name operations, `*` standing for any characters; an empty `include` means all."""
        self._connection = connection
        self._document = document
        self._include = include
        self._exclude = exclude
        self._version = (-1, -1)
        self._import = Import((), ())

    @property
    def name(self) -> str:
        """The connection's name in the configuration."""
        return self._connection

    @property
    def problems(self) -> tuple[str, ...]:
        """A sentence for each operation that was left out at the last reading."""
        return self._import.problems

    async def offers(self) -> tuple[Offer, ...]:
        """Return an offer for each operation wanted. Raises ConfigurationError for a document that cannot be read."""
        await asyncio.to_thread(self._read)
        return self._import.offers

    def _read(self) -> None:
        try:
            known = self._document.stat()
            version = (known.st_mtime_ns, known.st_size)
            if version == self._version:
                return
            with self._document.open("rb") as file:
                text = file.read(MAX_BYTES + 1)
        except OSError as error:
            raise ConfigurationError(
                f"The OpenAPI document {self._document} of '{self._connection}' cannot be read",
                why=error.strerror or type(error).__name__,
                do="Check the path",
            ) from None
        document = read_document(text, str(self._document))
        self._import = offers_of(document, self._connection, self._include, self._exclude)
        self._version = version
