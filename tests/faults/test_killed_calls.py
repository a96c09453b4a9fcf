"""Gateway processes are killed at random points of real calls; no effect happens twice, nothing approved is lost."""

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from interlock.adapters.keys import EncryptionKeyFile
from interlock.adapters.sql import open_store
from interlock.approvals.ports import ApprovalFilter
from interlock.domain.approvals import ApprovalState
from interlock.domain.calls import CallRecord, CallStatus
from interlock.domain.ids import TenantId
from interlock.runs.ports import CallFilter
from tests.faults.call_worker import RUN

WORKER = Path(__file__).with_name("call_worker.py")
TENANT = TenantId("acme")

DEPLOYMENT = """
tenant: acme
store: "{store}"
agents: [agent.yaml]
contracts: [contracts.yaml]
tools:
  bank: {{openapi: {{document: bank.json, base_url: "{url}"}}}}
approvals: {{tiers: {{3: {{sla: 4h, expires: 24h}}}}}}
"""
AGENT = """
agent: {name: clerk}
tools: {allowlist: [pay, note, wire]}
limits:
  - {id: moved, at_most: 100000 USD, of: money, per: agent, every: ever}
"""
CONTRACTS = """
tools:
  - name: pay
    kind: write
    tier: 1
    idempotency: {header: Idempotency-Key}
    amount: {argument: /amount, currency: USD}
    arguments: {/*: plain}
    timeout: 2s
    retries: 1
  - name: note
    kind: write
    tier: 1
    idempotency: %s
    arguments: {/*: plain}
    timeout: 2s
    retries: 1
  - name: wire
    kind: write
    tier: 3
    idempotency: {header: Idempotency-Key}
    amount: {argument: /amount, currency: USD}
    arguments: {/*: plain}
    timeout: 2s
    retries: 1
"""


class Bank(BaseHTTPRequestHandler):
    """A tool with a memory of its own. It honours keys where they come, and does again what comes without."""

    protocol_version = "HTTP/1.1"
    done: Counter[str]
    keys: dict[str, set[str]]
    honours_keys = True
    lock = threading.Lock()

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        marker, key = body["marker"], self.headers.get("Idempotency-Key", "")
        with self.lock:
            keys = self.keys.setdefault(marker, set())
            seen = key != "" and key in keys
            keys.add(key)
            if not (seen and self.honours_keys):
                self.done[marker] += 1
        time.sleep(random.uniform(0, 0.004))
        answer = b'{"ok": true}'
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


class Server(ThreadingHTTPServer):
    """Its clients die on purpose, so it says nothing about it."""

    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        return


@contextmanager
def a_bank(*, honours_keys: bool = True) -> Iterator[tuple[str, type[Bank]]]:
    bank = type("Bank", (Bank,), {"done": Counter(), "keys": {}, "honours_keys": honours_keys})
    server = Server(("127.0.0.1", 0), bank)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", bank
    finally:
        server.shutdown()
        server.server_close()


def a_deployment(folder: Path, url: str, *, notes: str = "none", store: str = "sqlite:///interlock.db") -> None:
    (folder / "interlock.yaml").write_text(DEPLOYMENT.format(url=url, store=store))
    (folder / "agent.yaml").write_text(AGENT)
    (folder / "contracts.yaml").write_text(CONTRACTS % notes)
    (folder / "bank.json").write_text(json.dumps(_document()))


def _document() -> dict[str, object]:
    def operation(name: str, *fields: str) -> dict[str, object]:
        kinds = {"marker": {"type": "string"}, "amount": {"type": "integer"}}
        schema = {"type": "object", "properties": {one: kinds[one] for one in fields}, "required": list(fields)}
        content = {"application/json": {"schema": schema}}
        reply = {"description": "done", "content": {"application/json": {"schema": {"type": "object"}}}}
        return {
            "post": {
                "operationId": name,
                "requestBody": {"required": True, "content": content},
                "responses": {"200": reply},
            }
        }

    paths = {
        "/pay": operation("pay", "amount", "marker"),
        "/note": operation("note", "marker"),
        "/wire": operation("wire", "amount", "marker"),
    }
    return {"openapi": "3.1.0", "info": {"title": "Bank", "version": "1"}, "paths": paths}


