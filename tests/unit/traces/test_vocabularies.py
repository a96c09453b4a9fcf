"""Each vocabulary comes to the same schema, as the real instrumentations write it."""

from pathlib import Path

import pytest

from interlock.domain.spans import Category
from interlock.traces.details import span_of
from interlock.traces.ports import SpanRow
from interlock.traces.told import Told
from interlock.traces.understanding import understood
from interlock.traces.vocabularies import VOCABULARIES
from tests.unit.traces.kit import TOLD, taken

ROOT = Path(__file__).parents[3]
CONVERSATION = "01a1fc65-aae7-763a-8b43-e71ab40eb28"
GOLDEN: dict[str, list[tuple[str, str, str, str, str, str, int, int]]] = {
    # name, category, run, workflow, user, model, tokens in, tokens out
    "openinference_langgraph": [
        ("Ret", "retrieval", "session-7", "", "user-3", "", 0, 0),
        ("refund", "tool", "session-7", "", "user-3", "", 0, 0),
        ("broken", "tool", "session-7", "", "user-3", "", 0, 0),
        ("GenericFakeChatModel", "model", "session-7", "", "user-3", "", 120, 9),
        ("agent", "agent", "session-7", "agent", "user-3", "", 0, 0),
        ("support agent", "agent", "session-7", "support agent", "user-3", "", 0, 0),
    ],
    "openllmetry_langgraph": [
        ("vector_db_retrieve Ret", "retrieval", "", "support agent", "", "", 0, 0),
        ("execute_tool refund", "tool", "", "support agent", "", "", 0, 0),
        ("execute_tool broken", "tool", "", "support agent", "", "", 0, 0),
        ("GenericFakeChatModel.chat", "model", "", "support agent", "", "unknown", 120, 9),
        ("execute_task agent", "other", "", "support agent", "", "", 0, 0),
        ("support agent.workflow", "agent", "", "support agent", "", "", 0, 0),
        ("invoke_agent support agent", "agent", "", "support agent", "", "", 0, 0),
    ],
    "genai_pydantic_ai": [
        ("chat test", "model", CONVERSATION, "support agent", "", "test", 54, 5),
        ("execute_tool refund", "tool", CONVERSATION, "support agent", "", "", 0, 0),
        ("chat test", "model", CONVERSATION, "support agent", "", "test", 56, 10),
        ("invoke_agent support agent", "agent", CONVERSATION, "support agent", "", "", 0, 0),
        ("chat small", "model", "", "support", "", "small", 0, 0),
        ("evaluation relevance", "evaluation", "", "support", "", "", 0, 0),
    ],
}


def _seen(row: SpanRow) -> tuple[str, str, str, str, str, str, int, int]:
    run = row.run[: len(CONVERSATION)]
    return row.name, row.category, run, row.workflow, row.user, row.model, row.input_tokens, row.output_tokens


@pytest.mark.parametrize("name", GOLDEN)
def test_what_instrumentations_really_write_comes_to_one_schema(name: str) -> None:
    outcome = taken((TOLD / f"{name}.json").read_bytes())
    assert [_seen(row) for row in outcome.rows] == GOLDEN[name]
    assert not outcome.rejected
    assert not outcome.dropped


@pytest.mark.parametrize("name", GOLDEN)
def test_attributes_come_back_as_they_were_told(name: str) -> None:
    outcome = taken((TOLD / f"{name}.json").read_bytes())
    bodies = {hash: text for row in outcome.rows for _, hash, text in row.bodies}
    spans = [span_of(row, bodies) for row in outcome.rows]
    assert all(span.resource["service.name"] == "support" for span in spans if span.category is not Category.EVALUATION)
    told = {span.name: span for span in spans}
    match name:
        case "openinference_langgraph":
            document = told["Ret"].attributes["retrieval.documents.0.document.content"]
            assert str(document).startswith("Refunds are paid within thirty days")
            assert len(str(document)) > 256
            (failed,) = told["broken"].events
            assert failed.attributes["exception.type"] == "ValueError"
            assert "Traceback" in str(failed.attributes["exception.stacktrace"])
        case "openllmetry_langgraph":
            path = told["execute_tool refund"].attributes["traceloop.association.properties.langgraph_path"]
            assert path == ("__pregel_pull", "agent")
        case "genai_pydantic_ai":
            judged = told["evaluation relevance"]
            assert judged.attributes["gen_ai.evaluation.score.value"] == 0.82
            assert judged.parent_id == told["chat small"].span_id


