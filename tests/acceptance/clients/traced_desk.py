"""What every traced agent of the tests does around its framework: Interlock as its gate, and a judge of its answer."""

import json
import time
from typing import Any

from opentelemetry.trace import Span, Tracer, format_trace_id

from tests.acceptance.clients.tracing import propagating

ASKED = "Please refund order 7."


class Gate:
    """Interlock, as this agent knows it."""

    def __init__(self, url: str, key: str) -> None:
        self.url, self.key = url, key
        self.http = propagating()
        self.run, self.token = "", ""

    def open(self) -> None:
        opened = self._post("/api/v1/runs", {"instruction": ASKED, "user": {"id": "u-7"}}, self.key)
        self.run, self.token = opened["run"], opened["token"]

    def call(self, name: str, proposal: str, **arguments: Any) -> str:
        asked = {"tool": name, "arguments": arguments, "call_id": f"call-{name}", "proposal": proposal}
        answer = self._post("/v1/tool-calls", asked, self.token)
        while answer["status"] == "pending":
            time.sleep(0.1)
            answer = self._post("/v1/tool-calls", asked, self.token)
        return json.dumps(answer["result"])

    def close(self) -> None:
        self._post(f"/api/v1/runs/{self.run}/close", {"outcome": "succeeded"}, self.key)

    def _post(self, path: str, body: Any, bearer: str) -> Any:
        answer = self.http.post(f"{self.url}{path}", json=body, headers={"authorization": f"Bearer {bearer}"})
        answer.raise_for_status()
        return answer.json() if answer.content else None


def judge(tracer: Tracer, answer: str) -> None:
    """Score the answer, as the GenAI conventions have it."""
    with tracer.start_as_current_span("evaluate answer") as span:
        score = 1.0 if len(answer) < 80 else 0.0
        found: Any = {"gen_ai.evaluation.name": "Brevity", "gen_ai.evaluation.score.value": score}
        span.add_event("gen_ai.evaluation.result", found)


def tell(root: Span, gate: Gate, answer: str) -> None:
    """Print where the run is found and what came of it, as JSON."""
    trace = format_trace_id(root.get_span_context().trace_id)
    print(json.dumps({"trace": trace, "run": gate.run, "answer": answer}))
