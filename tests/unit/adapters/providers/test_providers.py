"""Each provider is asked at its own address, with its own proof, and nothing of the caller goes along unasked."""

from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import pytest

from interlock.adapters.providers.anthropic import AnthropicProvider
from interlock.adapters.providers.bedrock import AwsCredential, BedrockProvider
from interlock.adapters.providers.credentials import KEPT_S, Credential
from interlock.adapters.providers.gemini import GeminiProvider
from interlock.adapters.providers.http import ProviderHttp
from interlock.adapters.providers.openai import OpenAiCompatible, OpenAiProvider
from interlock.domain.errors import (
    BadModelReply,
    ConfigurationError,
    ModelFailed,
    ModelRefused,
    ModelUnavailable,
    ReplyCut,
    ToolUnavailable,
)
from interlock.domain.models import Dialect
from interlock.gateway.ports import Secrets
from interlock.models.ports import Operation, Outbound, Provider
from tests.kits.upstreams import Act, Fault, an_upstream

CALLERS = {"anthropic-beta": "b1", "anthropic-version": "2099-01-01", "openai-beta": "o1", "authorization": "caller's"}


class Safe(Secrets):
    """Secrets that can be changed."""

    def __init__(self, **secrets: str) -> None:
        self.secrets = secrets
        self.asked = 0

    async def resolve(self, reference: str) -> str:
        self.asked += 1
        if reference not in self.secrets:
            raise ToolUnavailable(f"The credential {reference} cannot be had", why="nothing is stored there")
        return self.secrets[reference]


@pytest.fixture
async def http() -> AsyncIterator[ProviderHttp]:
    pool = ProviderHttp()
    yield pool
    await pool.close()


def outbound(model: str = "m-1", *, stream: bool = False, operation: Operation = Operation.REPLY) -> Outbound:
    body = b'{"model": "m", "input": "x", "stream": %s}' % (b"true" if stream else b"false")
    return Outbound(operation, model, body, stream, 500, 500, CALLERS)


OPENAI = (Dialect.OPENAI_CHAT, Dialect.OPENAI_RESPONSES, Dialect.OPENAI_EMBEDDINGS)
Make = Callable[[str, ProviderHttp, Credential], Provider]


def bedrock(url: str, http: ProviderHttp, key: Credential) -> Provider:
    return BedrockProvider("p", http, "eu-central-1", AwsCredential(key, key, key), base_url=url)


MAKERS: dict[str, tuple[Make, Dialect, str, str]] = {
    "openai": (
        lambda url, http, key: OpenAiProvider("p", http, credential=key, base_url=f"{url}/v1", project="x"),
        *(Dialect.OPENAI_RESPONSES, "/v1/responses", "/v1/responses"),
    ),
    "compatible": (
        lambda url, http, key: OpenAiCompatible("p", f"{url}/api/", http, credential=key),
        *(Dialect.OPENAI_CHAT, "/api/chat/completions", "/api/chat/completions"),
    ),
    "anthropic": (
        lambda url, http, key: AnthropicProvider("p", http, credential=key, base_url=f"{url}/v1"),
        *(Dialect.ANTHROPIC, "/v1/messages", "/v1/messages"),
    ),
    "gemini": (
        lambda url, http, key: GeminiProvider("p", http, credential=key, base_url=f"{url}/v1beta"),
        Dialect.GEMINI,
        *("/v1beta/models/m-1:generateContent", "/v1beta/models/m-1:streamGenerateContent?alt=sse"),
    ),
    "bedrock": (bedrock, Dialect.BEDROCK, "/model/m-1/converse", "/model/m-1/converse-stream"),
}


@pytest.mark.parametrize("kind", MAKERS)
async def test_a_provider_is_asked_at_its_address_in_its_own_format(http: ProviderHttp, kind: str) -> None:
    make, dialect, whole, streamed = MAKERS[kind]
    async with an_upstream(dialect) as upstream:
        provider = make(upstream.url, http, Credential(Safe(key="s3cr3t"), "key", "p"))
        assert provider.speaks(dialect) is dialect
        answer = await provider.open(outbound(), dialect)
        assert b"fox" in await answer.read()
        answer = await provider.open(outbound(stream=True), dialect)
        assert answer.headers.get("content-type", "").startswith("text/event-stream")
        body = b"".join([chunk async for chunk in answer.chunks()])
        assert b"fox" in body
        assert body.endswith((b"}\n\n", b"[DONE]\n\n"))
        assert [request.path for request in upstream.received] == [whole, streamed]
        assert all(request.raw == outbound(stream=index == 1).body for index, request in enumerate(upstream.received))
        assert await provider.models() == ("m-small", "m-large")


