"""A server that is killed while spans come in loses none that it acknowledged, and counts none twice."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import secrets
import signal
import subprocess
import sys
import time
from pathlib import Path

import aiohttp
import orjson
import pytest

from interlock.adapters.sql.seals import Plain
from interlock.adapters.sql.traces.opening import beside, open_span_store
from interlock.domain.ids import TenantId

ROOT = Path(__file__).resolve().parents[2]
ENVIRON = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])}
PER_REQUEST, SENDERS = 40, 4
ACME = TenantId("acme")
Sent = dict[str, set[str]]
"""Names of spans by trace."""


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A deployment."""
    url = "sqlite:///gate.db" if request.param == "sqlite" else str(request.getfixturevalue("postgres_dsn"))
    _deploy(tmp_path, url)
    return tmp_path


def _deploy(folder: Path, url: str) -> None:
    deployment = {"tenant": "acme", "store": url, "agents": ["agent.yaml"]}
    (folder / "interlock.yaml").write_text(json.dumps(deployment))
    (folder / "agent.yaml").write_text(json.dumps({"agent": {"name": "bot"}, "tools": {"allowlist": []}}))


def _interlock(folder: Path, *words: str, program: str = "interlock") -> subprocess.Popen[str]:
    argv = [sys.executable, "-m", program, *words, "--json"]
    return subprocess.Popen(argv, cwd=folder, env=ENVIRON, stdout=subprocess.PIPE, text=True)


def _key(folder: Path) -> str:
    told, _ = _interlock(folder, "keys", "create", "bot", "--role", "agent", "--agent", "bot").communicate()
    return str(json.loads(told)["secret"])


async def _send(
    session: aiohttp.ClientSession, url: str, acknowledged: Sent, again: list[bytes], first: asyncio.Event
) -> None:
    """Send until the server is gone; note what it acknowledged, and every request, for it may be sent again."""
    while True:
        traces = [secrets.token_hex(16) for _ in range(PER_REQUEST // 4)]
        told = [(trace, secrets.token_hex(8), f"span {number}") for trace in traces for number in range(4)]
        body = _request(told)
        again.append(body)
        async with session.post(f"{url}/v1/traces", data=body) as answer:
            if answer.status != 200:
                return
            await answer.read()
        for trace, span, _ in told:
            acknowledged.setdefault(trace, set()).add(span)
        first.set()


def _request(told: list[tuple[str, str, str]]) -> bytes:
    now = time.time_ns()
    spans = [
        {
            "traceId": trace,
            "spanId": span,
            "name": name,
            "startTimeUnixNano": now,
            "endTimeUnixNano": now + 1,
            "attributes": [{"key": "input.value", "value": {"stringValue": f"{span} said at length " * 40}}],
        }
        for trace, span, name in told
    ]
    return orjson.dumps({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]})


async def _until_killed(
    folder: Path, key: str, acknowledged: Sent, again: list[bytes], wait: float, program: str = "interlock"
) -> None:
    """Serve, send, and kill the server `wait` seconds after its first acknowledgement."""
    server = _interlock(folder, "serve", "--port", "0", program=program)
    try:
        assert server.stdout is not None
        url = json.loads(await asyncio.to_thread(server.stdout.readline))["url"]
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        async with aiohttp.ClientSession(headers=headers) as session:
            # What was sent before and never answered is sent again, as exporters do.
            for body in again:
                async with session.post(f"{url}/v1/traces", data=body) as answer:
                    assert answer.status == 200, await answer.text()
            again.clear()
            first = asyncio.Event()
            senders = [asyncio.create_task(_send(session, url, acknowledged, again, first)) for _ in range(SENDERS)]
            await first.wait()
            await asyncio.sleep(wait)
            server.send_signal(signal.SIGKILL)
            for sender in senders:
                with contextlib.suppress(aiohttp.ClientError):
                    await sender
    finally:
        server.kill()
        await asyncio.to_thread(server.communicate)


async def test_a_killed_server_loses_no_acknowledged_span_and_counts_none_twice(folder: Path, faults: int) -> None:
    key = await asyncio.to_thread(_key, folder)
    acknowledged: Sent = {}
    again: list[bytes] = []
    for _ in range(max(2, faults // 10)):
        await _until_killed(folder, key, acknowledged, again, random.uniform(0.0, 0.15))
    await _check(folder, acknowledged)


async def test_the_same_check_finds_a_server_that_acknowledges_too_early(tmp_path: Path) -> None:
    _deploy(tmp_path, "sqlite:///gate.db")
    key = await asyncio.to_thread(_key, tmp_path)
    acknowledged: Sent = {}
    await _until_killed(tmp_path, key, acknowledged, [], 0.1, "tests.faults.hasty_server")
    with pytest.raises(AssertionError, match="an acknowledged span is gone"):
        await _check(tmp_path, acknowledged)


async def _check(folder: Path, acknowledged: Sent) -> None:
    assert len(acknowledged) >= PER_REQUEST // 4
    url = json.loads((folder / "interlock.yaml").read_text())["store"].replace("sqlite:///", f"sqlite:///{folder}/")
    store = await open_span_store(beside(url), _Unread())
    try:
        for trace, spans in acknowledged.items():
            found = await store.trace(ACME, trace)
            assert spans <= {span.span_id for span in found}, "an acknowledged span is gone"
            (sums,) = await store.sums_of_trace(ACME, trace)
            assert sums.spans == len(found) == len(spans), "a span is counted twice, or is there by half"
    finally:
        await store.close()


class _Unread(Plain):
    """Opens nothing: what spans say is sealed, and here only their ids count."""

    def open(self, tenant: TenantId, place: str, body: bytes) -> bytes:
        return b"{}"
