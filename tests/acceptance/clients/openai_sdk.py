"""The official OpenAI client for Python."""

import asyncio
import base64
import struct
from typing import Any

import openai
from pydantic import BaseModel

from tests.acceptance.clients import matrix
from tests.acceptance.clients.matrix import Place, calls_of

TOOL = {
    "type": "function",
    "function": {"name": "get_weather", "description": "Tell the weather.", "parameters": matrix.CITY, "strict": True},
}
FLAT = {"type": "function", "name": "get_weather", "parameters": matrix.CITY, "strict": True}
IMAGE = f"data:image/png;base64,{matrix.PIXEL}"


class Report(BaseModel):
    city: str
    celsius: int


def client(place: Place, **changes: Any) -> Any:
    return openai.OpenAI(base_url=f"{place.url}/v1", api_key=place.key, **changes)


def user(content: Any) -> list[Any]:
    return [{"role": "user", "content": content}]


def chat(place: Place, content: Any, model: str = "scripted", **more: Any) -> Any:
    return client(place).chat.completions.create(model=model, messages=user(content), **more)


def respond(place: Place, content: Any, model: str = "scripted", **more: Any) -> Any:
    return client(place).responses.create(model=model, input=content, **more)


def plain(place: Place) -> Any:
    reply = chat(place, matrix.HELLO)
    return [reply.choices[0].message.content, reply.choices[0].finish_reason, reply.usage.total_tokens > 0]


def plain_async(place: Place) -> Any:
    async def ask() -> Any:
        async with openai.AsyncOpenAI(base_url=f"{place.url}/v1", api_key=place.key) as one:
            reply = await one.chat.completions.create(model="scripted", messages=user(matrix.HELLO))
            pieces = await one.chat.completions.create(model="scripted", messages=user(matrix.HELLO), stream=True)
            text = "".join([piece.choices[0].delta.content or "" async for piece in pieces if piece.choices])
            return [reply.choices[0].message.content, text]

    return asyncio.run(ask())


def stream(place: Place) -> Any:
    pieces = list(chat(place, matrix.HELLO, stream=True))
    words = [piece.choices[0].delta.content for piece in pieces if piece.choices and piece.choices[0].delta.content]
    return ["".join(words), len(words) > 1, any(piece.usage is not None for piece in pieces)]


def stream_with_usage(place: Place) -> Any:
    last = list(chat(place, matrix.HELLO, stream=True, stream_options={"include_usage": True}))[-1]
    return [last.choices, last.usage.total_tokens > 0]


def tools(place: Place) -> Any:
    first = chat(place, matrix.WEATHER, tools=[TOOL]).choices[0]
    call = first.message.tool_calls[0]
    messages = [*user(matrix.WEATHER), first.message]
    messages.append({"role": "tool", "tool_call_id": call.id, "content": '{"celsius": 7}'})
    last = client(place).chat.completions.create(model="scripted", messages=messages, tools=[TOOL])
    made = calls_of([(call.function.name, call.function.arguments)])
    return [made, first.finish_reason, last.choices[0].message.content]


def stream_tools(place: Place) -> Any:
    with client(place).chat.completions.stream(
        model="scripted", messages=user(matrix.BOTH), tools=[TOOL], parallel_tool_calls=True
    ) as events:
        message = events.get_final_completion().choices[0].message
    return calls_of((call.function.name, call.function.arguments) for call in message.tool_calls)


def parallel(place: Place) -> Any:
    message = chat(place, matrix.BOTH, tools=[TOOL]).choices[0].message
    ids = {call.id for call in message.tool_calls}
    return [calls_of((call.function.name, call.function.arguments) for call in message.tool_calls), len(ids)]


def structured(place: Place) -> Any:
    reply = client(place).chat.completions.parse(model="scripted", messages=user(matrix.REPORT), response_format=Report)
    return reply.choices[0].message.parsed.model_dump()


def image(place: Place) -> Any:
    parts = [{"type": "text", "text": matrix.LOOK}, {"type": "image_url", "image_url": {"url": IMAGE}}]
    return chat(place, parts).choices[0].message.content


def responses_plain(place: Place) -> Any:
    reply = respond(place, matrix.HELLO)
    return [reply.output_text, reply.status, reply.usage.total_tokens > 0]