@pytest.mark.parametrize("kind", MAKERS)
async def test_only_the_headers_of_the_format_go_on(http: ProviderHttp, kind: str) -> None:
    make, dialect, _, _ = MAKERS[kind]
    async with an_upstream(dialect) as upstream:
        await (
            await make(upstream.url, http, Credential(Safe(key="s3cr3t"), "key", "p")).open(outbound(), dialect)
        ).read()
        sent = upstream.received[0].headers
    proof = {
        "openai": ("authorization", "Bearer s3cr3t"),
        "compatible": ("authorization", "Bearer s3cr3t"),
        "anthropic": ("x-api-key", "s3cr3t"),
        "gemini": ("x-goog-api-key", "s3cr3t"),
        "bedrock": ("x-amz-security-token", "s3cr3t"),
    }
    name, value = proof[kind]
    assert sent[name] == value
    assert "caller's" not in str(sent)
    assert (sent.get("anthropic-beta"), sent.get("anthropic-version")) == (
        ("b1", "2099-01-01") if kind == "anthropic" else (None, None)
    )
    assert ("openai-beta" in sent) is (kind in ("openai", "compatible"))
    assert sent["content-type"] == "application/json"
    assert sent["user-agent"] == "interlock"


async def test_a_version_is_named_when_the_caller_names_none(http: ProviderHttp) -> None:
    async with an_upstream(Dialect.ANTHROPIC) as upstream:
        provider = AnthropicProvider("p", http, credential=None, base_url=upstream.url)
        plain = replace(outbound(), headers={})
        await (await provider.open(plain, Dialect.ANTHROPIC)).read()
        assert upstream.received[0].headers["anthropic-version"] == "2023-06-01"


async def test_a_server_is_asked_for_responses_only_when_it_is_said_to_have_them(http: ProviderHttp) -> None:
    plain = OpenAiCompatible("p", "http://localhost", http)
    assert plain.speaks(Dialect.OPENAI_RESPONSES) is Dialect.OPENAI_CHAT
    assert plain.speaks(Dialect.OPENAI_EMBEDDINGS) is Dialect.OPENAI_EMBEDDINGS
    with pytest.raises(ModelRefused):
        await plain.open(outbound(), Dialect.OPENAI_RESPONSES)
    both = OpenAiCompatible("p", "http://localhost", http, dialects=frozenset(OPENAI))
    assert both.speaks(Dialect.OPENAI_RESPONSES) is Dialect.OPENAI_RESPONSES
    assert both.speaks(Dialect.ANTHROPIC) is Dialect.OPENAI_CHAT


async def test_embeddings_are_asked_for(http: ProviderHttp) -> None:
    async with an_upstream(Dialect.OPENAI_EMBEDDINGS) as upstream:
        provider = OpenAiCompatible("p", upstream.url, http)
        answer = await provider.open(outbound(operation=Operation.EMBED), Dialect.OPENAI_EMBEDDINGS)
        assert b"embedding" in await answer.read()


@pytest.mark.parametrize(
    "model", ["anthropic.claude-v2:1", "arn:aws:bedrock:eu:1:inference-profile/x", "../../admin", "a?b#c"]
)
async def test_the_name_of_a_model_stays_one_segment_of_the_address(http: ProviderHttp, model: str) -> None:
    async with an_upstream(Dialect.BEDROCK) as upstream:
        provider = bedrock(upstream.url, http, Credential(Safe(key="k"), "key", "p"))
        await (await provider.open(outbound(model), Dialect.BEDROCK)).read()
        _, head, named, action = upstream.received[0].path.split("/")
        assert (head, action) == ("model", "converse")
        assert ":" not in named


@pytest.mark.parametrize("model", ["../x", "a/../../x", "/x", "tunedModels//x"])
async def test_the_name_of_a_model_leads_nowhere_else(http: ProviderHttp, model: str) -> None:
    provider = GeminiProvider("p", http, credential=None, base_url="http://localhost:1")
    with pytest.raises(ModelRefused, match="name of a model"):
        await provider.open(outbound(model), Dialect.GEMINI)


async def test_a_bedrock_key_is_a_bearer(http: ProviderHttp) -> None:
    async with an_upstream(Dialect.BEDROCK) as upstream:
        key = Credential(Safe(key="abc"), "key", "p")
        provider = BedrockProvider("p", http, "eu-central-1", key, base_url=upstream.url)
        await (await provider.open(outbound(), Dialect.BEDROCK)).read()
        assert upstream.received[0].headers["authorization"] == "Bearer abc"


@pytest.mark.parametrize(
    ("fault", "error"),
    [(Fault.MALFORMED, BadModelReply), (Fault.CUT_IN_BODY, ReplyCut), (Fault.RESET_IN_BODY, ReplyCut)],
)
async def test_a_broken_event_stream_is_told(http: ProviderHttp, fault: Fault, error: type[ModelFailed]) -> None:
    async with an_upstream(Dialect.BEDROCK, Act(fault=fault)) as upstream:
        provider = bedrock(upstream.url, http, Credential(Safe(key="k"), "key", "p"))
        answer = await provider.open(outbound(stream=True), Dialect.BEDROCK)
        with pytest.raises(error):
            async for _ in answer.chunks():
                pass


