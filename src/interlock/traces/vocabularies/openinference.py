"""OpenInference: the names that Arize's instrumentations write."""

from interlock.domain.spans import Category
from interlock.traces.vocabularies.vocabulary import Kinds, Vocabulary

OPENINFERENCE = Vocabulary(
    name="OpenInference",
    kinds=(
        Kinds(
            "openinference.span.kind",
            {
                "llm": Category.MODEL,
                "prompt": Category.OTHER,
                "chain": Category.OTHER,
                "agent": Category.AGENT,
                "tool": Category.TOOL,
                "retriever": Category.RETRIEVAL,
                "reranker": Category.RETRIEVAL,
                "embedding": Category.EMBEDDING,
                "guardrail": Category.DECISION,
                "evaluator": Category.EVALUATION,
            },
        ),
    ),
    run=("session.id",),
    workflow=("agent.name",),
    user=("user.id",),
    model=(
        "llm.response.model_name",
        "llm.model_name",
        "llm.request.model_name",
        "embedding.model_name",
        "reranker.model_name",
    ),
    input_tokens=("llm.token_count.prompt",),
    output_tokens=("llm.token_count.completion",),
    cost_usd=("llm.cost.total",),
)