@pytest.mark.parametrize(
    ("attributes", "category"),
    [
        ({"gen_ai.operation.name": "embeddings"}, Category.EMBEDDING),
        ({"gen_ai.operation.name": "retrieval"}, Category.RETRIEVAL),
        ({"gen_ai.operation.name": "invoke_workflow"}, Category.AGENT),
        ({"gen_ai.guardrail.verdict.type": "deny"}, Category.DECISION),
        ({"gen_ai.system": "openai", "gen_ai.request.model": "gpt-4"}, Category.MODEL),
        ({"openinference.span.kind": "GUARDRAIL"}, Category.DECISION),
        ({"openinference.span.kind": "EVALUATOR"}, Category.EVALUATION),
        ({"openinference.span.kind": "CHAIN", "gen_ai.request.model": "gpt-4"}, Category.OTHER),
        ({"llm.request.type": "rerank"}, Category.RETRIEVAL),
        ({"traceloop.span.kind": "workflow"}, Category.AGENT),
        ({"db.vector.query.top_k": 3}, Category.RETRIEVAL),
        ({"interlock.category": "approval"}, Category.APPROVAL),
        ({"openinference.span.kind": "not one that we know"}, Category.OTHER),
        ({"http.request.method": "GET"}, Category.OTHER),
    ],
)
def test_the_kind_of_work_is_told_by_each_vocabulary(attributes: dict[str, Told], category: Category) -> None:
    assert understood(attributes).category is category


def test_older_names_of_tokens_count_as_the_newer_ones_do() -> None:
    older: dict[str, Told] = {"gen_ai.usage.prompt_tokens": 12, "gen_ai.usage.completion_tokens": 3}
    newer: dict[str, Told] = {"gen_ai.usage.input_tokens": 12, "gen_ai.usage.output_tokens": 3}
    inference: dict[str, Told] = {"llm.token_count.prompt": 12, "llm.token_count.completion": 3}
    for names in (older, newer, inference):
        found = understood(names)
        assert (found.input_tokens, found.output_tokens) == (12, 3)


@pytest.mark.parametrize(
    ("value", "nanos"),
    [(0.0125, 12_500_000), ("0.0125", 12_500_000), (-1.0, 0), ("free", 0), (True, 0), (1e300, 10**15), ([1], 0)],
)
def test_cost_in_dollars_becomes_whole_nano_dollars_that_sums_can_bear(value: Told, nanos: int) -> None:
    assert understood({"llm.cost.total": value}).cost_nano_usd == nanos


def test_every_name_belongs_to_one_column_only() -> None:
    for vocabulary in VOCABULARIES:
        columns = (vocabulary.run, vocabulary.workflow, vocabulary.user, vocabulary.model)
        counted = (vocabulary.input_tokens, vocabulary.output_tokens, vocabulary.cost_usd, vocabulary.cost_nano_usd)
        names = [name for column in (*columns, *counted) for name in column]
        assert len(names) == len(set(names)), vocabulary.name


def test_the_reference_names_every_attribute_that_is_understood() -> None:
    page = (ROOT / "docs/reference/traces-api.md").read_text()
    for vocabulary in VOCABULARIES:
        columns = (vocabulary.run, vocabulary.workflow, vocabulary.user, vocabulary.model)
        counted = (vocabulary.input_tokens, vocabulary.output_tokens, vocabulary.cost_usd, vocabulary.cost_nano_usd)
        named = {name for column in (*columns, *counted) for name in column}
        named |= {kinds.attribute for kinds in vocabulary.kinds}
        assert {name for name in named if f"`{name}`" not in page} == set(), vocabulary.name
