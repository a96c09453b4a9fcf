"""The official Anthropic client for Python."""

import asyncio
from typing import Any

import anthropic
from pydantic import BaseModel

from tests.acceptance.clients import matrix
from tests.acceptance.clients.matrix import Place, calls_of

TOOL = {"name": "get_weather", "description": "Tell the weather.", "input_schema": matrix.CITY}
IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": matrix.PIXEL}}


class Report(BaseModel):
    city: str
    celsius: int


def client(place: Place, **changes: Any) -> Any:
    return anthropic.Anthropic(base_url=place.url, api_key=place.key, **changes)


def user(content: Any) -> list[Any]:
    return [{"role": "user", "content": content}]


def ask(place: Place, content: Any, model: str = "scripted", **more: Any) -> Any:
    return client(place).messages.create(model=model, max_tokens=500, messages=user(content), **more)


def words(reply: Any) -> str:
    return "".join(block.text for block in reply.content if block.type == "text")


def uses(reply: Any) -> Any:
    return calls_of((block.name, block.input) for block in reply.content if block.type == "tool_use")


def plain(place: Place) -> Any:
    reply = ask(place, matrix.HELLO)
    return [words(reply), reply.stop_reason, reply.usage.input_tokens > 0 and reply.usage.output_tokens > 0]


def plain_async(place: Place) -> Any:
    async def both() -> Any:
        async with anthropic.AsyncAnthropic(base_url=place.url, auth_token=place.key, api_key=None) as one:
            asked = {"model": "scripted", "max_tokens": 500, "messages": user(matrix.HELLO)}
            reply = await one.messages.create(**asked)
            async with one.messages.stream(**asked) as events:
                return [words(reply), "".join([text async for text in events.text_stream])]

    return asyncio.run(both())


def stream(place: Place) -> Any:
    with client(place).messages.stream(
        model="scripted", max_tokens=500, messages=user(matrix.HELLO), system="Be kind."
    ) as events:
        pieces = list(events.text_stream)
        final = events.get_final_message()
    return ["".join(pieces), len(pieces) > 1, final.stop_reason, final.usage.output_tokens > 0]


def tools(place: Place) -> Any:
    first = ask(place, matrix.WEATHER, tools=[TOOL])
    call = next(block for block in first.content if block.type == "tool_use")
    result = [{"type": "tool_result", "tool_use_id": call.id, "content": '{"celsius": 7}'}]
    messages = [*user(matrix.WEATHER), {"role": "assistant", "content": first.content}, *user(result)]
    last = client(place).messages.create(model="scripted", max_tokens=500, messages=messages, tools=[TOOL])
    return [uses(first), first.stop_reason, words(last)]


def stream_tools(place: Place) -> Any:
    with client(place).messages.stream(
        model="scripted", max_tokens=500, messages=user(matrix.BOTH), tools=[TOOL]
    ) as events:
        return uses(events.get_final_message())


def parallel(place: Place) -> Any:
    reply = ask(place, matrix.BOTH, tools=[TOOL])
    return [uses(reply), len({block.id for block in reply.content if block.type == "tool_use"})]


def structured(place: Place) -> Any:
    reply = client(place).messages.parse(
        model="scripted", max_tokens=500, messages=user(matrix.REPORT), output_format=Report
    )
    return reply.parsed_output.model_dump()


def image(place: Place) -> Any:
    return words(ask(place, [IMAGE, {"type": "text", "text": matrix.LOOK}]))


def beta(place: Place) -> Any:
    reply = client(place).beta.messages.create(
        model="scripted", max_tokens=500, messages=user(matrix.HELLO), betas=["context-1m-2025-08-07"]
    )
    return words(reply)


def count(place: Place) -> Any:
    counted = client(place).messages.count_tokens(model="scripted", messages=user(matrix.HELLO), tools=[TOOL])
    return counted.input_tokens > 0


def models(place: Place) -> Any:
    listed = [model.id for model in client(place).models.list(limit=1)]
    return ["scripted" in listed, len(listed) > 1, client(place).models.retrieve("scripted").id]


def wrong_key(place: Place) -> Any:
    return ask(Place(place.url, "ilk_" + "x" * 43), matrix.HELLO)


def unknown_model(place: Place) -> Any:
    return ask(place, matrix.HELLO, model="no-such-model")


def unknown_listed(place: Place) -> Any:
    return client(place).models.retrieve("no/such")


def budget(place: Place) -> Any:
    return ask(place, matrix.HELLO, model=matrix.SECOND)


def bad_request(place: Place) -> Any:
    return ask(place, matrix.HELLO, extra_body={"messages": "hello"})


def too_large(place: Place) -> Any:
    return ask(place, matrix.LONG)


def cut_stream(place: Place) -> Any:
    return [event.type for event in ask(place, matrix.CUT, stream=True)]


def cut_stream_read_by_the_client(place: Place) -> Any:
    with client(place).messages.stream(model="scripted", max_tokens=500, messages=user(matrix.CUT)) as events:
        return words(events.get_final_message())


def failing_stream(place: Place) -> Any:
    return [event.type for event in ask(place, matrix.BROKEN, stream=True)]


if __name__ == "__main__":
    matrix.play(
        {
            "plain": plain,
            "plain_async": plain_async,
            "stream": stream,
            "tools": tools,
            "stream_tools": stream_tools,
            "parallel": parallel,
            "structured": structured,
            "image": image,
            "beta": beta,
            "count": count,
            "models": models,
            "wrong_key": wrong_key,
            "unknown_model": unknown_model,
            "unknown_listed": unknown_listed,
            "budget": budget,
            "bad_request": bad_request,
            "too_large": too_large,
            "cut_stream": cut_stream,
            "cut_stream_read_by_the_client": cut_stream_read_by_the_client,
            "failing_stream": failing_stream,
        }
    )
