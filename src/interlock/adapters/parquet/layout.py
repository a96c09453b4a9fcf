"""Where files stand and what their columns are: `TENANT/2026-11-21/spans-1.parquet`, `runs-1.parquet`."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

SPANS = "spans"
RUNS = "runs"
KINDS = (SPANS, RUNS)
COLUMNS = {
    SPANS: {
        "tenant": "VARCHAR",
        "trace_id": "VARCHAR",
        "span_id": "VARCHAR",
        "parent_id": "VARCHAR",
        "run": "VARCHAR",
        "workflow": "VARCHAR",
        "user_id": "VARCHAR",
        "source": "VARCHAR",
        "category": "VARCHAR",
        "kind": "VARCHAR",
        "name": "VARCHAR",
        "status": "VARCHAR",
        "message": "VARCHAR",
        "start_ns": "BIGINT",
        "end_ns": "BIGINT",
        "attributes": "JSON",
        "events": "JSON",
        "links": "JSON",
    },
    RUNS: {
        "tenant": "VARCHAR",
        "trace_id": "VARCHAR",
        "run": "VARCHAR",
        "session": "VARCHAR",
        "workflow": "VARCHAR",
        "user_id": "VARCHAR",
        "state": "VARCHAR",
        "outcome": "VARCHAR",
        "started_at": "BIGINT",
        "ended_at": "BIGINT",
        "model_calls": "BIGINT",
        "tool_calls": "BIGINT",
        "failed_calls": "BIGINT",
        "denied": "BIGINT",
        "held": "BIGINT",
        "escalated": "BIGINT",
        "near_misses": "BIGINT",
        "input_tokens": "BIGINT",
        "output_tokens": "BIGINT",
        "cost_nano_usd": "BIGINT",
        "spans": "BIGINT",
        "errors": "BIGINT",
        "reported_input_tokens": "BIGINT",
        "reported_output_tokens": "BIGINT",
        "reported_cost_nano_usd": "BIGINT",
        "part": "BIGINT",
    },
}
"""Of each kind of file: names and DuckDB's types. Instants are milliseconds since the epoch, `_ns` nanoseconds."""

# A run may stand in several parts, when something came late: the last one counts.
VIEWS = {
    SPANS: """
        SELECT *, make_timestamp_ns(start_ns) AS began, (end_ns - start_ns) / 1e6 AS duration_ms
        FROM read_parquet({files}, union_by_name = true)
    """,
    RUNS: """
        SELECT * EXCLUDE (part), make_timestamp(started_at * 1000) AS began, ended_at - started_at AS duration_ms,
            CASE WHEN cost_nano_usd > 0 THEN cost_nano_usd ELSE reported_cost_nano_usd END / 1e9 AS cost_usd
        FROM read_parquet({files}, union_by_name = true)
        QUALIFY row_number() OVER (PARTITION BY trace_id, run ORDER BY part DESC) = 1
    """,
}
"""What queries see."""


def tenant_folder(folder: Path, tenant: str) -> Path:
    """Return where the files of a tenant stand; no tenant's name leads anywhere else."""
    return folder / (quote(tenant, safe="").replace(".", "%2E") or "%00")


def part_file(folder: Path, tenant: str, day: int, kind: str, part: int) -> Path:
    """Return where a part of a day stands."""
    name = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=day)).strftime("%Y-%m-%d")
    return tenant_folder(folder, tenant) / name / f"{kind}-{part}.parquet"


def day_of(file: Path) -> int:
    """Return the day since the epoch in whose folder a file stands."""
    return (datetime.strptime(file.parent.name, "%Y-%m-%d").replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)).days


def files_of(folder: Path, tenant: str, kind: str) -> list[Path]:
    """Return the files of a tenant, the oldest day first."""
    return sorted(tenant_folder(folder, tenant).glob(f"????-??-??/{kind}-*.parquet"))
