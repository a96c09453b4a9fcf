"""An agent made with LangGraph, traced with OpenInference, whose models and tools are Interlock's.

python -m tests.acceptance.clients.traced_langgraph URL KEY RECEIVERS    prints its trace and answer as JSON
"""

import json
import sys
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

from tests.acceptance.clients.traced_desk import ASKED, Gate, judge, tell
from tests.acceptance.clients.tracing import provider_of


class Rules(BaseRetriever):  # type: ignore[misc]
    """The rules of the house."""

    def _get_relevant_documents(self, query: str, *, run_manager: CallbackManagerForRetrieverRun) -> list[Document]:
        return [Document(page_content="Refunds of up to 50 USD are fine.", metadata={"source": "rules"})]


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
    tell(root, gate, answer)


if __name__ == "__main__":
    main()
