"""Bytes go to a provider and come back; whatever breaks on the way has one name."""

import asyncio
import gzip
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest

from interlock.adapters.providers import http as http_module
from interlock.adapters.providers.http import ProviderHttp, checked_base, trust_of
from interlock.adapters.providers.openai import OpenAiCompatible
from interlock.domain.errors import (
    BadModelReply,
    ConfigurationError,
    ModelFailed,
    ModelTimeout,
    ModelUnavailable,
    ReplyCut,
)
from interlock.domain.models import Dialect
from interlock.models.ports import Answer, Operation, Outbound
from tests.kits.upstreams import Act, Fault, Upstream, an_upstream

CHAT = Dialect.OPENAI_CHAT


@pytest.fixture
async def http() -> AsyncIterator[ProviderHttp]:
    pool = ProviderHttp()
    yield pool
    await pool.close()


def outbound(*, stream: bool = False, idle_ms: int = 150, connect_ms: int = 500) -> Outbound:
    body = b'{"model": "m", "messages": [], "stream": %s}' % (b"true" if stream else b"false")
    return Outbound(Operation.REPLY, "m", body, stream, connect_ms, idle_ms)


def at(upstream: Upstream, http: ProviderHttp) -> OpenAiCompatible:
    return OpenAiCompatible("vllm", f"{upstream.url}/v1", http)


async def taken(answer: Answer, *, stream: bool) -> bytes:
    if not stream:
        return await answer.read()
    return b"".join([chunk async for chunk in answer.chunks()])


@pytest.mark.parametrize("stream", [False, True])
async def test_the_bytes_arrive_as_they_are(http: ProviderHttp, stream: bool) -> None:
    async with an_upstream(CHAT) as upstream:
        for _ in range(3):
            answer = await at(upstream, http).open(outbound(stream=stream), CHAT)
            body = await taken(answer, stream=stream)
            await answer.close()
            assert answer.status == 200
            assert b"fox" in body
            assert answer.headers.get("x-request-id") == "req_1"
        assert [charge.complete for charge in upstream.charges] == [True] * 3
        assert upstream.received[0].raw == outbound(stream=stream).body
        assert upstream.received[0].path == "/v1/chat/completions"


async def test_a_stream_is_passed_on_while_it_comes(http: ProviderHttp) -> None:
    async with an_upstream(CHAT, Act(fault=Fault.STALL_AFTER_FIRST, after=1)) as upstream:
        answer = await at(upstream, http).open(outbound(stream=True, idle_ms=60_000), CHAT)
        chunks = answer.chunks()
        got = b""
        async with asyncio.timeout(2):
            while b"The" not in got:
                got += await anext(chunks)
        await answer.close()


@pytest.mark.parametrize("fault", [Fault.RESET_BEFORE_HEAD, Fault.CLOSED_BEFORE_HEAD])
async def test_a_connection_that_breaks_before_the_head_leaves_the_provider_unavailable(
    http: ProviderHttp, fault: Fault
) -> None:
    async with an_upstream(CHAT, Act(fault=fault)) as upstream:
        with pytest.raises(ModelUnavailable, match="vllm"):
            await at(upstream, http).open(outbound(), CHAT)
        assert len(upstream.received) == 1, "what may have been carried out is not sent twice"


async def test_a_provider_that_nobody_reaches_is_unavailable(http: ProviderHttp) -> None:
    async with an_upstream(CHAT) as upstream:
        url = upstream.url
    with pytest.raises(ModelUnavailable, match="connection fails"):
        await OpenAiCompatible("vllm", url, http).open(outbound(), CHAT)
    with pytest.raises(ModelUnavailable, match="no address"):
        await OpenAiCompatible("vllm", "http://nothing.invalid/v1", http).open(outbound(), CHAT)


async def test_a_connection_that_does_not_come_about_is_given_up(http: ProviderHttp) -> None:
    with socket.socket() as full, socket.socket() as first, socket.socket() as second:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for filling in (first, second):
            filling.settimeout(0)
            filling.connect_ex(full.getsockname())
        provider = OpenAiCompatible("vllm", f"http://127.0.0.1:{full.getsockname()[1]}", http)
        async with asyncio.timeout(2):
            with pytest.raises(ModelUnavailable, match="in time"):
                await provider.open(outbound(connect_ms=60), CHAT)