def responses_stream(place: Place) -> Any:
    events = list(respond(place, matrix.HELLO, stream=True))
    words = [event.delta for event in events if event.type == "response.output_text.delta"]
    return ["".join(words), len(words) > 1, events[-1].type, events[-1].response.output_text]


def responses_tools(place: Place) -> Any:
    first = respond(place, matrix.WEATHER, tools=[FLAT])
    call = next(item for item in first.output if item.type == "function_call")
    said = [{"role": "user", "content": matrix.WEATHER}, call]
    said.append({"type": "function_call_output", "call_id": call.call_id, "output": '{"celsius": 7}'})
    return [calls_of([(call.name, call.arguments)]), respond(place, said, tools=[FLAT]).output_text]


def responses_parallel(place: Place) -> Any:
    items = respond(place, matrix.BOTH, tools=[FLAT]).output
    return calls_of((item.name, item.arguments) for item in items if item.type == "function_call")


def responses_structured(place: Place) -> Any:
    reply = client(place).responses.parse(model="scripted", input=matrix.REPORT, text_format=Report)
    return reply.output_parsed.model_dump()


def responses_image(place: Place) -> Any:
    parts = [{"type": "input_text", "text": matrix.LOOK}, {"type": "input_image", "image_url": IMAGE}]
    return respond(place, user(parts)).output_text


def responses_count(place: Place) -> Any:
    counted = client(place).responses.input_tokens.count(model="scripted", input=matrix.HELLO)
    return [counted.object, counted.input_tokens > 0]


def embeddings(place: Place) -> Any:
    one = client(place)
    floats = one.embeddings.create(model="vectors", input=["a", "b"], encoding_format="float")
    packed = one.embeddings.create(model="vectors", input="a", encoding_format="base64").data[0].embedding
    usual = one.embeddings.create(model="vectors", input="a").data[0].embedding
    first = floats.data[0].embedding
    near = [abs(a - b) < 1e-6 for a, b in zip(first, usual, strict=True)]
    raw = base64.b64decode(packed) if isinstance(packed, str) else struct.pack(f"<{len(packed)}f", *packed)
    return [len(floats.data), all(near), len(raw) == 4 * len(first), floats.usage.total_tokens > 0]


def models(place: Place) -> Any:
    listed = [model.id for model in client(place).models.list()]
    return ["scripted" in listed, client(place).models.retrieve("scripted").id]


def wrong_key(place: Place) -> Any:
    return chat(Place(place.url, "ilk_" + "x" * 43), matrix.HELLO)


def unknown_model(place: Place) -> Any:
    return chat(place, matrix.HELLO, model="no-such-model")


def unknown_listed(place: Place) -> Any:
    return client(place).models.retrieve("no/such")


def budget(place: Place) -> Any:
    return chat(place, matrix.HELLO, model=matrix.SECOND)


def bad_request(place: Place) -> Any:
    return chat(place, matrix.HELLO, extra_body={"messages": "hello"})


def bad_responses_request(place: Place) -> Any:
    return respond(place, 7)


def too_large(place: Place) -> Any:
    return chat(place, matrix.LONG)


def cut_stream(place: Place) -> Any:
    return [str(piece) for piece in chat(place, matrix.CUT, stream=True)]


def failing_stream(place: Place) -> Any:
    return [str(piece) for piece in chat(place, matrix.BROKEN, stream=True)]


def responses_cut_stream(place: Place) -> Any:
    return [event.type for event in respond(place, matrix.CUT, stream=True)]


if __name__ == "__main__":
    matrix.play(
        {
            "plain": plain,
            "plain_async": plain_async,
            "stream": stream,
            "stream_with_usage": stream_with_usage,
            "tools": tools,
            "stream_tools": stream_tools,
            "parallel": parallel,
            "structured": structured,
            "image": image,
            "responses_plain": responses_plain,
            "responses_stream": responses_stream,
            "responses_tools": responses_tools,
            "responses_parallel": responses_parallel,
            "responses_structured": responses_structured,
            "responses_image": responses_image,
            "responses_count": responses_count,
            "embeddings": embeddings,
            "models": models,
            "wrong_key": wrong_key,
            "unknown_model": unknown_model,
            "unknown_listed": unknown_listed,
            "budget": budget,
            "bad_request": bad_request,
            "bad_responses_request": bad_responses_request,
            "too_large": too_large,
            "cut_stream": cut_stream,
            "failing_stream": failing_stream,
            "responses_cut_stream": responses_cut_stream,
        }
    )
