"""The store under test, once in memory, once on SQLite, once on PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from interlock.adapters.keys import GivenKey
from interlock.adapters.memory import MemoryStore
from interlock.adapters.sql import open_store
from interlock.gateway.store import Store

KEY = GivenKey(bytes(range(32)))
"""Wraps the keys under which the databases of these tests keep everything that was said."""
DATABASES = ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)]


@pytest.fixture(params=DATABASES)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'store.db'}"
    return str(request.getfixturevalue("postgres_dsn"))


@pytest.fixture(params=["memory", *DATABASES])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty store of each kind."""
    match request.param:
        case "memory":
            return "memory"
        case "sqlite":
            return f"sqlite:///{tmp_path / 'store.db'}"
        case _:
            return str(request.getfixturevalue("postgres_dsn"))


@pytest.fixture
async def store(address: str) -> AsyncIterator[Store]:
    """An empty store."""
    opened = MemoryStore() if address == "memory" else await open_store(address, KEY)
    yield opened
    await opened.close()


@pytest.fixture
def desk(address: str) -> Iterator[tuple[asyncio.Runner, Store]]:
    """An empty store and the loop to use it in, for tests that Hypothesis drives."""
    with asyncio.Runner() as runner:
        opened = MemoryStore() if address == "memory" else runner.run(open_store(address, KEY))
        yield runner, opened
        runner.run(opened.close())
