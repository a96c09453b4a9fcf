"""What each kind of provider puts on the wire, written from its reference and not by our codecs."""

import base64
import json
import struct
import zlib
from hashlib import blake2b
from typing import Any

from interlock.domain.models import Dialect, Usage
from tests.kits.upstream_openai import OpenAiChatFormat, OpenAiResponsesFormat
from tests.kits.upstream_told import Format, Told, sse


class AnthropicFormat:
    stream_type = "text/event-stream; charset=utf-8"

    def _usage(self, usage: Usage) -> dict[str, Any]:
        written = usage.cache_write + usage.cache_write_1h
        return {
            "input_tokens": usage.input - usage.cache_read - written,
            "cache_read_input_tokens": usage.cache_read,
            "cache_creation_input_tokens": written,
            "cache_creation": {
                "ephemeral_5m_input_tokens": usage.cache_write,
                "ephemeral_1h_input_tokens": usage.cache_write_1h,
            },
            "output_tokens": usage.output,
        }

    def _message(self, told: Told) -> dict[str, Any]:
        blocks: list[dict[str, Any]] = [{"type": "text", "text": told.text}] if told.words else []
        for id, name, arguments in told.calls:
            blocks.append({"type": "tool_use", "id": id, "name": name, "input": json.loads(arguments)})
        return {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": told.model,
            "content": blocks,
            "stop_reason": "tool_use" if told.calls else "end_turn",
            "stop_sequence": None,
            "usage": self._usage(told.usage),
        }

    def whole(self, told: Told) -> Any:
        return self._message(told)

    def head(self, told: Told) -> list[bytes]:
        message = self._message(told) | {"content": [], "stop_reason": None}
        message["usage"] = {**message["usage"], "output_tokens": 1}
        events = [sse({"type": "message_start", "message": message}, "message_start")]
        if told.words:
            begun = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
            events.append(sse(begun, "content_block_start"))
            events.append(sse({"type": "ping"}, "ping"))
        return events

    def piece(self, words: str) -> bytes:
        delta = {"type": "text_delta", "text": words}
        return sse({"type": "content_block_delta", "index": 0, "delta": delta}, "content_block_delta")

    def tail(self, told: Told) -> list[bytes]:
        events, first = [], 0
        if told.words:
            events.append(sse({"type": "content_block_stop", "index": 0}, "content_block_stop"))
            first = 1
        for index, (id, name, arguments) in enumerate(told.calls, first):
            block = {"type": "tool_use", "id": id, "name": name, "input": {}}
            delta = {"type": "input_json_delta", "partial_json": arguments}
            begun = {"type": "content_block_start", "index": index, "content_block": block}
            events.append(sse(begun, "content_block_start"))
            events.append(sse({"type": "content_block_delta", "index": index, "delta": delta}, "content_block_delta"))
            events.append(sse({"type": "content_block_stop", "index": index}, "content_block_stop"))
        ended = {"stop_reason": "tool_use" if told.calls else "end_turn", "stop_sequence": None}
        usage = {"output_tokens": told.usage.output}
        events.append(sse({"type": "message_delta", "delta": ended, "usage": usage}, "message_delta"))
        return [*events, sse({"type": "message_stop"}, "message_stop")]

    def error(self, status: int, message: str) -> Any:
        kinds = {429: "rate_limit_error", 529: "overloaded_error", 400: "invalid_request_error"}
        return {"type": "error", "error": {"type": kinds.get(status, "api_error"), "message": message}}

    def stream_error(self, message: str) -> bytes:
        return sse(self.error(529, message), "error")

    def models(self, names: tuple[str, ...]) -> Any:
        return {"data": [{"type": "model", "id": name} for name in names], "has_more": False, "last_id": names[-1]}


class GeminiFormat:
    stream_type = "text/event-stream"

    def _answer(self, parts: list[dict[str, Any]], reason: str | None, usage: Usage | None) -> dict[str, Any]:
        candidate: dict[str, Any] = {"content": {"role": "model", "parts": parts}, "index": 0}
        if reason is not None:
            candidate["finishReason"] = reason
        answer: dict[str, Any] = {"candidates": [candidate], "modelVersion": "m", "responseId": "r1"}
        if usage is not None:
            answer["usageMetadata"] = {
                "promptTokenCount": usage.input,
                "candidatesTokenCount": usage.output - usage.reasoning,
                "thoughtsTokenCount": usage.reasoning,
                "cachedContentTokenCount": usage.cache_read,
                "totalTokenCount": usage.total,
            }
        return answer

    def _calls(self, told: Told) -> list[dict[str, Any]]:
        return [{"functionCall": {"name": name, "args": json.loads(arguments)}} for _, name, arguments in told.calls]

    def whole(self, told: Told) -> Any:
        words: list[dict[str, Any]] = [{"text": told.text}] if told.words else []
        return self._answer([*words, *self._calls(told)], "STOP", told.usage)

    def head(self, told: Told) -> list[bytes]:
        return []

    def piece(self, words: str) -> bytes:
        return sse(self._answer([{"text": words}], None, None))

    def tail(self, told: Told) -> list[bytes]:
        return [sse(self._answer(self._calls(told) or [{"text": ""}], "STOP", told.usage))]

    def error(self, status: int, message: str) -> Any:
        words = {429: "RESOURCE_EXHAUSTED", 400: "INVALID_ARGUMENT", 500: "INTERNAL"}
        return {"error": {"code": status, "message": message, "status": words.get(status, "UNAVAILABLE")}}

    def stream_error(self, message: str) -> bytes:
        return sse(self.error(503, message))

    def models(self, names: tuple[str, ...]) -> Any:
        return {"models": [{"name": f"models/{name}"} for name in names]}


