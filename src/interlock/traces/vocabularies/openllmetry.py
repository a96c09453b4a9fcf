"""OpenLLMetry: the names that Traceloop's instrumentations write besides those of OpenTelemetry."""

from interlock.domain.spans import Category
from interlock.traces.vocabularies.vocabulary import Kinds, Vocabulary

OPENLLMETRY = Vocabulary(
    name="OpenLLMetry",
    kinds=(
        Kinds(
            "traceloop.span.kind",
            {
                "workflow": Category.AGENT,
                "agent": Category.AGENT,
                "tool": Category.TOOL,
                "task": Category.OTHER,
            },
        ),
        Kinds(
            "llm.request.type",
            {
                "chat": Category.MODEL,
                "completion": Category.MODEL,
                "embedding": Category.EMBEDDING,
                "rerank": Category.RETRIEVAL,
            },
        ),
    ),
    run=(
        "traceloop.association.properties.session_id",
        "traceloop.association.properties.thread_id",
        "traceloop.association.properties.conversation_id",
    ),
    workflow=("traceloop.workflow.name",),
    user=("traceloop.association.properties.user_id", "llm.user"),
    input_tokens=("llm.usage.prompt_tokens",),
    output_tokens=("llm.usage.completion_tokens",),
    signs={
        "db.vector.query.top_k": Category.RETRIEVAL,
        "db.vector.query.embeddings_count": Category.RETRIEVAL,
        "db.chroma.query.n_results": Category.RETRIEVAL,
        "db.milvus.search.limit": Category.RETRIEVAL,
        "qdrant.search.collection_name": Category.RETRIEVAL,
        "pinecone.query.top_k": Category.RETRIEVAL,
    },
)
