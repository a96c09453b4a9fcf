"""Whatever a provider does wrong, the caller gets a typed error, never a false end; what was used is paid, nothing stays held."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import orjson
import pytest

from interlock.domain.budgets import Limit, Measure, Scope, Window
from interlock.domain.errors import ModelFailed
from interlock.domain.models import Dialect, ModelCallStatus, UsageSource
from interlock.domain.route_settings import Retries, Settings, Timeouts
from interlock.models.counting import request_tokens
from tests.kits.models import WIRES, Road, WallClock, a_road, model, over_http, words
from tests.kits.upstreams import Act, Fault, Received, Upstream, an_upstream

TOKENS = Limit("tokens", Measure.TOKENS, Scope.AGENT, 1_000_000, Window.DAY)
TIMES = Timeouts(connect_ms=1_000, first_byte_ms=400, between_bytes_ms=300, total_ms=2_000)
SETTINGS = Settings(timeouts=TIMES, retries=Retries(attempts=1))

BEFORE_THE_FIRST_WORD = {
    Fault.RESET_BEFORE_HEAD: "model_unavailable",
    Fault.CLOSED_BEFORE_HEAD: "model_unavailable",
    Fault.STALL_BEFORE_HEAD: "model_timeout",
    Fault.STALL_BEFORE_FIRST: "model_timeout",
    Fault.OVERLOADED: "model_overloaded",
    Fault.OVERLOADED_UNTOLD: "model_overloaded",
    Fault.BROKEN: "model_unavailable",
    Fault.WRONG_KEY: "model_unavailable",
    Fault.REFUSED: "model_refused",
    Fault.WRONG_TYPE: "bad_model_reply",
    Fault.BAD_GZIP: "bad_model_reply",
    Fault.REDIRECT: "bad_model_reply",
    Fault.NOT_HTTP: "bad_model_reply",
}
AFTER_THE_FIRST_WORD = {
    Fault.STALL_AFTER_FIRST: "model_timeout",
    Fault.RESET_IN_BODY: "reply_cut",
    Fault.CUT_IN_BODY: "reply_cut",
    Fault.NO_TERMINATOR: "reply_cut",
    Fault.MALFORMED: "bad_model_reply",
    Fault.HALF_UTF8: "bad_model_reply",
    Fault.ERROR_INSIDE: "model_unavailable",
    Fault.HUGE: "bad_model_reply",
}


def counted(raw: bytes) -> int:
    """Count the input as Interlock does when no provider says."""
    return request_tokens(WIRES[Dialect.OPENAI_CHAT].read_request(orjson.loads(raw)), words)


@asynccontextmanager
async def a_faulty_road(fault: Fault, *, spare: bool = False) -> AsyncIterator[tuple[Road, Upstream]]:
    """Yield a road to a provider with `fault`; with `spare` a second model of the same provider is well."""

    def act(request: Received) -> Act:
        return Act() if request.body["model"] == "spare" else Act(fault, words="one two three four five six")

    async with (
        an_upstream(Dialect.OPENAI_CHAT, act, count_input=counted) as upstream,
        over_http("up", upstream.url) as provider,
    ):
        models = (model("m", fallbacks=("spare",) if spare else ()), model("spare"))
        # A connection that the provider closed after its fault may be taken for one that is still open.
        settings = replace(SETTINGS, retries=Retries(attempts=2, base_ms=1)) if spare else SETTINGS
        async with a_road(provider, models=models, settings=settings, limits=(TOKENS,)) as road:
            yield road, upstream


@pytest.mark.parametrize(("fault", "code"), BEFORE_THE_FIRST_WORD.items())
async def test_a_fault_before_the_first_word_is_told_as_an_error(fault: Fault, code: str) -> None:
    for streamed in (False, True):
        async with a_faulty_road(fault) as (road, _):
            with pytest.raises(ModelFailed) as told:
                await (road.stream() if streamed else road.chat())
            assert told.value.code == code
            record = await road.record()
            assert (record.status, record.attempts[-1].outcome) == (ModelCallStatus.FAILED, code)
            assert (await road.balances())["tokens"][1] == 0


@pytest.mark.parametrize("fault", BEFORE_THE_FIRST_WORD)
async def test_a_fault_before_the_first_word_falls_back_unless_the_request_itself_is_refused(fault: Fault) -> None:
    async with a_faulty_road(fault, spare=True) as (road, upstream):
        if fault is Fault.REFUSED:
            with pytest.raises(ModelFailed):
                await road.stream()
            assert len(upstream.received) == 1
            return
        heard = await road.stream()
        assert heard.ended == "finished"
        assert bytes(heard.data).endswith(b"data: [DONE]\n\n")
        attempts = (await road.record()).attempts
        assert attempts[0].model == "m"
        assert (attempts[-1].model, attempts[-1].outcome) == ("spare", "served")


@pytest.mark.parametrize(("fault", "code"), AFTER_THE_FIRST_WORD.items())
async def test_a_fault_after_the_first_word_breaks_the_stream_and_is_paid_to_the_token(fault: Fault, code: str) -> None:
    async with a_faulty_road(fault, spare=True) as (road, upstream):
        heard = await road.stream()
        assert heard.ended == "aborted"
        assert b"[DONE]" not in heard.data
        assert heard.events[-1]["error"]["code"] == code
        assert "one" in bytes(heard.data).decode()
        # Bytes were delivered, so nobody else may go on with the reply.
        assert len(upstream.received) == 1
        record = await road.record()
        assert (record.status, record.proposals) == (ModelCallStatus.CUT, ())
        assert record.attempts[-1].usage_source is UsageSource.COUNTED
        assert await road.balances() == {"tokens": (upstream.charged.total, 0)}


@pytest.mark.parametrize(("fault", "code"), AFTER_THE_FIRST_WORD.items())
async def test_a_whole_reply_that_breaks_is_an_error_and_never_half_a_reply(fault: Fault, code: str) -> None:
    async with a_faulty_road(fault) as (road, _):
        with pytest.raises(ModelFailed) as told:
            await road.chat()
        assert told.value.code == {Fault.NO_TERMINATOR: "bad_model_reply"}.get(fault, code)
        assert (await road.record()).status is ModelCallStatus.FAILED
        assert (await road.balances())["tokens"][1] == 0


async def test_a_provider_that_asks_for_patience_gets_it() -> None:
    answers = [Act(Fault.OVERLOADED, retry_after="1"), Act()]
    async with an_upstream(Dialect.OPENAI_CHAT, answers) as upstream, over_http("up", upstream.url) as provider:
        settings = replace(SETTINGS, retries=Retries(attempts=2, base_ms=1))
        async with a_road(provider, settings=settings, clock=WallClock()) as road:
            await road.chat()
            record = await road.record()
            assert [one.outcome for one in record.attempts] == ["model_overloaded", "served"]
            assert record.duration_ms >= 1_000


async def test_a_stream_that_is_never_quiet_and_never_ends_is_ended() -> None:
    def act(_request: Received) -> Act:
        return Act(words="word " * 200, pause_s=0.05)

    async with (
        an_upstream(Dialect.OPENAI_CHAT, act, count_input=counted) as upstream,
        over_http("up", upstream.url) as provider,
    ):
        settings = replace(SETTINGS, timeouts=replace(TIMES, total_ms=600))
        async with a_road(provider, settings=settings, limits=(TOKENS,)) as road:
            heard = await road.stream()
            assert (heard.ended, heard.events[-1]["error"]["code"]) == ("aborted", "model_timeout")
            assert (await road.balances())["tokens"][1] == 0


async def test_silence_is_hedged_and_the_slower_one_is_let_go_and_paid() -> None:
    def act(request: Received) -> Act:
        return Act(pause_s=0.3) if request.body["model"] == "m" else Act()

    async with (
        an_upstream(Dialect.OPENAI_CHAT, act, count_input=counted) as upstream,
        over_http("up", upstream.url) as provider,
    ):
        models = (model("m", fallbacks=("spare",)), model("spare"))
        settings = replace(SETTINGS, hedge_ms=50)
        async with a_road(provider, models=models, settings=settings, limits=(TOKENS,)) as road:
            heard = await road.stream()
            assert heard.ended == "finished"
            record = await road.record()
            assert sorted((one.model, one.outcome) for one in record.attempts) == [
                ("m", "abandoned"),
                ("spare", "served"),
            ]
            assert [event["kind"] for event in record.events] == ["hedged"]
            assert (await road.balances())["tokens"][1] == 0


async def test_two_that_speak_at_once_are_both_paid_and_one_is_heard() -> None:
    # Both answer together, after the hedge has begun: the reply that nobody hears must not stay held.
    async with (
        an_upstream(Dialect.OPENAI_CHAT, Act(pause_s=0.15), count_input=counted) as slow,
        over_http("up", slow.url) as provider,
    ):
        models = (model("m", fallbacks=("spare",)), model("spare"))
        settings = replace(SETTINGS, hedge_ms=1)
        async with a_road(provider, models=models, settings=settings, limits=(TOKENS,)) as road:
            for _ in range(5):
                await road.chat()
            records = await road.records()
            assert all(len(record.attempts) == 2 for record in records)
            assert (await road.balances())["tokens"][1] == 0


async def test_a_hedge_takes_a_refused_request_nowhere_else() -> None:
    models = (model("m", fallbacks=("spare", "third")), model("spare"), model("third"))
    async with (
        an_upstream(Dialect.OPENAI_CHAT, Act(Fault.REFUSED), count_input=counted) as upstream,
        over_http("up", upstream.url) as provider,
        a_road(provider, models=models, settings=replace(SETTINGS, hedge_ms=300)) as road,
    ):
        with pytest.raises(ModelFailed):
            await road.chat()
        assert "third" not in [one.body["model"] for one in upstream.received]
