"""What models cost is shown: over HTTP and on the command line, to those who may see it, per call and added up."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from interlock.cli.app import app
from interlock.cli.exits import run as run_command
from interlock.domain.identity import Role
from interlock.domain.ids import AgentId
from interlock.gateway.access_desk import operator_at_the_machine
from tests.kits.console import Ended
from tests.kits.model_deployment import served_models

pytestmark = pytest.mark.asyncio(loop_scope="module")
ROLES = {"operator": Role.OPERATOR, "auditor": Role.AUDITOR, "approver": Role.APPROVER}
WORDS = "Tell nobody of the purple elephant"
CALLS, SPENDING = "/api/v1/model-calls", "/api/v1/spending"


@dataclass(frozen=True, slots=True)
class Desk:
    """A served deployment after a day's work, and who may look at it."""

    folder: Path
    url: str
    http: aiohttp.ClientSession
    keys: dict[str, str]
    """By person; `token` is the run token of `done`, the run that succeeded."""

    async def ask(self, who: str, method: str, path: str, body: object = None, **headers: str) -> tuple[int, Any, Any]:
        said = {"Authorization": f"Bearer {self.keys[who]}", **headers}
        async with self.http.request(method, self.url + path, json=body, headers=said) as answer:
            return answer.status, await answer.json() if answer.content_length != 0 else None, answer.headers

    async def get(self, path: str, who: str = "operator") -> Any:
        status, body, _ = await self.ask(who, "GET", path)
        assert status == 200, body
        return body

    async def chat(self, who: str, words: str, **headers: str) -> tuple[int, str]:
        """Ask the model, and return the status and the id of the call."""
        body = {"model": "tier-small", "messages": [{"role": "user", "content": words}]}
        if words.startswith("weather"):
            body["tools"] = [
                {"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object"}}}
            ]
        status, _, told = await self.ask(who, "POST", "/v1/chat/completions", body, **headers)
        return status, told.get("x-interlock-call", "")

    async def open(self, id: str, user: str) -> str:
        status, opened, _ = await self.ask("agent", "POST", "/api/v1/runs", {"run": id, "user": {"id": user}})
        assert status == 201, opened
        return str(opened["token"])

    async def close(self, id: str, body: object = None, who: str = "agent") -> tuple[int, Any]:
        status, answer, _ = await self.ask(who, "POST", f"/api/v1/runs/{id}/close", body)
        return status, answer

    async def command(self, capsys: pytest.CaptureFixture[str], *arguments: str) -> Ended:
        """Run a command on the deployment, in this process."""
        given = [*arguments, "--config", str(self.folder)]
        code = await asyncio.to_thread(run_command, app, given, "interlock")
        said = capsys.readouterr()
        return Ended(code, said.out, said.err)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def desk(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Desk]:
    """Two runs that succeeded, one that failed, one that nobody rates, and a call outside any run."""
    folder = tmp_path_factory.mktemp("desk")
    async with served_models(folder) as served, aiohttp.ClientSession() as http:
        access = served.interlock.desks.access
        admin = operator_at_the_machine(served.interlock.deployment.tenant, "test")
        keys = {"agent": served.key}
        for name, role in ROLES.items():
            keys[name], _ = await access.create_key(admin, name, frozenset({role}), None)
        keys["stranger"], _ = await access.create_key(admin, "stranger", frozenset({Role.AGENT}), AgentId("other"))
        made = Desk(folder, served.url, http, keys)
        for id, user in (("done", "u-1"), ("well", "u-2"), ("lost", "u-1"), ("open", "u-2")):
            keys[id] = await made.open(id, user)
            await made.chat(id, WORDS, **{"x-interlock-step": "plan"})
        keys["token"] = keys["done"]
        await made.chat("done", "weather in Oslo", **{"x-interlock-step": "act", "x-interlock-label-size": "big"})
        await made.chat("agent", WORDS)
        for id, outcome in (("done", "succeeded"), ("well", "succeeded"), ("lost", "failed")):
            assert (await made.close(id, {"outcome": outcome}))[0] == 204
        await _written(made, 6)
        yield made


async def _written(desk: Desk, calls: int) -> None:
    for _ in range(200):
        if (await desk.get(SPENDING))["total"]["calls"] >= calls:
            return
        await asyncio.sleep(0.02)
    raise AssertionError("the calls were not written down")


