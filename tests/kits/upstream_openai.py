"""OpenAI's formats on the wire, written from its reference and not by our codecs."""

from typing import Any

from interlock.domain.models import Usage
from tests.kits.upstream_told import Told, sse


class OpenAiChatFormat:
    stream_type = "text/event-stream"

    def _usage(self, usage: Usage) -> dict[str, Any]:
        return {
            "prompt_tokens": usage.input,
            "completion_tokens": usage.output,
            "total_tokens": usage.total,
            "prompt_tokens_details": {"cached_tokens": usage.cache_read},
            "completion_tokens_details": {"reasoning_tokens": usage.reasoning},
        }

    def _calls(self, told: Told) -> list[dict[str, Any]]:
        return [
            {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}
            for id, name, arguments in told.calls
        ]

    def whole(self, told: Told) -> Any:
        message: dict[str, Any] = {"role": "assistant", "content": told.text or None}
        if told.calls:
            message["tool_calls"] = self._calls(told)
        reason = "tool_calls" if told.calls else "stop"
        return {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1,
            "model": told.model,
            "choices": [{"index": 0, "message": message, "finish_reason": reason, "logprobs": None}],
            "usage": self._usage(told.usage),
        }

    def _chunk(self, delta: Any, reason: str | None = None, **more: Any) -> bytes:
        choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": reason}]
        return sse(
            {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": choices}
            | more
        )

    def head(self, told: Told) -> list[bytes]:
        return [self._chunk({"role": "assistant", "content": ""})]

    def piece(self, words: str) -> bytes:
        return self._chunk({"content": words})

    def tail(self, told: Told) -> list[bytes]:
        events = [
            self._chunk({"tool_calls": [{"index": index, **call}]}) for index, call in enumerate(self._calls(told))
        ]
        events.append(self._chunk({}, "tool_calls" if told.calls else "stop"))
        events.append(self._chunk(None, usage=self._usage(told.usage)))
        return [*events, sse("[DONE]")]

    def error(self, status: int, message: str) -> Any:
        kind = {429: "rate_limit_error", 400: "invalid_request_error"}.get(status, "server_error")
        return {"error": {"message": message, "type": kind, "param": None, "code": None}}

    def stream_error(self, message: str) -> bytes:
        return sse(self.error(500, message))

    def models(self, names: tuple[str, ...]) -> Any:
        return {"object": "list", "data": [{"id": name, "object": "model"} for name in names]}


class OpenAiResponsesFormat(OpenAiChatFormat):
    def _answer(self, told: Told, status: str) -> dict[str, Any]:
        output: list[dict[str, Any]] = []
        if told.words:
            content = [{"type": "output_text", "text": told.text, "annotations": []}]
            output.append({"type": "message", "id": "msg_1", "status": status, "role": "assistant", "content": content})
        for id, name, arguments in told.calls:
            output.append(
                {
                    "type": "function_call",
                    "id": f"fc_{id}",
                    "call_id": id,
                    "name": name,
                    "arguments": arguments,
                    "status": status,
                }
            )
        usage = {
            "input_tokens": told.usage.input,
            "input_tokens_details": {"cached_tokens": told.usage.cache_read},
            "output_tokens": told.usage.output,
            "output_tokens_details": {"reasoning_tokens": told.usage.reasoning},
            "total_tokens": told.usage.total,
        }
        done = status == "completed"
        return {
            "id": "resp_1",
            "object": "response",
            "created_at": 1,
            "status": status,
            "model": told.model,
            "output": output if done else [],
            "usage": usage if done else None,
            "error": None,
            "incomplete_details": None,
            "instructions": None,
            "metadata": {},
            "parallel_tool_calls": True,
            "temperature": 1.0,
            "tool_choice": "auto",
            "tools": [],
            "top_p": 1.0,
        }

    def whole(self, told: Told) -> Any:
        return self._answer(told, "completed")

    def _event(self, name: str, /, **more: Any) -> bytes:
        return sse({"type": name, **more}, name)

    def head(self, told: Told) -> list[bytes]:
        events = [self._event("response.created", sequence_number=0, response=self._answer(told, "in_progress"))]
        if told.words:
            item = {"type": "message", "id": "msg_1", "status": "in_progress", "role": "assistant", "content": []}
            part = {"type": "output_text", "text": "", "annotations": []}
            events.append(self._event("response.output_item.added", sequence_number=1, output_index=0, item=item))
            events.append(
                self._event(
                    "response.content_part.added",
                    sequence_number=2,
                    item_id="msg_1",
                    output_index=0,
                    content_index=0,
                    part=part,
                )
            )
        return events

    def piece(self, words: str) -> bytes:
        return self._event(
            "response.output_text.delta",
            sequence_number=3,
            item_id="msg_1",
            output_index=0,
            content_index=0,
            delta=words,
            logprobs=[],
        )

    def tail(self, told: Told) -> list[bytes]:
        whole, events = self._answer(told, "completed"), []
        for index, item in enumerate(whole["output"]):
            if item["type"] == "message":
                place = {"sequence_number": 4, "item_id": "msg_1", "output_index": index, "content_index": 0}
                events.append(self._event("response.output_text.done", **place, text=told.text, logprobs=[]))
                events.append(self._event("response.content_part.done", **place, part=item["content"][0]))
            else:
                begun = {**item, "arguments": "", "status": "in_progress"}
                place = {"sequence_number": 5, "item_id": item["id"], "output_index": index}
                events.append(
                    self._event("response.output_item.added", sequence_number=5, output_index=index, item=begun)
                )
                events.append(self._event("response.function_call_arguments.delta", **place, delta=item["arguments"]))
                events.append(
                    self._event(
                        "response.function_call_arguments.done", **place, name=item["name"], arguments=item["arguments"]
                    )
                )
            events.append(self._event("response.output_item.done", sequence_number=6, output_index=index, item=item))
        return [*events, self._event("response.completed", sequence_number=7, response=whole)]

    def stream_error(self, message: str) -> bytes:
        return self._event("error", sequence_number=8, code="server_error", message=message, param=None)