async def test_a_connection_is_used_again_after_a_whole_reply_and_only_then(http: ProviderHttp) -> None:
    acts = [Act(), Act(), Act(pause_s=0.01), Act(), Act()]
    async with an_upstream(CHAT, acts) as upstream:
        provider = at(upstream, http)
        for stream in (False, True):
            answer = await provider.open(outbound(stream=stream), CHAT)
            await taken(answer, stream=stream)
            await answer.close()
        assert upstream.connections == 1
        left = await provider.open(outbound(stream=True), CHAT)
        await left.close()
        answer = await provider.open(outbound(), CHAT)
        assert b"fox" in await answer.read()
        assert upstream.connections == 2, "what is left of a reply is nobody else's reply"
        refused = await provider.open(outbound(), CHAT)
        await refused.close()


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("fault", [Fault.RESET_IN_BODY, Fault.CUT_IN_BODY])
async def test_a_reply_that_breaks_off_is_not_a_reply_that_ends(http: ProviderHttp, fault: Fault, stream: bool) -> None:
    async with an_upstream(CHAT, Act(fault=fault)) as upstream:
        answer = await at(upstream, http).open(outbound(stream=stream), CHAT)
        with pytest.raises(ReplyCut):
            await taken(answer, stream=stream)
        await answer.close()


@pytest.mark.parametrize("stream", [False, True])
async def test_a_pause_that_is_too_long_ends_the_reply(http: ProviderHttp, stream: bool) -> None:
    async with an_upstream(CHAT, Act(fault=Fault.STALL_AFTER_FIRST)) as upstream:
        answer = await at(upstream, http).open(outbound(stream=stream, idle_ms=80), CHAT)
        async with asyncio.timeout(2):
            with pytest.raises(ModelTimeout, match=r"0\.08 seconds"):
                await taken(answer, stream=stream)
        await answer.close()
        await _gone(upstream)


async def test_a_steady_stream_may_last_longer_than_the_longest_pause(http: ProviderHttp) -> None:
    async with an_upstream(CHAT, Act(pause_s=0.03)) as upstream:
        answer = await at(upstream, http).open(outbound(stream=True, idle_ms=150), CHAT)
        assert (await taken(answer, stream=True)).endswith(b"[DONE]\n\n")


async def test_a_slow_reader_is_not_a_pause_of_the_provider(http: ProviderHttp) -> None:
    async with an_upstream(CHAT, Act(pause_s=0.01)) as upstream:
        answer = await at(upstream, http).open(outbound(stream=True, idle_ms=60), CHAT)
        chunks, got = answer.chunks(), b""
        for _ in range(2):
            got += await anext(chunks)
            await asyncio.sleep(0.15)
        async for chunk in chunks:
            got += chunk
        assert got.endswith(b"[DONE]\n\n")


async def test_the_wait_for_the_first_token_is_not_a_pause(http: ProviderHttp) -> None:
    async with an_upstream(CHAT, Act(fault=Fault.STALL_BEFORE_FIRST)) as upstream:
        answer = await at(upstream, http).open(outbound(stream=True, idle_ms=30), CHAT)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.12):
                await taken(answer, stream=True)
        await answer.close()


async def test_a_closed_answer_tells_the_provider_that_the_asker_is_gone(http: ProviderHttp) -> None:
    async with an_upstream(CHAT, Act(pause_s=0.02)) as upstream:
        answer = await at(upstream, http).open(outbound(stream=True), CHAT)
        async for _ in answer.chunks():
            break
        await answer.close()
        await _gone(upstream)
        assert not upstream.charges[0].complete


async def test_a_body_without_end_is_not_read_to_the_end(http: ProviderHttp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_module, "MAX_REPLY", 1 << 20)
    async with an_upstream(CHAT, Act(fault=Fault.HUGE)) as upstream:
        answer = await at(upstream, http).open(outbound(), CHAT)
        with pytest.raises(BadModelReply, match="longer than 1 MiB"):
            await answer.read()


async def test_a_stream_without_end_is_not_read_to_the_end(http: ProviderHttp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_module, "MAX_STREAM", 1 << 20)
    async with an_upstream(CHAT, Act(fault=Fault.HUGE)) as upstream:
        answer = await at(upstream, http).open(outbound(), CHAT)
        with pytest.raises(BadModelReply, match="longer than 1 MiB"):
            async for _ in answer.chunks():
                pass


