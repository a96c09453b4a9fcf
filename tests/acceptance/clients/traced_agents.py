"""An agent made with OpenAI's Agents SDK, traced with OpenInference, whose models and tools are Interlock's.

python -m tests.acceptance.clients.traced_agents URL KEY RECEIVERS    prints its trace and answer as JSON
"""

import asyncio
import json
import sys
from typing import Any

from agents import Agent, OpenAIChatCompletionsModel, Runner, function_tool
from agents.tool_context import ToolContext
from openai import AsyncOpenAI
from openinference.instrumentation.openai_agents import OpenAIAgentsInstrumentor
from opentelemetry.trace import Tracer

from tests.acceptance.clients.traced_desk import ASKED, Gate, judge, tell
from tests.acceptance.clients.tracing import propagating_async, provider_of


def agent_of(gate: Gate) -> Any:
    """Return the agent: the model proposes calls until it answers."""

    @function_tool  # type: ignore[untyped-decorator]
    def find_order(context: ToolContext[Any], order: str) -> str:
        """Return an order."""
        return gate.call("find_order", context.tool_call_id, order=order)

    @function_tool  # type: ignore[untyped-decorator]
    def refund_order(context: ToolContext[Any], order: str, amount_usd: float) -> str:
        """Refund an order."""
        return gate.call("refund_order", context.tool_call_id, order=order, amount_usd=amount_usd)

    client = AsyncOpenAI(base_url=f"{gate.url}/v1", api_key=gate.token, http_client=propagating_async())
    model = OpenAIChatCompletionsModel(model="scripted", openai_client=client)
    return Agent(name="refunds", instructions="Refund what is due.", model=model, tools=[find_order, refund_order])


def look_up(tracer: Tracer) -> None:
    """Look up the rules of the house, as the GenAI conventions have it."""
    said = {"gen_ai.operation.name": "retrieval", "gen_ai.data_source.id": "rules"}
    with tracer.start_as_current_span("retrieval rules", attributes=said):
        return


def main() -> None:
    """Run the agent once."""
    url, key, receivers = sys.argv[1:]
    provider = provider_of("support-desk", json.loads(receivers))
    OpenAIAgentsInstrumentor().instrument(tracer_provider=provider)
    tracer = provider.get_tracer("support-desk")
    gate = Gate(url, key)
    with tracer.start_as_current_span("POST /tickets") as root:
        gate.open()
        look_up(tracer)
        answer = str(asyncio.run(Runner.run(agent_of(gate), ASKED)).final_output)
        judge(tracer, answer)
        gate.close()
    provider.shutdown()
    tell(root, gate, answer)


if __name__ == "__main__":
    main()