async def test_an_exception_in_an_event_stream_becomes_an_event(http: ProviderHttp) -> None:
    async with an_upstream(Dialect.BEDROCK, Act(fault=Fault.ERROR_INSIDE)) as upstream:
        provider = bedrock(upstream.url, http, Credential(Safe(key="k"), "key", "p"))
        answer = await provider.open(outbound(stream=True), Dialect.BEDROCK)
        body = b"".join([chunk async for chunk in answer.chunks()])
        assert b"event: modelStreamErrorException\ndata: " in body


@pytest.mark.parametrize("region", ["", "eu central", "x/../y", "evil.example#"])
def test_a_region_that_is_none_is_refused(region: str) -> None:
    with pytest.raises(ConfigurationError, match="region"):
        BedrockProvider("p", ProviderHttp(), region, Credential(Safe(), "key", "p"))


async def test_a_credential_is_kept_for_a_moment_and_looked_up_again_when_it_is_not_taken(http: ProviderHttp) -> None:
    safe = Safe(key="old")
    async with an_upstream(Dialect.OPENAI_CHAT, [Act(), Act(), Act(fault=Fault.WRONG_KEY), Act()]) as upstream:
        provider = OpenAiCompatible("p", upstream.url, http, credential=Credential(safe, "key", "p"))
        for _ in range(3):
            await (await provider.open(outbound(), Dialect.OPENAI_CHAT)).read()
        assert safe.asked == 1
        safe.secrets["key"] = "new"
        await (await provider.open(outbound(), Dialect.OPENAI_CHAT)).read()
        assert [request.headers["authorization"] for request in upstream.received[2:]] == ["Bearer old", "Bearer new"]


async def test_a_credential_is_looked_up_again_after_its_moment(http: ProviderHttp) -> None:
    safe, now = Safe(key="old"), [0.0]
    key = Credential(safe, "key", "p", lambda: now[0])
    async with an_upstream(Dialect.BEDROCK) as upstream:
        provider = BedrockProvider("p", http, "eu-central-1", key, base_url=upstream.url)
        await (await provider.open(outbound(), Dialect.BEDROCK)).read()
        safe.secrets["key"] = "new"
        now[0] = KEPT_S
        await provider.models()
        await (await provider.open(outbound(), Dialect.BEDROCK)).read()
    assert [request.headers["authorization"] for request in upstream.received] == ["Bearer old", *["Bearer new"] * 3]
    assert safe.asked == 2


@pytest.mark.parametrize("secret", ["s3cr3t\r\nx-evil: 1", "s3 cr3t", "sécr3t", " "])
async def test_a_secret_that_fits_no_header_is_refused_and_not_shown(http: ProviderHttp, secret: str) -> None:
    provider = OpenAiCompatible("p", "http://localhost:1", http, credential=Credential(Safe(key=secret), "key", "p"))
    with pytest.raises(ModelUnavailable) as raised:
        await provider.open(outbound(), Dialect.OPENAI_CHAT)
    assert "key" in str(raised.value)
    assert "cr3t" not in str(raised.value)


async def test_a_provider_without_its_secret_is_unavailable(http: ProviderHttp) -> None:
    key = Credential(Safe(), "env:ABSENT", "p")
    with pytest.raises(ModelUnavailable, match=r"'p'.*env:ABSENT"):
        await OpenAiCompatible("p", "http://localhost:1", http, credential=key).open(outbound(), Dialect.OPENAI_CHAT)
    assert repr(key) == "Credential(env:ABSENT)"


@pytest.mark.parametrize("kind", ["anthropic", "gemini", "bedrock"])
async def test_who_has_no_embeddings_is_not_asked_for_them(http: ProviderHttp, kind: str) -> None:
    make, dialect, _, _ = MAKERS[kind]
    provider = make("http://localhost:1", http, Credential(Safe(key="k"), "key", "p"))
    assert provider.speaks(Dialect.OPENAI_EMBEDDINGS) is dialect
    with pytest.raises(ModelRefused):
        await provider.open(outbound(operation=Operation.EMBED), Dialect.OPENAI_EMBEDDINGS)


async def test_a_list_of_models_comes_in_pages(http: ProviderHttp) -> None:
    async with an_upstream(Dialect.ANTHROPIC) as upstream:
        provider = AnthropicProvider("p", http, credential=None, base_url=upstream.url)
        assert await provider.models() == ("m-small", "m-large")
        assert upstream.received[0].path == "/v1/models?limit=1000"