async def test_a_body_that_came_at_once_may_be_too_long_too(
    http: ProviderHttp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_module, "MAX_REPLY", 100)
    async with an_upstream(CHAT) as upstream:
        answer = await at(upstream, http).open(outbound(), CHAT)
        await asyncio.sleep(0.02)
        with pytest.raises(BadModelReply, match="longer"):
            await answer.read()


async def test_a_compressed_reply_is_read_and_a_broken_one_is_named(http: ProviderHttp) -> None:
    async with an_upstream(CHAT, [Act(gzip=True), Act(fault=Fault.BAD_GZIP)]) as upstream:
        answer = await at(upstream, http).open(outbound(), CHAT)
        assert b"fox" in await answer.read()
        with pytest.raises(BadModelReply, match="compression"):
            await (await at(upstream, http).open(outbound(), CHAT)).read()


async def test_a_small_body_that_unfolds_without_end_is_withheld(
    http: ProviderHttp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_module, "MAX_REPLY", 1 << 20)
    bomb = gzip.compress(b" " * (8 << 20))

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: %d\r\n\r\n%b" % (len(bomb), bomb))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        answer = await OpenAiCompatible("vllm", url, http).open(outbound(), CHAT)
        with pytest.raises(BadModelReply):
            await answer.read()


@pytest.mark.parametrize(("fault", "says"), [(Fault.REDIRECT, "redirect"), (Fault.NOT_HTTP, "not answer in HTTP")])
async def test_an_answer_that_is_no_answer_is_named(http: ProviderHttp, fault: Fault, says: str) -> None:
    async with an_upstream(CHAT, Act(fault=fault)) as upstream:
        with pytest.raises(BadModelReply, match=says):
            await at(upstream, http).open(outbound(), CHAT)


async def test_how_long_to_wait_is_kept(http: ProviderHttp) -> None:
    async with an_upstream(CHAT, Act(fault=Fault.OVERLOADED, retry_after="7")) as upstream:
        answer = await at(upstream, http).open(outbound(), CHAT)
        assert (answer.status, answer.headers.get("retry-after")) == (429, "7")
        assert b"rate_limit_error" in await answer.read()


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("fault", [fault for fault in Fault if "stall" not in fault and fault is not Fault.HUGE])
async def test_no_failure_is_anything_but_a_model_failure(http: ProviderHttp, fault: Fault, stream: bool) -> None:
    async with an_upstream(CHAT, Act(fault=fault)) as upstream:
        with suppress(ModelFailed):
            answer = await at(upstream, http).open(outbound(stream=stream), CHAT)
            await taken(answer, stream=stream)


async def test_tls_is_verified_and_an_authority_can_be_added(http: ProviderHttp, tmp_path: Path) -> None:
    certificate, key = await _certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context) as server:
        url = f"https://localhost:{server.sockets[0].getsockname()[1]}/v1"
        with pytest.raises(ModelUnavailable, match="certificate is not trusted"):
            await OpenAiCompatible("own", url, http).open(outbound(), CHAT)
        answer = await OpenAiCompatible("own", url, http, ca_file=certificate).open(outbound(), CHAT)
        assert await answer.read() == b"{}"


@pytest.mark.parametrize("url", ["", "ftp://a", "https://", "https://u:p@a/v1", "https://a/v1?key=1", "a.example/v1"])
def test_a_base_url_that_makes_no_sense_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="p1"):
        checked_base(url, "p1")


def test_a_ca_file_without_certificates_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nothing")
    for name in ("ca.pem", "absent.pem"):
        with pytest.raises(ConfigurationError, match="CA file"):
            trust_of(tmp_path / name, "p1")


async def _gone(upstream: Upstream) -> None:
    async with asyncio.timeout(2):
        while not upstream.gone:  # noqa: ASYNC110
            await asyncio.sleep(0.005)


async def _certificate(folder: Path) -> tuple[Path, Path]:
    certificate, key = folder / "cert.pem", folder / "key.pem"
    made = await asyncio.create_subprocess_exec(
        *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
        *("-keyout", str(key), "-out", str(certificate), "-days", "2", "-subj", "/CN=localhost"),
        *("-addext", "subjectAltName=DNS:localhost", "-addext", "basicConstraints=critical,CA:TRUE"),
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert await made.wait() == 0
    return certificate, key
