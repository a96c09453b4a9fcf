"""The archive: what is written, asked, erased and let go of, tenant by tenant."""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from interlock.adapters.parquet.database import at_most, database, driver, listed, lock, quoted, said
from interlock.adapters.parquet.layout import KINDS, RUNS, SPANS, VIEWS, day_of, files_of, tenant_folder
from interlock.adapters.parquet.writing import ParquetPart, replaced
from interlock.domain.errors import BadInput, StoreUnavailable
from interlock.domain.ids import RunId, TenantId
from interlock.traces.ports import Answer, PartWriter, SpanArchive

DAY_MS = 86_400_000
QUERY_S = 60
"""How long a query may take."""
_PLAIN = (str, int, float, bool)


class ParquetArchive(SpanArchive):
    """Files in one folder, a folder of each tenant's own in it."""

    def __init__(self, folder: Path) -> None:
        """`folder` is made when something is written."""
        self._folder = folder.resolve()

    def part(self, tenant: TenantId, day: int, number: int) -> PartWriter:
        try:
            return ParquetPart(self._folder, tenant, day, number)
        except OSError as error:
            raise StoreUnavailable(
                "The archive cannot be written", why=str(error), do="Check the folder that traces.archive names"
            ) from None

    def query(self, tenant: TenantId, sql: str, limit: int) -> Answer:
        with database() as connection:
            for kind in KINDS:
                files = files_of(self._folder, tenant, kind)
                if not files:
                    raise BadInput(
                        "The archive is empty",
                        why="no day of this tenant was archived yet",
                        do="interlock traces archive",
                    )
                connection.execute(f"CREATE VIEW {kind} AS {VIEWS[kind].format(files=listed(files))}")
            lock(connection, tenant_folder(self._folder, tenant))
            try:
                _check_select(connection, sql)
                with at_most(QUERY_S, connection):
                    found = connection.execute(sql)
                    columns = tuple(str(column[0]) for column in found.description or ())
                    rows = found.fetchmany(limit + 1)
            except driver().InterruptException:
                raise BadInput(
                    "The query takes too long",
                    why=f"the limit is {QUERY_S} seconds",
                    do="Ask for fewer days or columns",
                ) from None
            except driver().Error as error:
                raise BadInput("The query cannot be answered", why=said(error), do=_VIEWS) from None
        shown = tuple(tuple(map(_plain, row)) for row in rows[:limit])
        return Answer(columns, shown, cut=len(rows) > limit)

    def beside(self, tenant: TenantId, user: str, runs: Sequence[RunId]) -> frozenset[RunId]:
        traces = self._traces(tenant, _named(user, runs))
        files = files_of(self._folder, tenant, RUNS) if traces else []
        if not files:
            return frozenset()
        source = f"read_parquet({listed(files)}, union_by_name = true)"
        with database() as connection:
            rows = connection.execute(
                f"FROM {source} SELECT DISTINCT run WHERE run <> '' AND trace_id IN ({_texts(traces)})"
            ).fetchall()
        return frozenset(RunId(run) for (run,) in rows)

    def erase(self, tenant: TenantId, user: str, runs: Sequence[RunId]) -> int:
        traces = self._traces(tenant, _named(user, runs))
        if not traces:
            return 0
        theirs = f"trace_id IN ({_texts(traces)})"
        spans = _touched(files_of(self._folder, tenant, SPANS), theirs)
        for file in spans:
            replaced(file, _rows(file, f"NOT {theirs}"))
        names = ", ".join(f"CASE WHEN {theirs} THEN '' ELSE {name} END AS {name}" for name in ("user_id", "session"))
        for file in _touched(files_of(self._folder, tenant, RUNS), f"{theirs} AND (user_id <> '' OR session <> '')"):
            replaced(file, _rows(file, "true", f"* REPLACE ({names})"))
        return sum(spans.values())

    def expire(self, tenant: TenantId, before: int, keep_runs: frozenset[str]) -> int:
        kept = self._traces(tenant, f"run IN ({_texts(sorted(keep_runs))})") if keep_runs else ()
        held = f"trace_id IN ({_texts(kept)})"
        gone = 0
        for kind in KINDS:
            files = [file for file in files_of(self._folder, tenant, kind) if (day_of(file) + 1) * DAY_MS <= before]
            stays = _touched(files, held) if kept else {}
            for file in _touched(list(stays), f"NOT {held}"):
                replaced(file, _rows(file, held))
            for file in files:
                if file not in stays:
                    file.unlink()
                    gone += 1
                    if not any(file.parent.iterdir()):
                        file.parent.rmdir()
        return gone

    def _traces(self, tenant: TenantId, named: str) -> tuple[str, ...]:
        """Return the traces in which a row says `named`."""
        found: set[str] = set()
        for kind in KINDS:
            files = files_of(self._folder, tenant, kind)
            if files:
                with database() as connection:
                    source = f"read_parquet({listed(files)}, union_by_name = true)"
                    rows = connection.execute(f"FROM {source} SELECT DISTINCT trace_id WHERE {named}").fetchall()
                found.update(trace for (trace,) in rows)
        return tuple(sorted(found))


_VIEWS = "Write one SELECT over the views `spans` and `runs`; DESCRIBE spans tells their columns"


def _check_select(connection: Any, sql: str) -> None:  # noqa: ANN401 - DuckDB's
    """Return if `sql` is one statement that only reads. Raises BadInput."""
    statements = connection.extract_statements(sql)
    if len(statements) != 1 or statements[0].type is not driver().StatementType.SELECT:
        raise BadInput("Only one SELECT can be asked", why="the archive is read and never written this way", do=_VIEWS)


def _touched(files: list[Path], condition: str) -> dict[Path, int]:
    """Return how many rows of each file meet `condition`, where any does."""
    if not files:
        return {}
    source = f"read_parquet({listed(files)}, union_by_name = true, filename = true)"
    with database() as connection:
        rows = connection.execute(f"FROM {source} SELECT filename, count(*) WHERE {condition} GROUP BY 1").fetchall()
    return {Path(name): int(count) for name, count in rows}


def _named(user: str, runs: Sequence[RunId]) -> str:
    return f"(user_id = {quoted(user)} AND user_id <> '') OR (run <> '' AND run IN ({_texts(runs)}))"


def _rows(file: Path, condition: str, what: str = "*") -> str:
    return f"FROM read_parquet({quoted(file)}) SELECT {what} WHERE {condition}"


def _texts(values: Sequence[str]) -> str:
    return ", ".join(map(quoted, values)) or "NULL"


def _plain(value: object) -> object:
    if value is None or isinstance(value, _PLAIN):
        return value
    if isinstance(value, Decimal):
        return float(value)
    return value.isoformat() if isinstance(value, datetime | date) else str(value)
