"""An agent made with LangGraph, traced with OpenInference, whose models and tools are Interlock's.

python -m tests.acceptance.clients.traced_langgraph URL KEY RECEIVERS    prints its trace and answer as JSON
"""

import json
import sys
import time
from typing import Annotated, Any

from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.messages import HumanMessage, SystemMessage
from langchain_core.retrievers import BaseRetriever
from langchain_core.tools import InjectedToolCallId, tool
from langchain_openai import ChatOpenAI
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode
from openinference.instrumentation.langchain import LangChainInstrumentor
from opentelemetry.trace import Tracer, format_trace_id

from tests.acceptance.clients.tracing import propagating, provider_of

ASKED = "Please refund order 7."


class Rules(BaseRetriever):  # type: ignore[misc]
    """The rules of the house."""

    def _get_relevant_documents(self, query: str, *, run_manager: CallbackManagerForRetrieverRun) -> list[Document]:
        return [Document(page_content="Refunds of up to 50 USD are fine.", metadata={"source": "rules"})]


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


def graph_of(gate: Gate) -> Any:
    """Return the agent: it looks up the rules, then lets the model propose calls until it answers."""

    @tool  # type: ignore[untyped-decorator]
    def find_order(order: str, tool_call_id: Annotated[str, InjectedToolCallId]) -> str:
        """Return an order."""
        return gate.call("find_order", tool_call_id, order=order)

    @tool  # type: ignore[untyped-decorator]
    def refund_order(order: str, amount_usd: float, tool_call_id: Annotated[str, InjectedToolCallId]) -> str:
        """Refund an order."""
        return gate.call("refund_order", tool_call_id, order=order, amount_usd=amount_usd)

    tools = [find_order, refund_order]
    model = ChatOpenAI(
        model="scripted", base_url=f"{gate.url}/v1", api_key=gate.token, http_client=gate.http
    ).bind_tools(tools)

    def look_up(state: MessagesState) -> Any:
        found = Rules().invoke(state["messages"][-1].text)
        return {"messages": [SystemMessage(found[0].page_content)]}

    def think(state: MessagesState) -> Any:
        return {"messages": [model.invoke(state["messages"])]}

    graph = StateGraph(MessagesState)
    graph.add_node("look_up", look_up)
    graph.add_node("think", think)
    graph.add_node("act", ToolNode(tools))
    graph.add_edge(START, "look_up")
    graph.add_edge("look_up", "think")
    graph.add_conditional_edges("think", lambda state: "act" if state["messages"][-1].tool_calls else END)
    graph.add_edge("act", "think")
    return graph.compile()


def judge(tracer: Tracer, answer: str) -> None:
    """Score the answer, as the GenAI conventions have it."""
    with tracer.start_as_current_span("evaluate answer") as span:
        score = 1.0 if len(answer) < 80 else 0.0
        found: Any = {"gen_ai.evaluation.name": "Brevity", "gen_ai.evaluation.score.value": score}
        span.add_event("gen_ai.evaluation.result", found)


def main() -> None:
    """Run the agent once."""
    url, key, receivers = sys.argv[1:]
    provider = provider_of("support-desk", json.loads(receivers))
    LangChainInstrumentor().instrument(tracer_provider=provider)
    tracer = provider.get_tracer("support-desk")
    gate = Gate(url, key)
    with tracer.start_as_current_span("POST /tickets") as root:
        gate.open()
        final = graph_of(gate).invoke({"messages": [HumanMessage(ASKED)]})
        answer = final["messages"][-1].text
        judge(tracer, answer)
        gate.close()
    provider.shutdown()
    trace = format_trace_id(root.get_span_context().trace_id)
    print(json.dumps({"trace": trace, "run": gate.run, "answer": answer}))


if __name__ == "__main__":
    main()