async def _listed(desk: Desk, who: str = "operator", query: str = "") -> list[Any]:
    return list((await desk.get(CALLS + query, who))["model_calls"])


async def _groups(desk: Desk, by: str, query: str = "") -> Mapping[str, Any]:
    return {one["group"]: one for one in (await desk.get(f"{SPENDING}?by={by}{query}"))["groups"]}


async def test_a_call_is_shown_with_why_this_model_what_was_tried_and_what_it_cost(desk: Desk) -> None:
    (listed,) = [one for one in await _listed(desk) if one["step"] == "act"]
    shown = await desk.get(f"{CALLS}/{listed['id']}")

    assert listed["span"] is None
    assert {**shown, "span": None} == listed
    assert (shown["run"], shown["agent"], shown["user"], shown["requested_by"]) == ("done", "refunds", "u-1", "bot")
    assert (shown["model"], shown["tier"], shown["dialect"]) == ("tier-small", "tier-small", "openai_chat")
    assert (shown["status"], shown["labels"], shown["failure"]) == ("succeeded", {"size": "big"}, None)
    assert shown["route"]["by"] == "name"
    assert [one["model"] for one in shown["route"]["candidates"]] == ["scripted"]
    (attempt,) = shown["attempts"]
    assert (attempt["provider"], attempt["model"], attempt["outcome"]) == ("script", "scripted", "served")
    assert (attempt["usage_source"], attempt["usage"]) == ("provider", shown["usage"])
    assert shown["usage"]["total"] == shown["usage"]["input"] + shown["usage"]["output"] > 0
    # 0.01 USD per million tokens is 10 nano-dollars each.
    assert shown["cost_nano_usd"] == attempt["cost_nano_usd"] == 10 * shown["usage"]["total"]
    assert shown["cost_usd"] == f"{shown['cost_nano_usd'] / 1e9:.9f}".rstrip("0")
    (proposal,) = shown["proposals"]
    assert (proposal["tool"], len(proposal["arguments_hash"])) == ("get_weather", 64)


async def test_records_hold_nothing_that_was_said(desk: Desk) -> None:
    written = json.dumps(await _listed(desk))

    for words in ("purple elephant", "weather in Oslo", "Oslo", "Hello from the script"):
        assert words not in written


async def test_calls_are_filtered_and_bounded_and_the_newest_come_first(desk: Desk) -> None:
    every = await _listed(desk)

    assert [one["run"] for one in every] == [None, "done", "open", "lost", "well", "done"]
    assert await _listed(desk, query="?limit=2") == every[:2]
    assert await _listed(desk, query="?run=done") == [every[1], every[5]]
    assert await _listed(desk, query="?agent=refunds") == every
    assert await _listed(desk, query="?agent=other") == []


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        (f"{CALLS}?run=nothing", 404, "unknown_run"),
        (f"{CALLS}/mc_nothing", 404, "unknown_record"),
        (f"{CALLS}?limit=0", 400, "bad_input"),
        (f"{CALLS}?tool=x", 400, "bad_input"),
        (f"{SPENDING}?by=colour", 400, "bad_input"),
        (f"{SPENDING}?since=yesterday", 400, "bad_input"),
        (f"{SPENDING}?since=-1", 400, "bad_input"),
        (f"{SPENDING}?until={'9' * 30}", 400, "bad_input"),
        (f"{SPENDING}?limit=1001", 400, "bad_input"),
    ],
)
async def test_what_cannot_be_asked_is_refused_and_named(desk: Desk, path: str, status: int, code: str) -> None:
    answered, body, _ = await desk.ask("operator", "GET", path)

    assert (answered, body["code"]) == (status, code)


