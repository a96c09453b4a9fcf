"""OpenTelemetry's GenAI conventions, the newest and the names that they had before."""

from interlock.domain.spans import Category
from interlock.traces.vocabularies.vocabulary import Kinds, Vocabulary

GENAI = Vocabulary(
    name="OpenTelemetry GenAI",
    kinds=(
        Kinds(
            "gen_ai.operation.name",
            {
                "chat": Category.MODEL,
                "generate_content": Category.MODEL,
                "text_completion": Category.MODEL,
                "embeddings": Category.EMBEDDING,
                "retrieval": Category.RETRIEVAL,
                "search_memory": Category.RETRIEVAL,
                "execute_tool": Category.TOOL,
                "create_agent": Category.AGENT,
                "invoke_agent": Category.AGENT,
                "invoke_workflow": Category.AGENT,
                "plan": Category.AGENT,
                "run_guardrail": Category.DECISION,
                "evaluate": Category.EVALUATION,
                # OpenLLMetry's own values.
                "vector_db_retrieve": Category.RETRIEVAL,
                "llm_request": Category.MODEL,
            },
        ),
    ),
    run=("gen_ai.conversation.id",),
    workflow=("gen_ai.workflow.name", "gen_ai.agent.name"),
    user=("user.id", "enduser.id", "gen_ai.user"),
    model=("gen_ai.response.model", "gen_ai.request.model"),
    input_tokens=("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens"),
    output_tokens=("gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens"),
    cost_usd=("gen_ai.usage.cost",),
    signs={
        "gen_ai.guardrail.verdict.type": Category.DECISION,
        "gen_ai.evaluation.name": Category.EVALUATION,
        "gen_ai.tool.call.id": Category.TOOL,
        "gen_ai.tool.name": Category.TOOL,
        "gen_ai.retrieval.query.text": Category.RETRIEVAL,
        "gen_ai.retrieval.documents": Category.RETRIEVAL,
        # Of the time before `gen_ai.operation.name`: only calls of models had these.
        "gen_ai.request.model": Category.MODEL,
        "gen_ai.usage.prompt_tokens": Category.MODEL,
        "gen_ai.prompt": Category.MODEL,
        "gen_ai.completion": Category.MODEL,
    },
)
