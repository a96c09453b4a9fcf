"""What is asked and answered in the benchmark of model calls: a short question, its answer, and the same as a stream."""

import re

import orjson

MODEL = "gpt-4o-mini"
"""What callers name; every price list knows it, and so does every gateway."""
EVENTS = 43
"""Server-sent events of one streamed answer: the role, 39 pieces, the end, the usage, and the terminator."""
USAGE = {"prompt_tokens": 35, "completion_tokens": 39, "total_tokens": 74}
TEXT = (
    "The refund for order ord-1001 was approved this morning. It goes back to the card that paid, and banks usually show "
    "it within five working days; the customer has a mail about it."
)
_PIECES = re.findall(r" ?\w+|[^\w\s]", TEXT)
_HEAD = {"id": "chatcmpl-7f3a9c2e51d84b60", "created": 1_790_000_000, "model": MODEL, "system_fingerprint": "fp_5d12a7"}
_MESSAGES = [
    {"role": "system", "content": "You answer customers of a shop in two sentences."},
    {"role": "user", "content": "What became of the refund for my order ord-1001?"},
]


def question(*, stream: bool = False, paced: bool = False, model: str = MODEL) -> bytes:
    """Return the request's body; `paced` asks the upstream to send one event per millisecond rather than all at once."""
    asked: dict[str, object] = {"model": model, "messages": _MESSAGES, "temperature": 0, "max_tokens": 200}
    if stream:
        asked |= {"stream": True, "stream_options": {"include_usage": True}}
    if paced:
        asked["user"] = PACED
    return orjson.dumps(asked)


PACED = "paced-reader"


def answer() -> bytes:
    """Return the whole answer, as OpenAI's chat completions have it."""
    message: dict[str, object] = {"role": "assistant", "content": TEXT, "refusal": None, "annotations": []}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    details = {
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    }
    return orjson.dumps(
        {**_HEAD, "object": "chat.completion", "choices": [choice], "usage": {**USAGE, **details}, "service_tier": None}
    )


def events() -> tuple[bytes, ...]:
    """Return the events of the streamed answer, each as it stands on the wire."""
    deltas: list[dict[str, str]] = [{"role": "assistant", "content": ""}, *({"content": piece} for piece in _PIECES)]
    chunks = [_chunk([{"index": 0, "delta": delta, "logprobs": None, "finish_reason": None}]) for delta in deltas]
    end = _chunk([{"index": 0, "delta": {}, "logprobs": None, "finish_reason": "stop"}])
    return (*chunks, end, _chunk([], USAGE), b"data: [DONE]\n\n")


def told(stream: bytes) -> tuple[str, dict[str, int] | None, bool]:
    """Return the text, the token counts and whether the terminator came, of a stream as a client received it."""
    text, usage, ended = "", None, False
    for event in stream.replace(b"\r\n", b"\n").split(b"\n\n"):
        data = event.removeprefix(b"data:").strip()
        if not event.startswith(b"data:"):
            continue
        if data == b"[DONE]":
            ended = True
            continue
        chunk = orjson.loads(data)
        text += "".join(choice["delta"].get("content") or "" for choice in chunk.get("choices", ()))
        if chunk.get("usage"):
            usage = {name: chunk["usage"][name] for name in USAGE}
    return text, usage, ended


def _chunk(choices: list[dict[str, object]], usage: dict[str, int] | None = None) -> bytes:
    chunk = {**_HEAD, "object": "chat.completion.chunk", "choices": choices, "usage": usage}
    return b"data: " + orjson.dumps(chunk) + b"\n\n"
