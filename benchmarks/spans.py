"""Export requests as an agent's instrumentation sends them, with varied text."""

import random
import time

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

PER_TRACE = 12
WORKFLOWS = 8
_WORDS = (
    *("the", "customer", "asked", "about", "an", "order", "that", "arrived", "late"),
    *("and", "wants", "a", "refund", "our", "policy", "says", "within", "thirty"),
    *("days", "so", "agent", "looked", "up", "record", "found", "delivery", "note"),
    *("replied", "with", "apology", "offered", "one", "voucher", "checked", "stock", "carrier"),
    *("confirmed", "payment", "status", "is", "pending", "escalation", "was", "approved", "by"),
    *("somebody", "on", "shift"),
)


def request(spans: int, generator: random.Random) -> bytes:
    """Return a request of `spans` spans, about 2 KB each, in traces of `PER_TRACE`."""
    message = ExportTraceServiceRequest()
    group = message.resource_spans.add()
    group.resource.attributes.extend(
        _attribute(name, value)
        for name, value in (
            ("service.name", "support"),
            ("telemetry.sdk.language", "python"),
            ("telemetry.sdk.name", "opentelemetry"),
            ("telemetry.sdk.version", "1.45.2"),
        )
    )
    part = group.scope_spans.add()
    part.scope.name = "openinference.instrumentation.langchain"
    now = time.time_ns()
    trace = root = b""
    for number in range(spans):
        first = number % PER_TRACE == 0
        if first:
            trace, root = generator.randbytes(16), generator.randbytes(8)
        one = part.spans.add()
        one.trace_id = trace
        one.span_id = root if first else generator.randbytes(8)
        one.start_time_unix_nano = now - generator.randrange(1, 2_000_000_000)
        one.end_time_unix_nano = now
        _fill(one, root, generator, first=first)
    whole: bytes = message.SerializeToString()
    return whole


def _fill(one: Span, root: bytes, generator: random.Random, *, first: bool) -> None:
    said: dict[str, str | int | float]
    if first:
        one.name = "support agent"
        said = {
            "openinference.span.kind": "AGENT",
            "agent.name": f"workflow {generator.randrange(WORKFLOWS)}",
            "session.id": f"session of {generator.choice(_WORDS)}",
            "user.id": f"user of {generator.choice(_WORDS)}",
        }
    else:
        one.name, one.parent_span_id, one.kind = "ChatOpenAI", root, Span.SPAN_KIND_CLIENT
        said = {
            "openinference.span.kind": "LLM",
            "llm.model_name": "small",
            "llm.provider": "openai",
            "llm.token_count.prompt": generator.randrange(2_000),
            "llm.token_count.completion": generator.randrange(300),
            "llm.cost.total": generator.random() / 100,
            "llm.invocation_parameters": '{"temperature": 0.2}',
            "input.mime_type": "text/plain",
        }
    said["input.value"], said["output.value"] = _text(1_100, generator), _text(500, generator)
    one.attributes.extend(_attribute(name, value) for name, value in said.items())


def _attribute(name: str, value: str | float) -> KeyValue:
    if isinstance(value, str):
        return KeyValue(key=name, value=AnyValue(string_value=value))
    if isinstance(value, int):
        return KeyValue(key=name, value=AnyValue(int_value=value))
    return KeyValue(key=name, value=AnyValue(double_value=value))


def _text(length: int, generator: random.Random) -> str:
    return " ".join(generator.choices(_WORDS, k=length // 5 + 1))[:length]
