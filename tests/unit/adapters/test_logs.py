"""No line of the log holds what must not stand in it, exceptions and broken records included."""

import io
import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from interlock.adapters.logs import RedactingFormatter, log_to_stderr
from interlock.adapters.notify import LineNotifier
from interlock.checks.redactor import Redactor
from interlock.gateway.ports import Notice

SECRET = "canary of no form 4711"
REDACTOR = Redactor.of([SECRET])


@contextmanager
def logged() -> Iterator[RedactingFormatter]:
    """Log as a process does, without the handlers of the test run."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    try:
        yield log_to_stderr(REDACTOR.words)
    finally:
        _put_back(root, handlers, level)


def _put_back(root: logging.Logger, handlers: list[logging.Handler], level: int) -> None:
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(capture=False)


def test_a_line_is_redacted_with_its_arguments_and_its_exception(capsys: pytest.CaptureFixture[str]) -> None:
    with logged():
        try:
            raise RuntimeError(f"the provider said {SECRET}")
        except RuntimeError:
            logging.getLogger("x").exception("call of %s to %s failed", "anna@example.com", {"key": SECRET})
    said = capsys.readouterr().err
    assert SECRET not in said
    assert "anna@" not in said
    assert "call of [email]" in said
    assert "RuntimeError: the provider said [secret]" in said


def test_a_record_that_cannot_be_formatted_says_nothing_of_its_arguments(capsys: pytest.CaptureFixture[str]) -> None:
    with logged():
        logging.getLogger("x").warning("%d", SECRET)
    said = capsys.readouterr().err
    assert SECRET not in said
    assert "cannot be formatted" in said


def test_warnings_go_through_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    with logged(), warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=False)
        logging.captureWarnings(capture=True)
        warnings.warn(f"about {SECRET}", UserWarning, stacklevel=1)
    said = capsys.readouterr().err
    assert "[secret]" in said
    assert SECRET not in said


def test_the_redactor_can_be_exchanged_once_secrets_are_known(capsys: pytest.CaptureFixture[str]) -> None:
    with logged() as log:
        log.redact = Redactor.of(["another secret word"]).words
        logging.getLogger("x").warning("another secret word")
    assert "[secret]" in capsys.readouterr().err


def test_a_stream_that_cannot_be_written_to_is_not_complained_about_in_clear(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with logged():
        (handler,) = logging.getLogger().handlers
        assert isinstance(handler, logging.StreamHandler)
        broken = io.StringIO()
        broken.close()
        monkeypatch.setattr(handler, "stream", broken)
        logging.getLogger("x").warning("it is %s", SECRET)
    assert SECRET not in capsys.readouterr().err


def test_notices_are_redacted() -> None:
    stream = io.StringIO()
    LineNotifier(stream, REDACTOR.words).notify(Notice("alert", "support", f"run {SECRET}", "mail anna@example.com"))
    assert json.loads(stream.getvalue()) == {
        "notice": "alert",
        "owner": "support",
        "subject": "run [secret]",
        "text": "mail [email]",
    }
