"""Closed days as Parquet files, by tenant, written and read by DuckDB (the extra `analytics`)."""

from interlock.adapters.parquet.archive import ParquetArchive
from interlock.adapters.parquet.database import installed

__all__ = ["ParquetArchive", "installed"]
