"""The benchmark of model calls asks the same of everyone, counts what everyone spends, and judges by ratios within a round."""

import asyncio
import contextlib
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from benchmarks.mcp_servers import free_port
from benchmarks.models import load, report
from benchmarks.models.deployment import wrong_in_books
from benchmarks.models.exchange import EVENTS, TEXT, USAGE, answer, events, told
from benchmarks.models.figures import Round, by_stack, promises, ratios, unrest
from benchmarks.models.processes import Server
from benchmarks.models.rounds import asks, checked
from benchmarks.models.stacks import Stack, proxy, upstream
from benchmarks.models.upstream import serve
from benchmarks.models.wire import LoadFailed, connect, request

ROUND = Round(
    cpu_us=100.0,
    per_second=9000.0,
    turn_min_ms=0.2,
    turn_p50_ms=0.25,
    rate_p50_ms=0.4,
    rate_p99_ms=2.0,
    rate_cpu_us=300.0,
    stream_cpu_us=350.0,
    paced_cpu_us=1000.0,
    rss_mb=46.0,
    others=0.01,
)
needs_linux = pytest.mark.skipif(
    not {0, 1} <= (os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()),
    reason="needs Linux and the processors 0 and 1",
)


@pytest.fixture
async def direct() -> AsyncIterator[Stack]:
    port = free_port()
    server = await serve(port)
    yield Stack("direct", Server(os.getpid(), port), {}, held=False)
    server.close()
    await server.wait_closed()


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """A process with a child that has spent 0.2 s of CPU time and lives on, after another that spent as much and ended."""
    ended = "import time\nwhile time.process_time() < 0.2: pass"
    lives = f"{ended}\nprint(flush=True)\ntime.sleep(60)"
    parent = f"import subprocess, sys\nfor code in {(ended, lives)!r}: subprocess.run([sys.executable, '-c', code])"
    with subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE, start_new_session=True) as running:
        assert running.stdout
        running.stdout.readline()
        yield running
        os.killpg(running.pid, 9)


def test_the_streamed_answer_says_what_the_whole_one_says() -> None:
    whole = orjson.loads(answer())

    assert whole["choices"][0]["message"]["content"] == TEXT
    assert told(b"".join(events())) == (TEXT, USAGE, True)
    assert len(events()) == EVENTS


def test_a_cut_stream_is_seen_to_be_cut() -> None:
    assert told(b"".join(events()[:-2])) == (TEXT, None, False)


async def test_the_upstream_gives_each_kind_of_answer(direct: Stack) -> None:
    await checked(asks(direct))


async def test_events_asked_for_a_millisecond_apart_do_not_come_at_once(direct: Stack) -> None:
    at_once = await load.in_turn(asks(direct).stream, 0, at_least=3)
    paced = await load.in_turn(asks(direct).paced, 0, at_least=3)

    assert min(paced.milliseconds) >= EVENTS - 2 > min(at_once.milliseconds)


async def test_so_many_requests_are_sent_and_no_more(direct: Stack) -> None:
    done = await load.so_many(asks(direct).plain, 8, 100)

    assert (done.sent, done.count) == (100, 100)


async def test_a_fixed_rate_does_not_wait_for_answers(direct: Stack) -> None:
    done = await load.per_second(asks(direct).paced, 100, 0.3)

    assert done.count == 30
    assert done.seconds < 0.6, "answers take 40 ms each, so 30 of them in turn would take 1.2 s"


async def test_a_wrong_answer_ends_the_load(direct: Stack) -> None:
    asked = replace(asks(direct).plain, good=lambda _: False)

    with pytest.raises(LoadFailed, match="Answer 200"):
        await load.at_once(asked, 2, 0.1)


async def test_a_server_that_hangs_up_ends_the_load() -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        connection = await connect(port)
        with pytest.raises(LoadFailed, match="closed the connection"):
            await connection.ask(request("/", b"{}", port, {}))


@needs_linux
def test_the_cpu_time_of_a_server_is_that_of_its_children_too(sleeper: subprocess.Popen[bytes]) -> None:
    ticks_lost = 30_000
    assert Server(sleeper.pid, 0).cpu_us() >= 400_000 - ticks_lost


@needs_linux
def test_a_server_stands_still_while_another_is_measured(sleeper: subprocess.Popen[bytes]) -> None:
    with Server(sleeper.pid, 0).awake():
        pass

    deadline = time.monotonic() + 5
    while " T " not in (state := Path(f"/proc/{sleeper.pid}/stat").read_text()) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert " T " in state


