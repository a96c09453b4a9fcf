"""What the router file declares becomes the provider that it means."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from interlock.adapters.providers.building import Supplies, provider_of
from interlock.adapters.providers.http import ProviderHttp
from interlock.adapters.secrets.resolver import SecretResolver
from interlock.config import ProviderFile, ProviderKind
from interlock.domain.errors import ConfigurationError
from interlock.domain.models import Dialect
from interlock.models.ports import Operation, Outbound
from tests.kits.upstreams import an_upstream
from tests.unit.adapters.providers.wires import WIRES

DIALECTS = {
    ProviderKind.OPENAI: Dialect.OPENAI_CHAT,
    ProviderKind.OPENAI_COMPATIBLE: Dialect.OPENAI_CHAT,
    ProviderKind.ANTHROPIC: Dialect.ANTHROPIC,
    ProviderKind.GEMINI: Dialect.GEMINI,
    ProviderKind.BEDROCK: Dialect.BEDROCK,
}
OUTBOUND = Outbound(Operation.REPLY, "m", b'{"model": "m"}', stream=False, connect_timeout_ms=500, idle_timeout_ms=500)


@pytest.fixture
async def supplies() -> AsyncIterator[Supplies]:
    http = ProviderHttp()
    yield Supplies(http, SecretResolver({"KEY": "k1", "ACCESS": "AKIA1", "SECRET": "s1"}), WIRES, len)
    await http.close()


def declared(kind: ProviderKind, **more: object) -> ProviderFile:
    dialects = frozenset({DIALECTS.get(kind, Dialect.OPENAI_CHAT)})
    return ProviderFile("p", kind, dialects, "p", outside=True, source="router.yaml:3", **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", DIALECTS)
async def test_each_kind_asks_its_server_with_its_key(supplies: Supplies, kind: ProviderKind) -> None:
    async with an_upstream(DIALECTS[kind]) as upstream:
        provider = provider_of(
            declared(kind, base_url=upstream.url, credential="env:KEY", region="eu-central-1"), supplies
        )
        answer = await provider.open(OUTBOUND, provider.speaks(DIALECTS[kind]))
        assert b"fox" in await answer.read()
        assert "k1" in str(upstream.received[0].headers)
        assert provider.name == "p"


async def test_bedrock_signs_with_a_pair_of_keys(supplies: Supplies) -> None:
    async with an_upstream(Dialect.BEDROCK) as upstream:
        said = declared(
            ProviderKind.BEDROCK,
            base_url=upstream.url,
            region="eu-central-1",
            access_key="env:ACCESS",
            secret_key="env:SECRET",
        )
        await (await provider_of(said, supplies).open(OUTBOUND, Dialect.BEDROCK)).read()
        assert "Credential=AKIA1/" in upstream.received[0].headers["authorization"]


async def test_scripts_and_recordings_are_built(supplies: Supplies, tmp_path: Path) -> None:
    scripted = provider_of(declared(ProviderKind.SCRIPTED, script=[{"id": "x", "say": "hi"}]), supplies)
    assert await scripted.models() == ("scripted",)
    recorded = provider_of(declared(ProviderKind.RECORDED, recordings=(tmp_path / "absent",)), supplies)
    assert recorded.speaks(Dialect.ANTHROPIC) is Dialect.ANTHROPIC


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        (ProviderKind.OPENAI, {"base_url": "ftp://x"}),
        (ProviderKind.BEDROCK, {"region": "eu-central-1"}),
        (ProviderKind.BEDROCK, {"credential": "env:KEY"}),
        (ProviderKind.SCRIPTED, {"script": "hello"}),
        (ProviderKind.ANTHROPIC, {"ca_file": Path("absent.pem")}),
    ],
)
def test_a_mistake_names_where_it_is_declared(kind: ProviderKind, more: dict[str, object]) -> None:
    supplies = Supplies(ProviderHttp(), SecretResolver({}), WIRES, len)
    with pytest.raises(ConfigurationError, match=r"^router.yaml:3: "):
        provider_of(declared(kind, **more), supplies)
