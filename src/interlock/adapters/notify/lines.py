"""Tell people through the process's own log: one JSON line per notice, for whatever collects standard error."""

import json
import sys
from typing import TextIO

from interlock.gateway.ports import Notice, Notifier


class LineNotifier(Notifier):
    """Writes to a stream and never fails a call over it."""

    def __init__(self, stream: TextIO | None = None) -> None:
        """Write to `stream`; None means standard error as it is at the moment of a notice."""
        self._stream = stream

    def notify(self, notice: Notice) -> None:
        """Write one line."""
        line = json.dumps(
            {"notice": notice.kind, "owner": notice.owner, "subject": notice.subject, "text": notice.text}
        )
        try:
            print(line, file=self._stream or sys.stderr, flush=True)
        except (OSError, ValueError):
            return  # nobody listens; the store has the facts