class BedrockFormat:
    stream_type = "application/vnd.amazon.eventstream"

    def _usage(self, usage: Usage) -> dict[str, Any]:
        cached = usage.cache_read + usage.cache_write
        return {
            "inputTokens": usage.input - cached,
            "outputTokens": usage.output,
            "totalTokens": usage.total,
            "cacheReadInputTokens": usage.cache_read,
            "cacheWriteInputTokens": usage.cache_write,
        }

    def whole(self, told: Told) -> Any:
        content: list[dict[str, Any]] = [{"text": told.text}] if told.words else []
        for id, name, arguments in told.calls:
            content.append({"toolUse": {"toolUseId": id, "name": name, "input": json.loads(arguments)}})
        return {
            "output": {"message": {"role": "assistant", "content": content}},
            "stopReason": "tool_use" if told.calls else "end_turn",
            "usage": self._usage(told.usage),
            "metrics": {"latencyMs": 1},
        }

    def head(self, told: Told) -> list[bytes]:
        return [aws_event("messageStart", {"role": "assistant"})]

    def piece(self, words: str) -> bytes:
        return aws_event("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": words}})

    def tail(self, told: Told) -> list[bytes]:
        events, first = [], 0
        if told.words:
            events.append(aws_event("contentBlockStop", {"contentBlockIndex": 0}))
            first = 1
        for index, (id, name, arguments) in enumerate(told.calls, first):
            begun = {"toolUse": {"toolUseId": id, "name": name}}
            delta = {"toolUse": {"input": arguments}}
            events.append(aws_event("contentBlockStart", {"contentBlockIndex": index, "start": begun}))
            events.append(aws_event("contentBlockDelta", {"contentBlockIndex": index, "delta": delta}))
            events.append(aws_event("contentBlockStop", {"contentBlockIndex": index}))
        events.append(aws_event("messageStop", {"stopReason": "tool_use" if told.calls else "end_turn"}))
        metadata = {"usage": self._usage(told.usage), "metrics": {"latencyMs": 1}}
        return [*events, aws_event("metadata", metadata)]

    def error(self, status: int, message: str) -> Any:
        return {"message": message}

    def stream_error(self, message: str) -> bytes:
        payload = json.dumps({"message": message}).encode()
        headers = {
            ":message-type": "exception",
            ":exception-type": "modelStreamErrorException",
            ":content-type": "application/json",
        }
        return aws_frame(headers, payload)

    def models(self, names: tuple[str, ...]) -> Any:
        return {"modelSummaries": [{"modelId": name} for name in names]}


def aws_event(name: str, payload: Any) -> bytes:
    headers = {":event-type": name, ":content-type": "application/json", ":message-type": "event"}
    return aws_frame(headers, json.dumps(payload).encode())


def aws_frame(headers: dict[str, str], payload: bytes) -> bytes:
    """Return one message of vnd.amazon.eventstream, with string headers."""
    packed = b"".join(
        struct.pack(">B", len(name)) + name.encode() + struct.pack(">BH", 7, len(value.encode())) + value.encode()
        for name, value in headers.items()
    )
    prelude = struct.pack(">II", 12 + len(packed) + len(payload) + 4, len(packed))
    message = prelude + struct.pack(">I", zlib.crc32(prelude)) + packed + payload
    return message + struct.pack(">I", zlib.crc32(message))


def embeddings(body: Any, usage: Usage) -> Any:
    """Return an answer to an embeddings request: a few numbers from a hash of each text."""
    texts = body["input"] if isinstance(body["input"], list) else [body["input"]]
    rows = []
    for index, text in enumerate(texts):
        vector = [byte / 255 for byte in blake2b(str(text).encode(), digest_size=8).digest()]
        packed = base64.b64encode(struct.pack("<8f", *vector)).decode()
        chosen: Any = packed if body.get("encoding_format") == "base64" else vector
        rows.append({"object": "embedding", "index": index, "embedding": chosen})
    used = {"prompt_tokens": usage.input, "total_tokens": usage.input}
    return {"object": "list", "data": rows, "model": body.get("model", "m"), "usage": used}


FORMATS: dict[Dialect, Format] = {
    Dialect.OPENAI_CHAT: OpenAiChatFormat(),
    Dialect.OPENAI_RESPONSES: OpenAiResponsesFormat(),
    Dialect.ANTHROPIC: AnthropicFormat(),
    Dialect.GEMINI: GeminiFormat(),
    Dialect.BEDROCK: BedrockFormat(),
}
