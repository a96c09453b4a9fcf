"""`interlock` with a defect: spans are acknowledged before they are on disk. The test of killed servers must find it."""

import asyncio
from collections.abc import Sequence

from interlock.adapters.sql.traces.store import SqlSpanStore
from interlock.cli.app import main
from interlock.domain.ids import TenantId
from interlock.traces.ports import Receipt, SpanRow

_add = SqlSpanStore.add
_TASKS: set[asyncio.Task[Receipt]] = set()


async def _hasty(self: SqlSpanStore, tenant: TenantId, rows: Sequence[SpanRow]) -> Receipt:
    async def later() -> Receipt:
        await asyncio.sleep(0.02)
        return await _add(self, tenant, rows)

    task = asyncio.create_task(later())
    _TASKS.add(task)
    task.add_done_callback(_TASKS.discard)
    return Receipt(len(rows), 0)


if __name__ == "__main__":
    SqlSpanStore.add = _hasty  # type: ignore[method-assign]
    main()
