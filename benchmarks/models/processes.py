"""Servers under test: each pinned to one core, held while another is measured, with the CPU time and memory of its tree."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PROXY_CORE, LOAD_CORE = 0, 1
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_TAIL = 600


class NotStarted(Exception):
    """A server ended, or did not listen in time."""


@dataclass(frozen=True, slots=True)
class Server:
    """A running server and everything that it started."""

    pid: int
    port: int

    def cpu_us(self) -> float:
        """CPU time of the whole tree so far, in microseconds: user and system, all threads, ended children too."""
        return sum(_cpu_us(each.pid) + each.ended_ticks * 1e6 / _TICKS for each in _tree(self.pid))

    def rss_mb(self) -> float:
        """Resident memory of the whole tree, in megabytes."""
        return sum(each.pages for each in _tree(self.pid)) * _PAGE / 1e6

    @contextmanager
    def awake(self) -> Iterator[None]:
        """Let it run while the block lasts: what is not measured must not take the core."""
        os.killpg(self.pid, signal.SIGCONT)
        try:
            yield
        finally:
            os.killpg(self.pid, signal.SIGSTOP)


@contextmanager
def pinned(core: int) -> Iterator[None]:
    """Keep this thread, and what it starts, on one core while the block lasts."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def core_busy_us(core: int) -> float:
    """How long a core has worked for any process so far, or was taken away by the machine's host, in microseconds."""
    lines = (line.split() for line in Path("/proc/stat").read_text().splitlines())
    (times,) = ([int(each) for each in line[1:]] for line in lines if line[0] == f"cpu{core}")
    # Columns of proc(5): user, nice, system, idle, iowait, irq, softirq, steal.
    return (times[0] + times[1] + times[2] + times[7]) * 1e6 / _TICKS


@contextmanager
def started(
    argv: Sequence[str], port: int, core: int, log: Path, patience_s: float, environment: Mapping[str, str]
) -> Iterator[Server]:
    """Run a server on one core; enter the block when it listens on `port`, or raise NotStarted with the end of its log."""
    with log.open("wb") as stream, pinned(core):
        running = subprocess.Popen(
            argv,
            stdout=stream,
            stderr=stream,
            stdin=subprocess.DEVNULL,
            cwd=log.parent,
            env=os.environ | environment,
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + patience_s
        while not _listens(port):
            if running.poll() is not None:
                raise NotStarted(f"It ended with exit code {running.returncode}: {_end(log)}")
            if time.monotonic() > deadline:
                raise NotStarted(f"It did not listen within {patience_s:.0f} s: {_end(log)}")
            time.sleep(0.1)
        yield Server(running.pid, port)
    finally:
        _end_group(running)


def _end_group(running: subprocess.Popen[bytes]) -> None:
    for sign, patience in ((signal.SIGTERM, 10), (signal.SIGKILL, 10)):
        try:
            os.killpg(running.pid, sign)
            os.killpg(running.pid, signal.SIGCONT)
        except ProcessLookupError:
            break
        try:
            running.wait(patience)
        except subprocess.TimeoutExpired:
            continue


@dataclass(frozen=True, slots=True)
class _Process:
    pid: int
    parent: int
    ended_ticks: int
    """CPU time of children that ended and were waited for."""
    pages: int


def _tree(root: int) -> list[_Process]:
    everyone = {each.pid: each for each in map(_read, Path("/proc").glob("[0-9]*")) if each}
    if root not in everyone:
        raise NotStarted("The server has ended.")
    found, seen = [everyone[root]], {root}
    for each in found:
        children = [one for one in everyone.values() if one.parent == each.pid and one.pid not in seen]
        seen.update(one.pid for one in children)
        found += children
    return found


def _read(folder: Path) -> _Process | None:
    try:
        fields = (folder / "stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return None
    # Fields 4, 16, 17 and 24 of proc(5): ppid, cutime, cstime, rss.
    return _Process(int(folder.name), int(fields[1]), int(fields[13]) + int(fields[14]), int(fields[21]))


def _cpu_us(pid: int) -> float:
    """User and system time of all threads, to the nanosecond: what clock_getcpuclockid(3) names, as /proc has it in 10 ms."""
    try:
        return time.clock_gettime_ns((~pid << 3) | 2) / 1e3
    except OSError:
        return 0.0


def _listens(port: int) -> bool:
    tables = [Path(f"/proc/net/{name}") for name in ("tcp", "tcp6")]
    lines = [line.split() for table in tables if table.exists() for line in table.read_text().splitlines()[1:]]
    return any(row[3] == "0A" and int(row[1].rsplit(":", 1)[1], 16) == port for row in lines)


def _end(log: Path) -> str:
    return " ".join(log.read_text(errors="replace")[-_TAIL:].split())
