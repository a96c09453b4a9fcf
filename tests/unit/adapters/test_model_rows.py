"""Rows of model calls that were written before traces were kept are read as they were meant."""

import json
import sqlite3
from dataclasses import replace
from pathlib import Path

from interlock.adapters.sql import open_store
from interlock.domain.ids import ModelCallId
from tests.contracts.model_samples import a_model_record
from tests.contracts.samples import ACME


async def test_a_row_without_a_trace_and_without_vendors_is_a_call_that_has_none(tmp_path: Path) -> None:
    file = tmp_path / "store.db"
    record = a_model_record()
    store = await open_store(f"sqlite:///{file}")
    await store.transact(lambda tx: tx.models.add(record))
    await store.close()
    with sqlite3.connect(file) as database:
        (written,) = database.execute("SELECT body FROM model_calls").fetchone()
        body = json.loads(written)
        *older, _trace, _parent = body
        older[3] = [fields[:8] for fields in older[3]]
        database.execute("UPDATE model_calls SET body = ?", (json.dumps(older).encode(),))
    database.close()

    again = await open_store(f"sqlite:///{file}")
    found = await again.read(lambda tx: tx.models.find(ACME, ModelCallId("mc-1")))
    await again.close()

    attempts = tuple(replace(one, after_ms=0, vendor="") for one in record.attempts)
    assert found == replace(record, call=replace(record.call, trace="", parent_span=""), attempts=attempts)
