"""The servers of the test kit put on the bill what they handed over, and nothing else."""

import aiohttp
import pytest

from interlock.domain.models import Dialect, Usage
from tests.kits.upstreams import BEFORE_ANY_TOKEN, Act, Fault, Upstream, an_upstream

PATHS = {
    Dialect.OPENAI_CHAT: "/v1/chat/completions",
    Dialect.OPENAI_RESPONSES: "/v1/responses",
    Dialect.ANTHROPIC: "/v1/messages",
    Dialect.GEMINI: "/v1beta/models/m:streamGenerateContent?alt=sse",
    Dialect.BEDROCK: "/model/m/converse-stream",
}
QUICK = tuple(fault for fault in Fault if "stall" not in fault and fault not in (Fault.NONE, Fault.HUGE))


async def ask(upstream: Upstream, *, stream: bool) -> bytes:
    path = PATHS[upstream.dialect]
    if not stream:
        path = path.replace("streamGenerateContent?alt=sse", "generateContent").replace("converse-stream", "converse")
    body = {"model": "m", "stream": stream}
    async with aiohttp.ClientSession() as http, http.post(upstream.url + path, json=body, allow_redirects=False) as got:
        return await got.read()


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("dialect", PATHS)
async def test_a_whole_reply_is_charged_whole(dialect: Dialect, stream: bool) -> None:
    async with an_upstream(dialect, [Act(words="one two three"), Act(usage=Usage(input=5, output=7))]) as upstream:
        await ask(upstream, stream=stream)
        await ask(upstream, stream=stream)
        first, second = upstream.charges
        assert first.complete
        assert first.usage == Usage(input=len(upstream.received[0].raw) // 4, output=3)
        assert second.usage == Usage(input=5, output=7)
        assert upstream.charged == first.usage + second.usage


@pytest.mark.parametrize("dialect", PATHS)
@pytest.mark.parametrize("fault", QUICK)
async def test_a_fault_is_charged_for_what_was_said_before_it(dialect: Dialect, fault: Fault) -> None:
    async with an_upstream(dialect, Act(fault=fault, after=3)) as upstream:
        try:
            await ask(upstream, stream=True)
        except aiohttp.ClientError:
            assert fault is not Fault.NO_TERMINATOR
        (charge,) = upstream.charges
        assert charge.fault is fault
        assert not charge.complete
        assert charge.usage.output == (0 if fault in BEFORE_ANY_TOKEN else 3)


async def test_tokens_are_counted_as_the_test_wants_them() -> None:
    async with an_upstream(
        Dialect.OPENAI_CHAT, Act(words="abc de"), count_input=lambda _: 11, count_output=len
    ) as upstream:
        assert b'"completion_tokens": 6' in await ask(upstream, stream=False)
        assert upstream.charged == Usage(input=11, output=6)
