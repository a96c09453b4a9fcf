"""Pydantic AI's models for OpenAI's and Anthropic's formats."""

import asyncio
import base64
from typing import Any

from pydantic import BaseModel
from pydantic_ai import Agent, BinaryContent, Embedder, NativeOutput
from pydantic_ai.embeddings.openai import OpenAIEmbeddingModel
from pydantic_ai.exceptions import UsageLimitExceeded
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.openai import OpenAIProvider
from pydantic_ai.usage import UsageLimits

from tests.acceptance.clients import matrix
from tests.acceptance.clients.matrix import Place


class Report(BaseModel):
    city: str
    celsius: int


def openai(place: Place, model: str = "scripted") -> Any:
    return OpenAIChatModel(model, provider=OpenAIProvider(base_url=f"{place.url}/v1", api_key=place.key))


def responses(place: Place, model: str = "scripted") -> Any:
    return OpenAIResponsesModel(model, provider=OpenAIProvider(base_url=f"{place.url}/v1", api_key=place.key))


def anthropic(place: Place, model: str = "scripted") -> Any:
    return AnthropicModel(model, provider=AnthropicProvider(base_url=place.url, api_key=place.key))


class Cases:
    """The same cases through one of the models."""

    def __init__(self, make: Any) -> None:
        self.make = make

    def plain(self, place: Place) -> Any:
        done = Agent(self.make(place)).run_sync(matrix.HELLO)
        return [done.output, done.usage.total_tokens > 0]

    def stream(self, place: Place) -> Any:
        pieces = asyncio.run(_streamed(Agent(self.make(place)), matrix.HELLO))
        return ["".join(pieces), len(pieces) > 1]

    def tools(self, place: Place) -> Any:
        return _with_tool(self.make(place), matrix.WEATHER)

    def parallel(self, place: Place) -> Any:
        return _with_tool(self.make(place), matrix.BOTH)

    def structured(self, place: Place) -> Any:
        # What a model can do is known here by its name.
        agent = Agent(self.make(place, "claude-sonnet-4-5"), output_type=NativeOutput(Report))
        return agent.run_sync(matrix.REPORT).output.model_dump()

    def structured_by_tool(self, place: Place) -> Any:
        return Agent(self.make(place), output_type=Report).run_sync("Fill in the form.").output.model_dump()

    def image(self, place: Place) -> Any:
        picture = BinaryContent(base64.b64decode(matrix.PIXEL), media_type="image/png")
        return Agent(self.make(place)).run_sync([matrix.LOOK, picture]).output

    def count(self, place: Place) -> Any:
        limits = UsageLimits(input_tokens_limit=1, count_tokens_before_request=True)
        try:
            return Agent(self.make(place)).run_sync(matrix.HELLO, usage_limits=limits).output
        except UsageLimitExceeded:
            return True

    def wrong_key(self, place: Place) -> Any:
        return Agent(self.make(Place(place.url, "ilk_" + "x" * 43))).run_sync(matrix.HELLO).output

    def unknown_model(self, place: Place) -> Any:
        return Agent(self.make(place, "no-such-model")).run_sync(matrix.HELLO).output

    def budget(self, place: Place) -> Any:
        return Agent(self.make(place, matrix.SECOND)).run_sync(matrix.HELLO).output

    def bad_request(self, place: Place) -> Any:
        return Agent(self.make(place)).run_sync(matrix.HELLO, model_settings={"temperature": "hot"}).output

    def too_large(self, place: Place) -> Any:
        return Agent(self.make(place)).run_sync(matrix.LONG).output

    def cut_stream(self, place: Place) -> Any:
        return asyncio.run(_streamed(Agent(self.make(place)), matrix.CUT))

    def failing_stream(self, place: Place) -> Any:
        return asyncio.run(_streamed(Agent(self.make(place)), matrix.BROKEN))


async def _streamed(agent: Any, text: str) -> list[str]:
    async with agent.run_stream(text) as result:
        return [piece async for piece in result.stream_text(delta=True, debounce_by=None)]


def _with_tool(model: Any, text: str) -> Any:
    agent = Agent(model)
    asked: list[str] = []

    def get_weather(city: str) -> dict[str, int]:
        """Tell the weather."""
        asked.append(city)
        return {"celsius": 7}

    agent.tool_plain(get_weather)
    said = agent.run_sync(text).output
    return [sorted(asked), said]


def embeddings(place: Place) -> Any:
    provider = OpenAIProvider(base_url=f"{place.url}/v1", api_key=place.key)
    done = asyncio.run(Embedder(OpenAIEmbeddingModel("vectors", provider=provider)).embed_documents(["a", "b"]))
    return [len(done.embeddings), len(done.embeddings[0]) == len(done.embeddings[1]) > 0]


if __name__ == "__main__":
    made = {"chat": openai, "responses": responses, "anthropic": anthropic}
    names = [name for name in vars(Cases) if not name.startswith("_")]
    cases = {f"{prefix}_{name}": getattr(Cases(make), name) for prefix, make in made.items() for name in names}
    # OpenAI counts tokens for its Responses API only.
    del cases["chat_count"]
    matrix.play({**cases, "embeddings": embeddings})
