"""With the rights that the documentation gives, Interlock keeps its log and cannot change what is in it."""

from __future__ import annotations

import re
from pathlib import Path

import psycopg
import pytest
from psycopg import conninfo

from interlock.adapters.keys import CheckpointFile, KeyFiles
from interlock.adapters.sql import open_store
from interlock.audit.checkpoints import read_checkpoint
from interlock.gateway.audit_log import Log, Sequencer, Signer
from tests.contracts.samples import an_event

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "audit.md"


async def test_a_role_with_the_documented_rights_can_add_and_can_change_nothing(
    postgres_dsn: str, tmp_path: Path
) -> None:
    (grants,) = re.findall(r"```sql\n(.*?)```", PAGE.read_text(), re.DOTALL)
    name = f"app_{str(conninfo.conninfo_to_dict(postgres_dsn)['dbname'])[-12:]}"
    store = await open_store(postgres_dsn)
    await store.close()
    with psycopg.connect(postgres_dsn, autocommit=True) as owner:
        owner.execute(grants.replace("interlock_app", name).replace("LOGIN", "LOGIN PASSWORD 'app'").encode())
        try:
            own = re.sub(r"://[^@]*@", f"://{name}:app@", postgres_dsn)
            store = await open_store(own)
            note = None
            for number in range(3):
                await store.transact(lambda tx, number=number: tx.audit.append(an_event(f"e{number}")))  # type: ignore[misc]
                await Sequencer(store).place()
                note = await Signer(Log(store, KeyFiles(tmp_path), CheckpointFile(tmp_path), "x")).sign()
            assert read_checkpoint(note or b"").size == 3
            await store.transact(lambda tx: tx.log.keep_checkpoint(3, (note or b"") + b"\xe2\x80\x94 witness AAAA\n"))
            await store.close()
            for statement in (
                "DELETE FROM audit_events",
                "UPDATE audit_events SET leaf = ''",
                "ALTER TABLE audit_events DISABLE TRIGGER ALL",
                "TRUNCATE audit_checkpoints",
                "UPDATE audit_keys SET vkey = ''",
                "DELETE FROM audit_tiles",
            ):
                with psycopg.connect(own) as app, pytest.raises(psycopg.errors.InsufficientPrivilege):
                    app.execute(statement.encode())
        finally:
            owner.execute(f"DROP OWNED BY {name}".encode())
            owner.execute(f"DROP ROLE {name}".encode())
