"""The process's log: every line goes through the redactor, exceptions and their traces included."""

import logging
from typing import TextIO

from interlock.checks.redactor import Words

_FORM = "%(asctime)s %(levelname)s %(name)s %(message)s"


class RedactingFormatter(logging.Formatter):
    """Formats a record, and takes out of the whole text what must not stand in a log."""

    def __init__(self, redact: Words, form: str = _FORM) -> None:
        """`redact` may be exchanged later, when the deployment's own secrets are known."""
        super().__init__(form)
        self.redact = redact

    def format(self, record: logging.LogRecord) -> str:
        """Return the text of `record`. A record that cannot be formatted is told by its place alone."""
        try:
            text = super().format(record)
        except Exception as error:  # noqa: BLE001 - logging would print the arguments as they are
            text = f"{record.levelname} {record.name} a log record cannot be formatted ({type(error).__name__})"
        return self.redact(text)


class _Quiet(logging.StreamHandler[TextIO]):
    """Says nothing where a line cannot be written: the library would print the record as it is."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the library's name
        """Go on without the line."""


def log_to_stderr(redact: Words, level: int = logging.WARNING) -> RedactingFormatter:
    """Send the process's log to standard error, through `redact`; return what formats it. Earlier handlers are removed."""
    formatter = RedactingFormatter(redact)
    handler = _Quiet()
    handler.setFormatter(formatter)
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level)
    # What Python itself warns of would be written past the log.
    logging.captureWarnings(capture=True)
    return formatter
