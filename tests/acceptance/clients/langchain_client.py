"""LangChain's clients for OpenAI's and Anthropic's formats."""

from typing import Any

from langchain_anthropic import ChatAnthropic
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from pydantic import BaseModel

from tests.acceptance.clients import matrix
from tests.acceptance.clients.matrix import Place

TOOL = {
    "type": "function",
    "function": {"name": "get_weather", "description": "Tell the weather.", "parameters": matrix.CITY},
}
IMAGE = {"type": "image", "base64": matrix.PIXEL, "mime_type": "image/png"}


class Report(BaseModel):
    """A report on a city."""

    city: str
    celsius: int


def openai(place: Place, model: str = "scripted", **more: Any) -> Any:
    return ChatOpenAI(model=model, base_url=f"{place.url}/v1", api_key=place.key, **more)


def responses(place: Place, model: str = "scripted") -> Any:
    return openai(place, model, use_responses_api=True)


def anthropic(place: Place, model: str = "scripted") -> Any:
    return ChatAnthropic(model=model, base_url=place.url, api_key=place.key, max_tokens=500)


def calls(message: Any) -> list[Any]:
    return [[call["name"], call["args"]] for call in message.tool_calls]


class Cases:
    """The same cases through one of the clients."""

    def __init__(self, make: Any) -> None:
        self.make = make

    def plain(self, place: Place) -> Any:
        reply = self.make(place).invoke(matrix.HELLO)
        return [reply.text, reply.usage_metadata["total_tokens"] > 0]

    def stream(self, place: Place) -> Any:
        chunks = list(self.make(place).stream(matrix.HELLO))
        words = [chunk.text for chunk in chunks if chunk.text]
        return ["".join(words), len(words) > 1]

    def tools(self, place: Place) -> Any:
        model = self.make(place).bind_tools([TOOL])
        first = model.invoke(matrix.WEATHER)
        result = ToolMessage('{"celsius": 7}', tool_call_id=first.tool_calls[0]["id"])
        last = model.invoke([HumanMessage(matrix.WEATHER), first, result])
        return [calls(first), last.text]

    def parallel(self, place: Place) -> Any:
        return calls(self.make(place).bind_tools([TOOL]).invoke(matrix.BOTH))

    def stream_tools(self, place: Place) -> Any:
        whole: Any = None
        for chunk in self.make(place).bind_tools([TOOL]).stream(matrix.BOTH):
            whole = chunk if whole is None else whole + chunk
        return calls(whole)

    def structured(self, place: Place) -> Any:
        model = self.make(place).with_structured_output(Report, method="json_schema")
        return model.invoke(matrix.REPORT).model_dump()

    def image(self, place: Place) -> Any:
        return self.make(place).invoke([HumanMessage([{"type": "text", "text": matrix.LOOK}, IMAGE])]).text

    def wrong_key(self, place: Place) -> Any:
        return self.make(Place(place.url, "ilk_" + "x" * 43)).invoke(matrix.HELLO)

    def unknown_model(self, place: Place) -> Any:
        return self.make(place, "no-such-model").invoke(matrix.HELLO)

    def budget(self, place: Place) -> Any:
        return self.make(place, matrix.SECOND).invoke(matrix.HELLO)

    def bad_request(self, place: Place) -> Any:
        return self.make(place).bind(temperature="hot").invoke(matrix.HELLO)

    def too_large(self, place: Place) -> Any:
        return self.make(place).invoke(matrix.LONG)

    def cut_stream(self, place: Place) -> Any:
        return [chunk.text for chunk in self.make(place).stream(matrix.CUT)]

    def failing_stream(self, place: Place) -> Any:
        return [chunk.text for chunk in self.make(place).stream(matrix.BROKEN)]


def embeddings(place: Place) -> Any:
    one = OpenAIEmbeddings(
        model="vectors",
        base_url=f"{place.url}/v1",
        api_key=place.key,
        # Its own counting of tokens would fetch a vocabulary from the network.
        check_embedding_ctx_length=False,
    )
    vectors = one.embed_documents(["a", "b"])
    return [len(vectors), len(vectors[0]) == len(vectors[1]) > 0]


def count(place: Place) -> Any:
    return anthropic(place).get_num_tokens_from_messages([HumanMessage(matrix.HELLO), AIMessage("Hm.")]) > 0


if __name__ == "__main__":
    made = {"chat": openai, "responses": responses, "anthropic": anthropic}
    names = [name for name in vars(Cases) if not name.startswith("_")]
    cases = {f"{prefix}_{name}": getattr(Cases(make), name) for prefix, make in made.items() for name in names}
    matrix.play({**cases, "embeddings": embeddings, "anthropic_count": count})