class Gateways:
    """The worker, and its children that come and go."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.ready_at = 0.0
        self._worker = subprocess.Popen(
            [sys.executable, str(WORKER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        )

    def run(self, first: int, last: int, kill_after: float | None) -> int:
        """Let a process work on the rounds, kill it after so many seconds, and return its exit code."""
        assert self._worker.stdin is not None
        assert self._worker.stdout is not None
        self._worker.stdin.write(f"go {self._folder} {first} {last}\n")
        self._worker.stdin.flush()
        word, pid = self._worker.stdout.readline().split()
        assert word == "child"
        assert self._worker.stdout.readline() == "ready\n"
        self.ready_at = time.monotonic()
        if kill_after is not None:
            time.sleep(kill_after)
            with suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
        return int(self._worker.stdout.readline().split()[1])

    def close(self) -> None:
        assert self._worker.stdin is not None
        self._worker.stdin.close()
        self._worker.wait(10)
        if self._worker.stdout is not None:
            self._worker.stdout.close()


def kill_many(folder: Path, times: int, seed: int) -> int:
    """Kill `times` processes at random points of their lives, then let one finish; return how many kills met a live one."""
    chance = random.Random(seed)
    gateways = Gateways(folder)
    try:
        assert gateways.run(0, 0, None) == 0
        life = time.monotonic() - gateways.ready_at
        met = 0
        for number in range(1, times + 1):
            met += gateways.run(number - 1, number, chance.uniform(0.0, 1.0) * life) != 0
        assert gateways.run(0, times, None) == 0
        return met
    finally:
        gateways.close()


async def records(address: str, folder: Path) -> tuple[dict[str, CallRecord], list[ApprovalState], tuple[int, int]]:
    store = await open_store(address, EncryptionKeyFile(folder / ".interlock"))
    try:
        found = await store.read(lambda tx: tx.calls.search(CallFilter(tenant=TENANT, run=RUN, limit=100_000)))
        asked = await store.read(lambda tx: tx.approvals.search(ApprovalFilter(tenant=TENANT, limit=100_000)))
        (money,) = await store.read(lambda tx: tx.budgets.balances(f"{TENANT}|"))
        return {one.call.key.call: one for one in found}, [one.state for one in asked], (money.spent, money.held)
    finally:
        await store.close()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'interlock.db'}"
    return str(request.getfixturevalue("postgres_dsn"))


async def test_no_effect_twice_no_blind_repetition_and_no_approval_lost(
    tmp_path: Path, store: str, faults: int
) -> None:
    with a_bank() as (url, bank):
        a_deployment(tmp_path, url, store=store)
        met = kill_many(tmp_path, faults, seed=20_261_120)
    assert met >= faults // 3, "too few processes died in the middle of something"
    calls, approvals, (spent, held) = await records(store, tmp_path)
    torn = sum(one.attempt > 1 or one.status is CallStatus.UNKNOWN for one in calls.values())
    assert torn >= faults // 10, "too few calls were torn between their intent and their outcome"
    rounds = range(faults + 1)
    for number in rounds:
        for keyed in (f"pay-{number}", f"wire-{number}"):
            assert calls[keyed].status is CallStatus.SUCCEEDED
            assert bank.done[keyed] == 1, f"{keyed} happened {bank.done[keyed]} times"
            assert len(bank.keys[keyed]) == 1, f"{keyed} was sent under several keys"
        note = calls[f"note-{number}"]
        assert bank.done[note.call.key.call] <= 1, "a write without keys was repeated"
        assert note.status in (CallStatus.SUCCEEDED, CallStatus.UNKNOWN)
        if note.status is CallStatus.SUCCEEDED:
            assert bank.done[note.call.key.call] == 1
    assert approvals.count(ApprovalState.USED) == len(rounds), "an approval was lost or used twice"
    assert set(approvals) == {ApprovalState.USED}
    assert (spent, held) == (2 * len(rounds) * 100, 0), "money was lost or invented"


async def test_the_count_of_effects_can_fail(tmp_path: Path) -> None:
    """The control: a bank that ignores keys, and a note that is declared repeatable and is not, are both found out."""
    with a_bank(honours_keys=False) as (url, bank):
        a_deployment(tmp_path, url, notes="natural")
        deadline = time.monotonic() + 120
        number = 0
        while max(bank.done.values(), default=0) < 2:
            assert time.monotonic() < deadline, "no repetition was ever seen"
            folder = tmp_path / str(number)
            folder.mkdir()
            a_deployment(folder, url, notes="natural")
            bank.done.clear()
            kill_many(folder, 10, seed=number)
            number += 1
    with pytest.raises(AssertionError):
        assert all(count <= 1 for count in bank.done.values())
