"""From what happened to an exit code and a few lines for a tired person; never a traceback."""

import json
import os
import sys
import traceback
from enum import IntEnum

import typer

from interlock.domain.errors import (
    BadInput,
    ConfigurationError,
    InterlockError,
    NotFound,
    OutcomeUnknown,
    StoreUnavailable,
    ToolFailed,
)

DEBUG = "INTERLOCK_DEBUG"
"""Set to anything, this variable shows the traceback of a fault in Interlock itself."""


class Exit(IntEnum):
    """The exit codes; scripts depend on them."""

    FINE = 0
    FAILED = 1
    """A gate or check failed, or the gate said no."""
    USAGE = 2
    """Wrong usage or configuration."""
    ENVIRONMENT = 3
    """Something that Interlock needs is not there or not working."""
    INCONCLUSIVE = 4
    """Nobody can say yet."""
    TAMPERED = 10
    """The audit log, or a record that it speaks of, is not what was signed."""
    TRUNCATED = 11
    """Something that the audit log signed is missing."""
    ROLLED_BACK = 12
    """The audit log is older than a checkpoint that was kept."""
    UNREADABLE = 13
    """It is no export of an audit log, or not readable as one."""
    INTERRUPTED = 130


_BY_ERROR = (
    (BadInput, Exit.USAGE),
    (NotFound, Exit.USAGE),
    (StoreUnavailable, Exit.ENVIRONMENT),
    (ToolFailed, Exit.ENVIRONMENT),
    (OutcomeUnknown, Exit.INCONCLUSIVE),
)


def exit_code(error: InterlockError) -> Exit:
    """Return the exit code that stands for `error`."""
    for kind, code in _BY_ERROR:
        if isinstance(error, kind):
            return code
    return Exit.FAILED


def run(app: typer.Typer, arguments: list[str], name: str) -> int:
    """Run `app` and return the exit code. Failures are told on standard error, or with `--json` on standard output."""
    try:
        result = typer.main.get_command(app).main(args=arguments, prog_name=name, standalone_mode=False)
    except InterlockError as error:
        _tell(error, as_json="--json" in arguments)
        return exit_code(error)
    except (KeyboardInterrupt, typer.Abort):
        typer.echo("Interrupted.", err=True)
        return Exit.INTERRUPTED
    except typer.Exit as leaving:
        return leaving.exit_code
    except BrokenPipeError:
        # Whoever reads has seen enough; nothing may be written to the closed pipe at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.FINE
    except Exception as fault:  # noqa: BLE001 - the last door: a fault must not become a traceback
        return _unexpected(fault)
    return result if isinstance(result, int) else Exit.FINE


def _tell(error: InterlockError, *, as_json: bool) -> None:
    if as_json:
        problem = {"code": error.code, "what": error.what, "why": error.why, "do": error.do}
        problems = [
            {
                "file": each.spot.file,
                "line": each.spot.line,
                "column": each.spot.column,
                "key": each.spot.key,
                "what": each.what,
                "expected": each.expected,
                "nearest": each.nearest,
            }
            for each in (error.problems if isinstance(error, ConfigurationError) else ())
        ]
        typer.echo(json.dumps({**problem, **({"problems": problems} if problems else {})}))
    elif isinstance(error, ConfigurationError) and error.problems:
        typer.echo(f"{error}\n", err=True)
    else:
        lines = [error.what, *(f"  {label}: {text}" for label, text in (("why", error.why), ("do", error.do)) if text)]
        typer.echo("\n".join([*lines, f"  ({error.code})"]), err=True)


def _unexpected(fault: Exception) -> int:
    show = getattr(fault, "format_message", None)
    if callable(show):
        # Wrong usage, as typer reports it: its message and exit code are made for people.
        context, message = getattr(fault, "ctx", None), str(show())
        if context is not None and not message.startswith("Usage:"):
            typer.echo(context.get_usage(), err=True)
        typer.echo(message, err=True)
        return Exit.USAGE
    if os.environ.get(DEBUG):
        traceback.print_exception(fault)
    if isinstance(fault, OSError):
        typer.echo(f"The system refused: {fault.strerror or type(fault).__name__}.", err=True)
    else:
        typer.echo(f"Interlock has a fault ({type(fault).__name__}). Set {DEBUG}=1 and repeat to see where.", err=True)
    return Exit.ENVIRONMENT