async def test_an_agent_sees_its_own_calls_a_run_token_those_of_its_run_and_neither_sees_sums(desk: Desk) -> None:
    every = await _listed(desk)
    assert await _listed(desk, "agent") == every
    assert await _listed(desk, "token") == [every[1], every[5]]
    assert await _listed(desk, "stranger") == []
    assert await _listed(desk, "approver") == await _listed(desk, "auditor") == every

    outside, elsewhere = every[0]["id"], every[2]["id"]
    for who, id in (("token", outside), ("token", elsewhere), ("stranger", outside)):
        status, body, _ = await desk.ask(who, "GET", f"{CALLS}/{id}")
        assert (status, body["code"]) == (404, "unknown_record"), who
    for who in ("agent", "token", "stranger", "approver"):
        status, body, _ = await desk.ask(who, "GET", SPENDING)
        assert (status, body["code"]) == (403, "forbidden"), who


async def test_spending_adds_up_to_the_calls_by_every_word(desk: Desk) -> None:
    every = await _listed(desk)
    cost = sum(one["cost_nano_usd"] for one in every)
    names = {
        "run": {"done", "well", "lost", "open", ""},
        "agent": {"refunds"},
        "user": {"u-1", "u-2", ""},
        "step": {"plan", "act", ""},
        "model": {"scripted"},
        "provider": {"script"},
        "tenant": {"acme"},
        "day": {time.strftime("%Y-%m-%d", time.gmtime(every[0]["started_at"] / 1000))},
    }
    for by, expected in names.items():
        groups = await _groups(desk, by)
        assert set(groups) == expected, by
        assert sum(one["cost_nano_usd"] for one in groups.values()) == cost, by
        assert sum(one["calls"] for one in groups.values()) == 6, by
    done = [one for one in every if one["run"] == "done"]
    spent = (await _groups(desk, "run"))["done"]
    assert spent["cost_nano_usd"] == sum(one["cost_nano_usd"] for one in done)
    assert spent["input_tokens"] == sum(one["usage"]["input"] for one in done)
    assert spent["output_tokens"] == sum(one["usage"]["output"] for one in done)