@needs_linux
async def test_the_bare_proxy_answers_what_the_upstream_said_and_adds_the_cost(tmp_path: Path) -> None:
    with upstream(free_port(), tmp_path) as direct:
        url = f"http://127.0.0.1:{direct.server.port}/v1"
        with proxy("bare proxy", free_port(), tmp_path, url) as bare:
            await checked(asks(bare))
            connection = await connect(bare.server.port)
            said = await asks(bare).plain.send(connection)
            connection.close()

    assert orjson.loads(said.body)["cost"] == 35 * 150 + 39 * 600


def test_a_ratio_is_taken_within_a_round_so_that_a_slow_moment_cancels_out() -> None:
    slow = replace(ROUND, cpu_us=300.0)
    found = ratios(
        {
            "direct": [ROUND] * 2,
            "bare proxy": [ROUND, slow],
            "interlock": [replace(ROUND, cpu_us=180.0), replace(ROUND, cpu_us=540.0)],
        }
    )

    assert found["interlock / bare proxy, CPU per request"] == {"min": 1.8, "median": 1.8, "max": 1.8}


def test_a_promise_is_kept_at_its_bound_and_missed_beyond_it() -> None:
    def judged(cpu_us: float) -> bool:
        rounds = {"direct": [ROUND], "bare proxy": [ROUND], "interlock": [replace(ROUND, cpu_us=cpu_us)]}
        return promises(rounds, {})["CPU_within_2.0_times_the_bare_proxy"]

    assert judged(200.0)
    assert not judged(201.0)


def test_memory_is_flat_only_if_no_sample_strays() -> None:
    rounds = {"direct": [ROUND], "interlock": [ROUND]}

    assert promises(rounds, {"interlock": [80.0, 84.9, 81.0]})["memory_flat_within_5_MB"]
    assert not promises(rounds, {"interlock": [80.0, 85.1, 81.0]})["memory_flat_within_5_MB"]


def test_what_was_not_measured_is_not_judged() -> None:
    assert promises({"direct": [ROUND], "bare proxy": [ROUND]}, {}) == {}
    assert not [name for name in promises({"direct": [ROUND], "interlock": [ROUND]}, {}) if "LiteLLM" in name]


def test_a_rate_that_was_not_sustained_has_no_figure() -> None:
    rounds = {"direct": [ROUND], "litellm": [replace(ROUND, rate_p50_ms=None)]}

    assert ratios(rounds)["litellm - direct, p50 ms at the fixed rate"] is None
    assert by_stack(rounds)[1]["rate_p50_ms"] is None


@pytest.mark.parametrize(
    ("answers", "agent_spent", "held", "wrong"),
    [(2, 148, 0, False), (3, 148, 0, True), (2, 74, 0, True), (2, 148, 9, True)],
    ids=["right", "a call without a record", "a level that was not charged", "a hold that was left"],
)
def test_books_are_right_only_if_every_answer_is_recorded_and_settled_on_every_level(
    tmp_path: Path, answers: int, agent_spent: int, held: int, wrong: bool
) -> None:
    budgets = [("max_total_tokens|run=a", 148, 0), ("tokens|agent=a", agent_spent, held), ("tokens|tenant=a", 148, 0)]
    with contextlib.closing(sqlite3.connect(tmp_path / "bench.db")) as store:
        store.execute("CREATE TABLE model_calls (status)")
        store.execute("CREATE TABLE audit_events (event)")
        store.execute("CREATE TABLE budgets (budget, spent, held)")
        store.executemany("INSERT INTO model_calls VALUES (?)", [("succeeded",)] * 2)
        store.executemany("INSERT INTO audit_events VALUES (?)", [("",)] * 3)
        store.executemany("INSERT INTO budgets VALUES (?, ?, ?)", budgets)
        store.commit()

    assert bool(wrong_in_books(tmp_path, answers)) is wrong


def told_as_table(**changes: object) -> str:
    found: dict[str, object] = {
        "stacks": by_stack({"direct": [ROUND]}),
        "not available": {},
        "ratios": {},
        "soak": {},
        "promises": {},
        "unrest": 0.01,
    }
    return report.show(found | changes, 100, 1, EVENTS)


def test_the_table_says_what_is_missing_and_why() -> None:
    said = told_as_table(**{"not available": {"litellm": "It is not installed."}})

    assert "litellm       not available: It is not installed." in said


def test_the_table_says_when_the_machine_was_not_quiet() -> None:
    assert "quiet" not in told_as_table()
    assert "took up to 21% of the proxies' core" in told_as_table(unrest=0.21)


def test_what_the_worst_round_lost_to_others_is_the_unrest() -> None:
    assert unrest({"direct": [ROUND], "interlock": [ROUND, replace(ROUND, others=0.3)]}) == 0.3
