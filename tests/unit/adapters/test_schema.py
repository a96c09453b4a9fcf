"""A database that is up to date is opened without what migrates."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

from interlock.adapters.sql import open_store
from interlock.adapters.sql.tables import JOURNAL, SPANS, Tables

OPENED = """
import asyncio, sys
from interlock.adapters.sql import open_store
async def main():
    await (await open_store(sys.argv[1])).close()
asyncio.run(main())
print("alembic" in sys.modules)
"""


async def _opened(url: str) -> None:
    await (await open_store(url)).close()


@pytest.mark.parametrize("tables", [JOURNAL, SPANS])
def test_the_newest_step_is_the_one_that_is_looked_for(tables: Tables) -> None:
    config = Config()
    config.set_main_option("script_location", tables.script)
    assert ScriptDirectory.from_config(config).get_heads() == [tables.head]


def test_a_database_that_is_up_to_date_is_opened_without_the_migrations(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/gate.db"
    asyncio.run(_opened(url))
    again = subprocess.run([sys.executable, "-c", OPENED, url], capture_output=True, text=True, check=True)
    assert again.stdout.strip() == "False"
