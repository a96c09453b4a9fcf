"""Write a part of a day: lines of JSON first, then Parquet in one step, put in its place when it is whole."""

import os
from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path
from typing import BinaryIO

import orjson

from interlock.adapters.parquet.database import database, quoted
from interlock.adapters.parquet.layout import COLUMNS, KINDS, RUNS, SPANS, part_file
from interlock.domain.ids import TenantId
from interlock.domain.spans import Span
from interlock.traces.ports import PartWriter, RunSummary


class ParquetPart(PartWriter):
    """Two files: the spans, and the sums of their runs."""

    def __init__(self, folder: Path, tenant: TenantId, day: int, number: int) -> None:
        self._tenant = tenant
        self._number = number
        self._files = {kind: part_file(folder, tenant, day, kind, number) for kind in KINDS}
        for file in self._files.values():
            file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lines: dict[str, BinaryIO] = {kind: _private(self._beside(kind)) for kind in KINDS}

    def spans(self, row: RunSummary, spans: Sequence[Span], users: Sequence[str] = ()) -> None:
        for span, user in zip_longest(spans, users):
            line = {
                "tenant": self._tenant,
                "trace_id": span.trace_id,
                "span_id": span.span_id,
                "parent_id": span.parent_id,
                "run": row.run or "",
                "workflow": row.workflow,
                "user_id": user or row.user,
                "source": "outside" if users else "interlock",
                "category": span.category,
                "kind": span.kind,
                "name": span.name,
                "status": span.status,
                "message": span.message,
                "start_ns": span.start_ns,
                "end_ns": span.end_ns,
                "attributes": span.attributes,
                "events": span.events,
                "links": span.links,
            }
            self._write(SPANS, line)

    def sums(self, row: RunSummary) -> None:
        line = {name: getattr(row, name) for name in COLUMNS[RUNS] if name not in ("user_id", "part", "run")}
        self._write(RUNS, {**line, "run": row.run or "", "user_id": row.user, "part": self._number})

    def finish(self) -> None:
        for kind, lines in self._lines.items():
            lines.close()
            columns = ", ".join(f"{name}: '{type}'" for name, type in COLUMNS[kind].items())
            source = f"read_json({quoted(self._beside(kind))}, format = 'newline_delimited', columns = {{{columns}}})"
            replaced(self._files[kind], f"FROM {source}")
            self._beside(kind).unlink()

    def drop(self) -> None:
        for kind, lines in self._lines.items():
            lines.close()
            self._beside(kind).unlink(missing_ok=True)

    def _write(self, kind: str, line: object) -> None:
        self._lines[kind].write(orjson.dumps(line, default=dict, option=orjson.OPT_APPEND_NEWLINE))

    def _beside(self, kind: str) -> Path:
        return self._files[kind].with_suffix(".lines")


def replaced(file: Path, select: str) -> None:
    """Put what `select` finds in the place of `file`: whole, durably, and never half of it."""
    new = file.with_suffix(".new")
    _private(new).close()
    with database() as connection:
        connection.execute(f"COPY ({select}) TO {quoted(new)} (FORMAT parquet, COMPRESSION zstd)")
    with new.open("rb") as written:
        os.fsync(written.fileno())
    new.replace(file)
    _settle(file.parent)


def _settle(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _private(file: Path) -> BinaryIO:
    """Return `file`, empty, for its owner's eyes only."""
    return os.fdopen(os.open(file, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "wb")
