"""Each role on each route: allowed exactly as written down here, and here is what the reference says."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from interlock.domain.canonical import Json
from interlock.server.app import all_routes
from tests.kits.api import Answer, Api, an_api

ROOT = Path(__file__).resolve().parent.parent.parent
REFERENCE = json.loads((ROOT / "docs" / "reference" / "openapi.json").read_text())

NOBODY = "no-such-thing"
PEOPLE = ("agent", "token", "operator", "approver", "auditor", "admin")
EVERYONE = set(PEOPLE)

CHAT: Json = {"model": "m", "messages": [{"role": "user", "content": "Hello"}]}

# Written by hand, so that it does not follow the code: (method, path) -> body, and who may.
ROUTES: dict[tuple[str, str], tuple[Json, set[str]]] = {
    ("POST", "/api/v1/runs"): ({"agent": "refunds"}, {"agent", "operator", "admin"}),
    ("GET", "/api/v1/runs"): (None, EVERYONE),
    ("GET", "/api/v1/runs/{run}"): (None, EVERYONE),
    ("GET", "/api/v1/runs/{run}/calls"): (None, EVERYONE),
    ("GET", "/api/v1/calls"): (None, EVERYONE),
    ("GET", "/api/v1/model-calls"): (None, EVERYONE),
    ("GET", "/api/v1/model-calls/{model_call}"): (None, EVERYONE),
    ("GET", "/api/v1/spending"): (None, {"operator", "auditor", "admin"}),
    ("POST", "/api/v1/runs/{run}/instructions"): ({"text": "Go on."}, {"agent", "operator", "admin"}),
    ("POST", "/api/v1/runs/{run}/close"): (None, {"agent", "token", "operator", "admin"}),
    ("POST", "/api/v1/runs/{run}/stop"): (None, {"operator", "admin"}),
    ("POST", "/api/v1/runs/{run}/calls/{call}/resolve"): (
        {"happened": True, "note": "The bank says so."},
        {"operator", "admin"},
    ),
    ("GET", "/api/v1/runs/{run}/replay"): (None, {"operator", "auditor", "admin"}),
    ("POST", "/api/v1/runs/{run}/fork"): ({"at": "1"}, {"agent", "operator", "admin"}),
    ("GET", "/api/v1/near-misses"): (None, {"operator", "auditor", "admin"}),
    ("GET", "/api/v1/explain"): (None, {"operator", "approver", "auditor", "admin"}),
    ("GET", "/api/v1/traces"): (None, {"operator", "approver", "auditor", "admin"}),
    ("GET", "/api/v1/traces/{trace}"): (None, EVERYONE),
    ("GET", "/api/v1/figures"): (None, {"operator", "approver", "auditor", "admin"}),
    ("GET", "/api/v1/approvals"): (None, {"operator", "approver", "auditor", "admin"}),
    ("GET", "/api/v1/approvals/{approval}"): (None, {"operator", "approver", "auditor", "admin"}),
    ("POST", "/api/v1/approvals/{approval}/approve"): ({"reason": "Fine."}, {"approver"}),
    ("POST", "/api/v1/approvals/{approval}/deny"): ({"reason": "No."}, {"approver"}),
    ("POST", "/api/v1/approvals/{approval}/edit"): ({"arguments": {}, "reason": "So."}, {"approver"}),
    ("GET", "/api/v1/brakes"): (None, {"operator", "approver", "auditor", "admin"}),
    ("POST", "/api/v1/brakes"): (
        {"target": "tool", "name": "nothing.at.all", "reason": "Drill.", "for_seconds": 60},
        {"operator", "admin"},
    ),
    ("DELETE", "/api/v1/brakes/{brake}"): (None, {"operator", "admin"}),
    ("GET", "/api/v1/tools"): (None, {"operator", "approver", "auditor", "admin"}),
    ("GET", "/api/v1/tools/{tool}"): (None, {"operator", "approver", "auditor", "admin"}),
    ("GET", "/api/v1/tools/{tool}/diff"): (None, {"operator", "approver", "auditor", "admin"}),
    ("POST", "/api/v1/tools/{tool}/approve"): ({"surface_hash": "0" * 64}, {"operator", "admin"}),
    ("GET", "/api/v1/keys"): (None, {"auditor", "admin"}),
    ("POST", "/api/v1/keys"): ({"name": "new", "roles": ["auditor"]}, {"admin"}),
    ("DELETE", "/api/v1/keys/{key}"): (None, {"admin"}),
    ("POST", "/api/v1/tokens/renew"): (None, {"token"}),
    ("POST", "/api/v1/tokens/delegate"): ({"tools": ["orders.read"]}, {"token"}),
    ("POST", "/api/v1/tokens/revoke"): (None, {"token"}),
    ("GET", "/api/v1/budgets"): (None, {"operator", "auditor", "admin"}),
    ("GET", "/api/v1/audit"): (None, {"auditor", "admin"}),
    ("GET", "/api/v1/audit/checkpoint"): (None, {"auditor", "admin"}),
    ("GET", "/api/v1/audit/proofs/{event}"): (None, {"auditor", "admin"}),
    ("GET", "/api/v1/audit/tile/{path}"): (None, {"auditor", "admin"}),
    ("GET", "/api/v1/audit/export"): (None, {"auditor", "admin"}),
    ("POST", "/api/v1/erasures"): ({"user": "nobody"}, {"admin"}),
    ("GET", "/api/v1/holds"): (None, {"operator", "auditor", "admin"}),
    ("POST", "/api/v1/holds"): ({"scope": "user", "name": "nobody", "reason": "Drill."}, {"admin"}),
    ("DELETE", "/api/v1/holds/{hold}"): (None, {"admin"}),
    ("GET", "/api/v1/retention"): (None, {"operator", "auditor", "admin"}),
    ("GET", "/api/v1/openapi.json"): (None, EVERYONE),
    ("POST", "/v1/tool-calls"): ({"tool": "orders.read", "arguments": {"order_id": "7"}}, {"agent", "token"}),
    ("GET", "/v1/tool-calls/{run}/{call_id}"): (None, EVERYONE),
    ("POST", "/mcp"): ({"jsonrpc": "2.0", "id": 1, "method": "ping"}, {"agent", "token"}),
    ("DELETE", "/mcp"): (None, {"agent", "token"}),
    ("POST", "/v1/chat/completions"): (CHAT, {"agent", "token"}),
    ("POST", "/v1/responses"): ({"model": "m", "input": "Hello"}, {"agent", "token"}),
    ("POST", "/v1/responses/input_tokens"): ({"model": "m", "input": "Hello"}, {"agent", "token"}),
    ("POST", "/v1/embeddings"): ({"model": "m", "input": "Hello"}, {"agent", "token"}),
    ("POST", "/v1/messages"): ({**CHAT, "max_tokens": 9}, {"agent", "token"}),
    ("POST", "/v1/messages/count_tokens"): (CHAT, {"agent", "token"}),
    ("GET", "/v1/models"): (None, {"agent", "token"}),
    ("GET", "/v1/models/{id}"): (None, {"agent", "token"}),
}
HEALTH = {("GET", "/healthz"), ("GET", "/readyz")}
ORDER = sorted(ROUTES, key=lambda route: (route[1].endswith("/revoke"), "/{run}/close" in route[1], route))


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with an_api(tmp_path) as served:
        await served.open()
        yield served


async def _try(api: Api, who: str | None, method: str, path: str, body: Json) -> Answer:
    for name in ("call_id", "model_call", "call", "approval", "brake", "tool", "key", "id", "event", "path", "hold"):
        path = path.replace(f"{{{name}}}", NOBODY)
    return await api.ask(who, method, path.replace("{run}", api.run), body)


@pytest.mark.parametrize("who", PEOPLE)
async def test_each_role_may_use_exactly_the_routes_that_are_written_down_for_it(api: Api, who: str) -> None:
    let_in = set()
    for method, path in ORDER:
        answer = await _try(api, who, method, path, ROUTES[method, path][0])
        assert answer.status not in (401, 405, 500), (method, path, answer)
        if answer.status != 403:
            let_in.add((method, path))
        else:
            assert answer.code == "forbidden", (method, path, answer)

    assert let_in == {route for route, (_, people) in ROUTES.items() if who in people}


async def test_no_route_but_health_answers_an_anonymous_caller(api: Api) -> None:
    for method, path in ORDER:
        answer = await _try(api, None, method, path, ROUTES[method, path][0])
        assert (answer.status, answer.code) == (401, "unauthenticated"), (method, path)
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    for method, path in HEALTH:
        assert (await _try(api, None, method, path, None)).status == 200


@pytest.mark.parametrize("bearer", ["ilk_" + "x" * 43, "ilt_" + "x" * 43, "nonsense", "ilk_", "x" * 600])
async def test_a_bearer_that_nobody_gave_out_is_nobody(api: Api, bearer: str) -> None:
    for path in ("/api/v1/runs", "/api/v1/openapi.json", "/api/v1/keys"):
        answer = await api.ask(None, "GET", path, headers={"Authorization": f"Bearer {bearer}"})
        assert (answer.status, answer.code) == (401, "unauthenticated")
        assert bearer not in json.dumps(answer.body)


async def test_a_revoked_key_and_a_revoked_token_are_nobody_at_once(api: Api) -> None:
    listed = await api.ask("admin", "GET", "/api/v1/keys")
    mine = next(key["id"] for key in listed.body["keys"] if key["name"] == "operator")
    assert (await api.ask("admin", "DELETE", f"/api/v1/keys/{mine}")).status == 204
    assert (await api.ask("operator", "GET", "/api/v1/runs")).status == 401

    assert (await api.ask("token", "POST", "/api/v1/tokens/revoke")).body == {"revoked": 1}
    assert (await api.ask("token", "GET", f"/api/v1/runs/{api.run}")).status == 401


async def test_a_run_token_sees_its_own_run_and_no_other_of_the_same_agent(api: Api) -> None:
    first = api.run
    await api.call("orders.read", "c1", order_id="7")
    await api.open()

    assert [run["run"] for run in (await api.ask("token", "GET", "/api/v1/runs")).body["runs"]] == [api.run]
    assert (await api.ask("token", "GET", "/api/v1/calls")).body == {"calls": []}
    assert (await api.ask("token", "GET", f"/api/v1/runs/{first}/calls")).code == "unknown_run"
    assert (await api.ask("token", "GET", f"/api/v1/calls?run={first}")).code == "unknown_run"
    assert len((await api.ask("agent", "GET", "/api/v1/runs")).body["runs"]) == 2


async def test_the_reference_names_every_route_with_the_roles_that_hold(api: Api) -> None:
    described = {
        (method.upper(), path): operation
        for path, operations in REFERENCE["paths"].items()
        for method, operation in operations.items()
    }
    served = {(method, route.path) for route in all_routes(api.desks) for method in route.methods - {"HEAD"}}
    roles = {key: set(operation.get("x-roles", ())) for key, operation in described.items() if key not in HEALTH}

    assert set(described) == served == set(ROUTES) | HEALTH
    for route, named in roles.items():
        people = ROUTES[route][1] - {"token"} | ({"agent"} if "token" in ROUTES[route][1] else set())
        with_admin = named | ({"admin"} if named & {"operator", "auditor"} else set())
        assert with_admin == people, route


async def test_the_served_reference_is_the_one_in_the_repository(api: Api) -> None:
    assert (await api.ask("auditor", "GET", "/api/v1/openapi.json")).body == REFERENCE
