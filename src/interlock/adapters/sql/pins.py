"""The surfaces of tools as they were reviewed."""

from interlock.adapters.sql.encoding import decode, encode
from interlock.adapters.sql.session import Row, Session, Statement
from interlock.domain.ids import ToolName
from interlock.tools.ports import Pin, PinRecords

FIND = Statement("SELECT tool, surface_hash, surface, pinned_at, pinned_by FROM pins WHERE tool = :tool")

PUT = Statement("""
    INSERT INTO pins (tool, surface_hash, surface, pinned_at, pinned_by)
    VALUES (:tool, :surface_hash, :surface, :pinned_at, :pinned_by)
    ON CONFLICT (tool) DO UPDATE
    SET surface_hash = excluded.surface_hash, surface = excluded.surface,
        pinned_at = excluded.pinned_at, pinned_by = excluded.pinned_by
""")

ALL = Statement("SELECT tool, surface_hash, surface, pinned_at, pinned_by FROM pins ORDER BY tool")


class SqlPins(PinRecords):
    """The table `pins`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def find(self, tool: ToolName) -> Pin | None:
        row = self._session.one(FIND, {"tool": tool})
        return None if row is None else _pin(row)

    def put(self, pin: Pin) -> None:
        values = {
            "tool": pin.tool,
            "surface_hash": pin.surface_hash,
            "surface": encode(pin.surface),
            "pinned_at": pin.pinned_at,
            "pinned_by": pin.pinned_by,
        }
        self._session.run(PUT, values)

    def all(self) -> tuple[Pin, ...]:
        return tuple(_pin(row) for row in self._session.all(ALL, {}))


def _pin(row: Row) -> Pin:
    tool, surface_hash, surface, pinned_at, pinned_by = row
    return Pin(tool, surface_hash, decode(surface), pinned_at, pinned_by)
