"""Resolve references to secrets at the last moment; a secret never stands in a message."""

import asyncio
import importlib
import os
import stat
from collections.abc import Mapping
from pathlib import Path

from interlock.domain.errors import ToolUnavailable
from interlock.gateway.ports import Secrets

_LARGEST = 1 << 16


class SecretResolver(Secrets):
    """Resolves `env:NAME`, `file:PATH` and `keyring:SERVICE/NAME`, anew at every call: a rotated secret is seen."""

    def __init__(self, environment: Mapping[str, str] | None = None, folder: Path | None = None) -> None:
        """`environment` stands for the process's own; relative files are looked for in `folder`."""
        self._environment = os.environ if environment is None else environment
        self._folder = folder if folder is not None else Path()

    async def resolve(self, reference: str) -> str:
        source, _, name = reference.partition(":")
        if source == "env" and name:
            secret = self._environment.get(name)
            if not secret:
                raise _missing(
                    reference, f"the variable {name} is not set", "Set it where Interlock is started, and start it anew"
                )
        elif source == "file" and name:
            secret = await asyncio.to_thread(_read_file, self._folder / name, reference)
        elif source == "keyring" and name.partition("/")[2]:
            secret = await asyncio.to_thread(_read_keyring, name, reference)
        else:
            # What is not a reference may be the secret itself, put there by mistake: it is not repeated.
            raise ToolUnavailable(
                "A credential is not a reference to a secret", do="Use env:NAME, file:PATH or keyring:SERVICE/NAME"
            )
        if not secret:
            raise _missing(reference, "nothing is stored there", "Put the secret there and call again")
        return secret


def _read_file(path: Path, reference: str) -> str:
    try:
        # Not blocking: the path may be a pipe that nobody writes to.
        with open(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb") as file:  # noqa: PTH123
            # The open file is asked, not the path, which could be another file by now.
            known = os.fstat(file.fileno())
            if not stat.S_ISREG(known.st_mode):
                raise _missing(reference, "it is not a regular file", "Name a file")
            if os.name == "posix" and known.st_mode & (stat.S_IRWXO | stat.S_IWGRP):
                raise _missing(reference, "others than its owner may read or change it", "Run chmod 600 on it")
            content = file.read(_LARGEST + 1)
    except OSError as error:
        raise _missing(reference, error.strerror or "it cannot be read", "Check the path and its owner") from None
    if len(content) > _LARGEST:
        raise _missing(reference, f"it is larger than {_LARGEST} bytes", "Name a file that holds one secret")
    try:
        return content.decode().strip()
    except UnicodeDecodeError:
        raise _missing(reference, "it is not text", "Name a file that holds one secret") from None


def _read_keyring(name: str, reference: str) -> str | None:
    try:
        keyring, errors = importlib.import_module("keyring"), importlib.import_module("keyring.errors")
    except ImportError:  # the extra 'keyring' is not installed
        raise _missing(reference, "the keyring package is not installed", "Install interlock[keyring]") from None
    service, _, user = name.partition("/")
    try:
        secret: str | None = keyring.get_password(service, user)
    except errors.KeyringError as error:
        raise _missing(reference, type(error).__name__, "Unlock the keyring of this account") from None
    return secret


def _missing(reference: str, why: str, do: str) -> ToolUnavailable:
    return ToolUnavailable(f"The credential {reference} cannot be had", why=why, do=do)
