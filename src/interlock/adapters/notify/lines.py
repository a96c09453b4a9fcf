"""Tell people through the process's own log: one JSON line per notice, for whatever collects standard error."""

import json
import sys
from typing import TextIO

from interlock.checks.redactor import Words, words_by_form
from interlock.gateway.ports import Notice, Notifier


class LineNotifier(Notifier):
    """Writes to a stream and never fails a call over it."""

    def __init__(self, stream: TextIO | None = None, redact: Words = words_by_form) -> None:
        """Write to `stream`; None means standard error as it is at the moment of a notice. Texts go through `redact`."""
        self._stream = stream
        self._redact = redact

    def notify(self, notice: Notice) -> None:
        """Write one line."""
        subject, text = self._redact(notice.subject), self._redact(notice.text)
        line = json.dumps({"notice": notice.kind, "owner": notice.owner, "subject": subject, "text": text})
        try:
            print(line, file=self._stream or sys.stderr, flush=True)
        except (OSError, ValueError):
            return  # nobody listens; the store has the facts