async def test_a_successful_run_costs_what_all_runs_cost_by_the_number_that_succeeded(desk: Desk) -> None:
    found = await desk.get(f"{SPENDING}?by=agent")
    agent, cost = found["groups"][0], sum(one["cost_nano_usd"] for one in await _listed(desk))

    assert (agent["successes"], agent["cost_per_success_nano_usd"]) == (2, cost // 2)
    assert agent["cost_per_success_usd"] == f"{cost // 2 / 1e9:.9f}".rstrip("0")
    assert found["total"] == agent | {"group": ""}
    assert {name: one["successes"] for name, one in (await _groups(desk, "user")).items()} == {
        "u-1": 1,
        "u-2": 1,
        "": 0,
    }
    assert {name: one["successes"] for name, one in (await _groups(desk, "run")).items() if one["successes"]} == {
        "done": 1,
        "well": 1,
    }
    assert [one["successes"] for by in ("day", "tenant") for one in (await _groups(desk, by)).values()] == [2, 2]
    for by in ("step", "model", "provider"):
        assert {one["successes"] for one in (await _groups(desk, by)).values()} == {None}, by


async def test_spending_is_of_the_time_that_is_asked_for_and_its_total_counts_what_is_not_shown(desk: Desk) -> None:
    every = await _listed(desk)
    last = max(one["started_at"] for one in every)
    nothing = await desk.get(f"{SPENDING}?since={last + 60_000}&until={last + 120_000}")

    assert (nothing["groups"], nothing["total"]["calls"], nothing["total"]["cost_usd"]) == ([], 0, "0")
    assert (await desk.get(f"{SPENDING}?until={every[-1]['started_at']}"))["total"]["calls"] == 0
    whole, first = await desk.get(f"{SPENDING}?by=run"), await desk.get(f"{SPENDING}?by=run&limit=1")
    assert first["groups"] == whole["groups"][:1]
    assert first["total"] == whole["total"]
    costs = [one["cost_nano_usd"] for one in whole["groups"]]
    assert costs == sorted(costs, reverse=True)


async def test_what_came_of_a_run_is_said_once_by_its_driver(desk: Desk) -> None:
    assert await desk.close("done", {"outcome": "succeeded"}) == (204, None)
    assert await desk.close("done") == (204, None)
    status, body = await desk.close("done", {"outcome": "failed"})
    assert (status, body["code"]) == (409, "conflict")
    assert "succeeded" in body["what"]
    for wrong in ({"outcome": "superb"}, {"outcome": 1}, {"result": "succeeded"}):
        status, body = await desk.close("done", wrong)
        assert (status, body["code"]) == (400, "bad_input"), wrong

    shown = await desk.get("/api/v1/runs/done")
    assert (shown["state"], shown["outcome"]) == ("closed", "succeeded")
    assert shown["ended_at"] >= shown["opened_at"]
    events = (await desk.get("/api/v1/audit?subject=done", "auditor"))["events"]
    closed = [one["body"] for one in events if one["kind"] == "run.closed"]
    assert closed == [{"agent": "refunds", "state": "closed", "outcome": "succeeded"}]


async def test_an_outcome_may_follow_a_close_but_not_an_operators_stop(desk: Desk) -> None:
    for id in ("late", "halted"):
        desk.keys[id] = await desk.open(id, "u-9")
    assert await desk.close("late") == (204, None)
    assert (await desk.get("/api/v1/runs/late"))["outcome"] is None
    assert await desk.close("late", {"outcome": "escalated"}) == (204, None)
    assert (await desk.get("/api/v1/runs/late"))["outcome"] == "escalated"

    assert (await desk.ask("operator", "POST", "/api/v1/runs/halted/stop"))[0] == 204
    status, body = await desk.close("halted", {"outcome": "succeeded"})
    assert (status, body["code"]) == (409, "conflict")
    assert (await desk.get("/api/v1/runs/halted"))["outcome"] is None


async def test_the_command_line_lists_explains_and_adds_up(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    listed = await desk.command(capsys, "models", "calls", "--run", "done")
    assert (listed.code, listed.err) == (0, "")
    act = next(line for line in listed.out.splitlines() if " act " in line).split()[0]
    assert "scripted at script" in listed.out

    shown = await desk.command(capsys, "models", "show", act)
    assert shown.code == 0
    for part in (
        "Why this model",
        "the caller asked for tier-small by name",
        "What was tried",
        "served",
        "the provider",
    ):
        assert part in shown.out
    assert "What it proposed" in shown.out
    assert "get_weather" in shown.out

    spending = await desk.command(capsys, "models", "spending", "--by", "agent", "--since", "1h")
    assert spending.code == 0
    assert [cell for cell in spending.out.splitlines()[1].split() if cell][:2] == ["refunds", "6"]
    assert "USD per successful run" in spending.out
    by_model = await desk.command(capsys, "models", "spending", "--by", "model", "--since", "7d")
    assert "successful" not in by_model.out
    empty = await desk.command(capsys, "models", "spending", "--since", "2d", "--until", "1d")
    assert "No model was asked in that time." in empty.out

    run = await desk.command(capsys, "runs", "show", "done")
    cost = (await _groups(desk, "run"))["done"]["cost_usd"]
    assert f"2 calls, {(await _groups(desk, 'run'))['done']['input_tokens']:,} tokens in" in run.out
    assert f"{cost} USD" in run.out
    assert "(succeeded)" in run.out
    assert act in run.out


async def test_the_command_line_tells_programs_what_the_api_tells(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    every = await _listed(desk)
    calls = await desk.command(capsys, "models", "calls", "--json")
    assert calls.json == {"model_calls": every}
    shown = await desk.command(capsys, "models", "show", every[1]["id"], "--json")
    assert shown.json == await desk.get(f"{CALLS}/{every[1]['id']}")
    told = (await desk.command(capsys, "models", "spending", "--by", "run", "--json")).json
    assert told["groups"] == (await desk.get(f"{SPENDING}?by=run"))["groups"]
    run = (await desk.command(capsys, "runs", "show", "done", "--json")).json
    assert run["model_calls"] == [every[1], every[5]]
    assert (run["run"]["outcome"], run["models"]["calls"]) == ("succeeded", 2)


@pytest.mark.parametrize(
    "arguments",
    [
        ("models", "show", "mc_nothing"),
        ("models", "calls", "--run", "nothing"),
        ("models", "spending", "--since", "yesterday"),
        ("models", "spending", "--by", "colour"),
    ],
)
async def test_a_command_that_cannot_be_carried_out_says_so_in_sentences(
    desk: Desk, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    ended = await desk.command(capsys, *arguments)

    assert ended.code != 0
    assert ended.err
    assert "Traceback" not in ended.err
