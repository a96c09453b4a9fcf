"""The keys that sign the audit log: files that Interlock makes, or a secret that it is given."""

import asyncio
from pathlib import Path

from interlock.adapters.keys.private_files import check_private, create, move, read
from interlock.audit.notes import SignerKey, parse_signer_key
from interlock.audit.ports import KeyRing
from interlock.domain.errors import ConfigurationError, InterlockError
from interlock.gateway.ports import Secrets

PRESENT, NEXT = "audit.key", "audit.key.next"


class KeyFiles(KeyRing):
    """Files in the state folder. Every process of the machine reads them anew, so a change of key reaches all of them."""

    def __init__(self, folder: Path) -> None:
        """Keep keys in `folder`, which is made with the first one."""
        self._folder = folder

    async def keys(self) -> tuple[SignerKey, ...]:
        return await asyncio.to_thread(self._keys)

    async def begin(self, name: str) -> SignerKey:
        return await asyncio.to_thread(self._made, PRESENT, name)

    async def prepare(self, name: str) -> SignerKey:
        return await asyncio.to_thread(self._made, NEXT, name)

    async def promote(self) -> None:
        await asyncio.to_thread(self._promote)

    def _keys(self) -> tuple[SignerKey, ...]:
        found = (self._key(PRESENT), self._key(NEXT))
        return tuple(key for key in found if key is not None)

    def _key(self, file: str) -> SignerKey | None:
        path = self._folder / file
        check_private(path)
        content = read(path)
        return None if content is None else _parsed(content.decode(errors="replace"), str(path))

    def _made(self, file: str, name: str) -> SignerKey:
        create(self._folder / file, f"{SignerKey.new(name).secret_text()}\n".encode())
        # Another process may have been first.
        key = self._key(file)
        if key is None:
            raise ConfigurationError(f"The key {self._folder / file} went away", do="Find out who deletes files there")
        return key

    def _promote(self) -> None:
        # The former key goes: it could only sign another history, in which it was never changed.
        if self._key(NEXT) is not None:
            move(self._folder / NEXT, self._folder / PRESENT)


class GivenKeys(KeyRing):
    """A reference to a secret, which somebody else keeps; while the key is being changed, a second one."""

    def __init__(self, secrets: Secrets, reference: str, following: str | None = None) -> None:
        """Resolve `reference`, and `following` for the next key, at each use."""
        self._secrets = secrets
        self._reference = reference
        self._following = following

    async def keys(self) -> tuple[SignerKey, ...]:
        references = (self._reference,) if self._following is None else (self._reference, self._following)
        return tuple([await self._key(reference) for reference in references])

    async def begin(self, name: str) -> SignerKey:
        return _named(await self._key(self._reference), name, self._reference)

    async def prepare(self, name: str) -> SignerKey:
        if self._following is None:
            raise ConfigurationError(
                "The next key is not given",
                why=f"the present one is {self._reference}, and Interlock does not keep it",
                do="interlock audit rotate --to REFERENCE; interlock audit key makes one",
            )
        return _named(await self._key(self._following), name, self._following)

    async def promote(self) -> None:
        """Nothing: whoever keeps the keys sets `audit.key` to the next one."""

    async def _key(self, reference: str) -> SignerKey:
        return _parsed(await self._secrets.resolve(reference), reference)


def _parsed(text: str, where: str) -> SignerKey:
    try:
        return parse_signer_key(text)
    except InterlockError as error:
        raise ConfigurationError(
            f"The signing key of the audit log cannot be used: {where}",
            why=f"{error.what.lower()}{f' ({error.why})' if error.why else ''}",
            do="Restore it; interlock audit key makes a new one, and interlock audit rotate brings it into use",
        ) from None


def _named(key: SignerKey, name: str, where: str) -> SignerKey:
    if key.name != name:
        raise ConfigurationError(
            f"The signing key {where} is of another log",
            why=f"it is named {key.name}, and this log {name}",
            do=f"Set audit.origin to {key.name}, or make a key for {name}: interlock audit key",
        )
    return key
