"""Our wire formats read what the servers of the test kit write, which was written without them."""

import orjson
import pytest

from interlock.adapters.providers.building import Supplies, provider_of
from interlock.adapters.providers.http import ProviderHttp
from interlock.adapters.secrets.resolver import SecretResolver
from interlock.config import ProviderFile, ProviderKind
from interlock.domain.errors import BadModelReply, ModelFailed, ModelOverloaded, ModelUnavailable
from interlock.domain.models import Dialect, Usage
from interlock.models.dialogue import Message, Reply, Request, Role, Stop, StreamEvent, Text
from interlock.models.ports import Operation, Outbound
from interlock.models.sse import Splitter
from interlock.models.streams import whole
from interlock.models.wire import Seen
from tests.kits.upstreams import Act, Fault, an_upstream
from tests.unit.adapters.providers.wires import SPOKEN, WIRES

KINDS = {
    Dialect.OPENAI_CHAT: ProviderKind.OPENAI,
    Dialect.OPENAI_RESPONSES: ProviderKind.OPENAI,
    Dialect.ANTHROPIC: ProviderKind.ANTHROPIC,
    Dialect.GEMINI: ProviderKind.GEMINI,
    Dialect.BEDROCK: ProviderKind.BEDROCK,
}
CALLS = (("call_1", "find", '{"what": "mug"}'), ("call_2", "look", '{"where": "shelf"}'))
USED = {
    Dialect.ANTHROPIC: Usage(input=100, output=20, cache_read=30, cache_write=5, cache_write_1h=7),
    Dialect.BEDROCK: Usage(input=100, output=20, cache_read=30, cache_write=5),
}
PLAIN = Usage(input=100, output=20, cache_read=30, reasoning=4)


async def asked(dialect: Dialect, act: Act, *, stream: bool) -> tuple[Reply | None, Seen, bool]:
    """Ask a server that acts as told; return the reply as translated, what the tap saw, and whether it came to its end."""
    wire = WIRES[dialect]
    request = Request("m", (Message(Role.USER, (Text("Hi"),)),), stream=stream, stream_usage=True, max_tokens=50)
    outbound = Outbound(Operation.REPLY, "m", orjson.dumps(wire.write_request(request).body), stream, 500, 300)
    http = ProviderHttp()
    try:
        async with an_upstream(dialect, act) as upstream:
            declared = ProviderFile(
                *("p", KINDS[dialect], frozenset({dialect}), "p"),
                outside=True,
                base_url=upstream.url,
                credential="env:K",
                region="eu-central-1",
            )
            provider = provider_of(declared, Supplies(http, SecretResolver({"K": "k"}), WIRES, len))
            answer = await provider.open(outbound, dialect)
            if answer.status != 200:
                raise wire.read_error(answer.status, await answer.read())
            if not stream:
                try:
                    body = orjson.loads(await answer.read())
                except orjson.JSONDecodeError:
                    raise BadModelReply("no JSON") from None
                return wire.read_reply(body), wire.see(body), True
            splitter, tap, reader = Splitter(), wire.tap(hide_usage=False), wire.reader()
            events: list[StreamEvent] = []
            async for chunk in answer.chunks():
                for event in splitter.feed(chunk):
                    tap.feed(event)
                    events += reader.read(event)
            assert tap.finished == reader.finished
            return whole(events) if reader.finished else None, tap.seen(), tap.finished
    finally:
        await http.close()


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("dialect", SPOKEN)
async def test_words_calls_and_usage_are_read_as_they_are_meant(dialect: Dialect, stream: bool) -> None:
    used = USED.get(dialect, PLAIN)
    reply, seen, finished = await asked(dialect, Act(calls=CALLS, usage=used), stream=stream)
    assert finished
    assert reply is not None
    assert reply.text == Act().words
    assert [(use.name, orjson.loads(use.arguments)) for use in reply.proposals] == [
        ("find", {"what": "mug"}),
        ("look", {"where": "shelf"}),
    ]
    assert reply.stop is Stop.TOOLS
    assert reply.usage == used
    assert (seen.usage, seen.stop) == (used, Stop.TOOLS)
    assert [use.name for use in seen.proposals] == ["find", "look"]
    words, _, _ = await asked(dialect, Act(usage=used), stream=stream)
    assert words is not None
    assert (words.stop, words.proposals) == (Stop.END, ())


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("dialect", SPOKEN)
@pytest.mark.parametrize("fault", [Fault.MALFORMED, Fault.HALF_UTF8, Fault.ERROR_INSIDE, Fault.WRONG_TYPE])
async def test_what_cannot_be_a_reply_never_passes_for_one(dialect: Dialect, fault: Fault, stream: bool) -> None:
    try:
        _, _, finished = await asked(dialect, Act(fault=fault), stream=stream)
    except ModelFailed:
        return
    assert stream, "a whole reply that cannot be read must fail"
    assert not finished


@pytest.mark.parametrize("dialect", SPOKEN)
async def test_a_stream_without_its_terminator_has_not_ended(dialect: Dialect) -> None:
    reply, seen, finished = await asked(dialect, Act(fault=Fault.NO_TERMINATOR, after=3), stream=True)
    assert not finished
    assert reply is None
    assert seen.text


@pytest.mark.parametrize("dialect", SPOKEN)
async def test_a_refusal_for_now_is_not_a_refusal_for_good(dialect: Dialect) -> None:
    for fault, error in ((Fault.OVERLOADED, ModelOverloaded), (Fault.BROKEN, ModelUnavailable)):
        with pytest.raises(error):
            await asked(dialect, Act(fault=fault), stream=False)
