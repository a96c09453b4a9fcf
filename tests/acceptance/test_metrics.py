"""The figures as Prometheus takes them: a served deployment, scraped by the real program, under our rules."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from interlock.cli.metrics import rules_text
from tests.kits.console import Console, a_console


@pytest.fixture
def console(tmp_path: Path) -> Console:
    return a_console(tmp_path)


async def _got(url: str, key: str | None = None) -> tuple[int, str]:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    async with aiohttp.ClientSession() as http, http.get(url, headers=headers) as response:
        return response.status, await response.text()


async def _refund(url: str, key: str, amount: int) -> None:
    headers = {"Authorization": f"Bearer {key}"}
    async with aiohttp.ClientSession(url, headers=headers) as http:
        async with http.post("/api/v1/runs", json={"instruction": f"Refund order 7: {amount} USD."}) as response:
            run = (await response.json())["run"]
        body = {"run": run, "tool": "refund_order", "arguments": {"order": "7", "amount_usd": amount}}
        async with http.post("/v1/tool-calls", json=body) as response:
            await response.read()
        async with http.post(f"/api/v1/runs/{run}/close", json={"outcome": "succeeded"}) as response:
            assert response.status < 300, await response.text()


@asynccontextmanager
async def _prometheus(program: Path, folder: Path, target: str, key: str) -> AsyncIterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (folder / "key").write_text(key)
    (folder / "rules.yml").write_bytes(rules_text())
    scrape = {
        "job_name": "interlock",
        "static_configs": [{"targets": [target]}],
        "authorization": {"credentials_file": "key"},
    }
    document = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": ["rules.yml"],
        "scrape_configs": [scrape],
    }
    (folder / "prometheus.yml").write_text(json.dumps(document))
    arguments = ["--config.file=prometheus.yml", "--storage.tsdb.path=data", f"--web.listen-address=127.0.0.1:{port}"]
    quiet = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(program, *arguments, cwd=folder, stdout=quiet, stderr=quiet)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        await process.wait()


async def _asked(url: str, query: str) -> list[tuple[dict[str, str], float]]:
    async with aiohttp.ClientSession() as http:
        for _ in range(200):
            try:
                async with http.get(f"{url}/api/v1/query", params={"query": query}) as response:
                    found = (await response.json())["data"]["result"]
                    if found:
                        return [(one["metric"], float(one["value"][1])) for one in found]
            except (aiohttp.ClientError, KeyError):
                pass
            await asyncio.sleep(0.1)
    return []


async def test_prometheus_scrapes_a_server_and_computes_what_it_is_worth(
    console: Console, prometheus: Path, tmp_path: Path
) -> None:
    key = await console.key("prometheus", "auditor")
    await console.key("bot", "agent", "--agent", "refunds")
    folder = tmp_path / "prometheus"
    folder.mkdir()
    async with console.served() as (url, _):
        await _refund(url, console.keys["bot"], 20)
        async with _prometheus(prometheus / "prometheus", folder, url.removeprefix("http://"), key) as asked:
            up = await _asked(asked, 'up{job="interlock"} == 1')
            decided = await _asked(asked, "sum by (effect) (interlock_tool_decisions_total)")
            info = await _asked(asked, "interlock_workflow_info")
            outcome = await _asked(asked, 'interlock_run_outcomes_total{outcome="succeeded"}')
            firing = await _asked(asked, 'count(ALERTS{alertstate="firing"}) or vector(0)')

    assert up
    assert sum(value for _, value in decided) >= 1
    assert info[0][0]["workflow"]
    assert outcome[0][1] == 1
    assert firing[0][1] == 0


async def test_figures_are_for_operators_and_auditors(console: Console) -> None:
    await console.key("bot", "agent", "--agent", "refunds")
    async with console.served() as (url, _):
        nobody, told = await _got(url + "/metrics")
        agent, _ = await _got(url + "/metrics", console.keys["bot"])

    assert nobody == 401
    assert "interlock_" not in told
    assert agent == 403


async def test_figures_are_open_where_the_deployment_says_so(console: Console) -> None:
    file = console.folder / "interlock.yaml"
    file.write_text(file.read_text() + "\nmetrics: {public: true}\n")

    async with console.served() as (url, _):
        status, told = await _got(url + "/metrics")
        elsewhere, _ = await _got(url + "/api/v1/runs")

    assert status == 200
    assert "interlock_recorder_healthy 1.0" in told
    assert elsewhere == 401


async def test_the_command_line_writes_the_files(console: Console, tmp_path: Path) -> None:
    wrote = await console.run("metrics", "rules", "--to", str(tmp_path / "rules.yml"))
    listed = await console.run("metrics", "list", "--json")

    assert wrote.code == 0
    assert (tmp_path / "rules.yml").read_bytes() == rules_text()
    assert len(listed.json["metrics"]) > 20
