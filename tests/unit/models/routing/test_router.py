"""Which models serve a call, in which order, and why."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.domain.errors import ContextTooLong, Forbidden, ModelUnavailable, Uncarriable, UnknownModel
from interlock.domain.route_settings import Settings, Timeouts
from interlock.domain.routes import Classifier, RouteRule, Tier, When
from interlock.models.ports import Operation
from interlock.models.routing import Health
from tests.unit.models.routing.board import MODELS, NOW, against, ask, free, model, order, plan, router

BY_WORDS = Classifier("mini", "Simple or hard?", (("simple", "small"), ("hard", "frontier")), "mid")


def down(*models: str) -> Health:
    health = Health()
    for each in models:
        for _ in range(health.breaker.failures):
            health.failed(each, NOW)
    return health


@pytest.mark.parametrize("name", ["sonnet", "sonnet-2025", "claude/sonnet-2025"])
def test_a_named_model_is_served_by_it_and_its_own_fallbacks_only(name: str) -> None:
    made = plan(router(), ask(name))

    assert order(made) == ["sonnet", "mini"]
    assert made.tier == ""
    assert made.explanation["by"] == "name"


def test_a_name_that_two_providers_have_means_the_first_declared() -> None:
    twice = (model("one", "openai", name="same"), model("two", "claude", name="same"))

    assert order(plan(router(models=twice, tiers=(), default="one"), ask("same"))) == ["one"]


def test_a_declared_name_wins_over_a_providers_own() -> None:
    crossed = (model("one", name="two"), model("two"))

    assert order(plan(router(models=crossed, tiers=(), default="one"), ask("two"))) == ["two"]


def test_a_tier_is_tried_in_order_and_then_its_fallbacks() -> None:
    made = plan(router(), ask("small"))

    assert order(made) == ["qwen", "mini", "sonnet"]
    assert [each.tier for each in made.candidates] == ["small", "small", "mid"]
    assert made.tier == "small"


def test_a_model_in_two_tiers_is_tried_once() -> None:
    tiers = (Tier("a", ("mini", "opus"), fallback=("b",)), Tier("b", ("opus", "sonnet")))

    assert order(plan(router(tiers=tiers, default="a"), ask())) == ["mini", "opus", "sonnet"]


def test_a_name_that_nobody_declared_is_refused_with_the_nearest() -> None:
    with pytest.raises(UnknownModel, match=r"Did you mean 'sonnet'\?"):
        plan(router(), ask("sonet"))


def test_the_first_rule_that_matches_holds() -> None:
    made = router(
        RouteRule("others", When(agent=frozenset({"billing"})), "small"),
        RouteRule("first", When(agent=frozenset({"support"})), "frontier"),
        RouteRule("second", When(), "small"),
    )

    assert order(plan(made, ask())) == ["opus", "sonnet"]
    assert plan(made, ask()).explanation["rule"] == "first"
    assert plan(made, ask(agent="x")).explanation["rule"] == "second"


def test_what_a_caller_names_stands_unless_a_rule_asks_for_that_name() -> None:
    made = router(
        RouteRule("all", When(), "frontier"), RouteRule("old", When(model=frozenset({"gpt-4o", "small"})), "mid")
    )

    assert order(plan(made, ask("mini"))) == ["mini"]
    assert order(plan(made, ask("gpt-4o"))) == ["sonnet"]
    assert order(plan(made, ask("small"))) == ["sonnet"]
    assert order(plan(made, ask())) == ["opus", "sonnet"]


def test_without_a_rule_the_agents_own_tier_holds_then_the_default_then_nothing() -> None:
    assert plan(router(), ask(tier_of_step="frontier")).tier == "frontier"
    assert plan(router(), ask()).tier == "mid"
    with pytest.raises(UnknownModel, match="No rule says"):
        plan(router(default=""), ask())


def test_a_tier_of_a_step_that_is_not_declared_is_refused() -> None:
    with pytest.raises(UnknownModel, match="'smal'"):
        plan(router(), ask(tier_of_step="smal"))


@pytest.mark.parametrize(
    ("needs", "words"),
    [
        ({"has_tools": True}, "it takes no tools"),
        ({"images": True}, "it takes no images"),
        ({"input_tokens": 32_000}, "request and reply may have 36096 tokens, and its window holds 32768"),
        ({"output_cap": 9_000}, "its replies have at most 8192 tokens, and 9000 are asked for"),
    ],
)
def test_a_model_that_cannot_serve_the_call_is_left_out_and_the_record_says_why(
    needs: dict[str, int], words: str
) -> None:
    routed = router()
    plan(routed, ask("small"))  # what was kept for an easier call must not serve this one

    made = plan(routed, ask("small", **needs))

    assert order(made) == ["mini", "sonnet"]
    assert against(made) == {"qwen": words}


def test_embeddings_go_to_models_that_make_them_and_words_to_those_that_talk() -> None:
    assert order(plan(router(), ask("embed", operation=Operation.EMBED))) == ["vectors"]
    assert order(plan(router(), ask("embed"))) == ["mini"]


@pytest.mark.parametrize(
    ("needs", "error"),
    [
        ({"has_tools": True}, Uncarriable),
        ({"input_tokens": 40_000}, ContextTooLong),
        ({"operation": Operation.EMBED}, Uncarriable),
    ],
)
def test_a_call_that_nothing_can_serve_is_refused_with_the_reason(
    needs: dict[str, int], error: type[Exception]
) -> None:
    with pytest.raises(error, match="qwen: "):
        plan(router(), ask("qwen", **needs))


def test_an_agent_gets_only_what_is_listed_for_it() -> None:
    limited = router(allow={"support": frozenset({"small"})})

    assert order(plan(limited, ask("small"))) == ["qwen", "mini"]
    assert against(plan(limited, ask("small"))) == {"sonnet": "this agent may not use it"}
    with pytest.raises(Forbidden, match="'opus'"):
        plan(limited, ask("opus"))
    assert order(plan(limited, ask("opus", agent="other"))) == ["opus"]
    assert limited.names_for("support") == ("small", "embed", "mini", "qwen")
    assert "opus" in limited.names_for("other")


def test_a_model_with_an_open_circuit_is_passed_over_also_after_its_plan_was_kept() -> None:
    routed = router()
    assert order(plan(routed, ask("small"))) == ["qwen", "mini", "sonnet"]

    made = plan(routed, ask("small"), down("qwen"))

    assert order(made) == ["mini", "sonnet"]
    assert against(made) == {"qwen": "left alone after failures, for 15 s more"}
    assert order(plan(routed, ask("small"))) == ["qwen", "mini", "sonnet"]


def test_when_every_circuit_is_open_the_error_says_when_to_come_back() -> None:
    with pytest.raises(ModelUnavailable) as caught:
        plan(router(), ask("opus"), down("opus"), NOW + 5_000)

    assert caught.value.retry_after_s == 10.0


def test_settings_are_those_of_the_step_and_waits_those_of_the_model() -> None:
    slow = Timeouts(first_byte_ms=120_000)
    models = (*MODELS[:3], replace(MODELS[3], timeouts=slow, output_cap=99_999, max_output=500))
    routed = router(models=models, tiers=(), default="mini", steps={"triage": Settings(output_cap=20)})

    assert plan(routed, ask("mini", step="triage")).candidates[0].output_cap == 20
    assert plan(routed, ask("mini", step="other")).candidates[0].output_cap == 4_096
    opus = plan(routed, ask("opus", step="triage")).candidates[0]
    assert (opus.output_cap, opus.timeouts) == (500, slow)


def test_a_classifier_is_named_first_and_its_answer_then_picks_the_tier() -> None:
    routed = router(RouteRule("c", When(), BY_WORDS))

    first = plan(routed, ask(text="refund?"))

    assert first.classify is not None
    assert first.classify.candidate.model == "mini"
    assert first.tier == "mid", "what holds if nobody asks the classifier"
    assert plan(routed, ask(), answer=" Hard.\n").tier == "frontier"
    assert plan(routed, ask(), answer="simple").tier == "small"
    assert plan(routed, ask(), answer="simple").classify is None
    for unclear in ("", "either", "simple or hard", "hardly"):
        assert plan(routed, ask(), answer=unclear).tier == "mid"


def test_a_classifier_with_an_open_circuit_is_not_asked() -> None:
    made = plan(router(RouteRule("c", When(), BY_WORDS)), ask(), down("mini"))

    assert (made.classify, made.tier) == (None, "mid")
    assert made.explanation["classifier"]["against"]


def test_the_record_does_not_repeat_what_a_classifier_said() -> None:
    made = plan(router(RouteRule("c", When(), BY_WORDS)), ask(), answer="simple: jane@example.com")

    assert "jane" not in str(made.explanation)


@given(
    st.sampled_from(["auto", "small", "mini", "opus", "frontier"]),
    st.integers(0, 250_000),
    st.one_of(st.none(), st.integers(1, 70_000)),
    st.booleans(),
    st.booleans(),
    st.sets(st.sampled_from(["mini", "qwen", "sonnet", "opus"])),
)
def test_a_kept_plan_is_what_a_fresh_router_would_say(
    name: str, given_tokens: int, cap: int | None, has_tools: bool, images: bool, ill: set[str]
) -> None:
    used, asked = router(), ask(name, input_tokens=given_tokens, output_cap=cap, has_tools=has_tools, images=images)
    for easy in (asked, ask(name), ask(name, has_tools=has_tools, images=images)):
        try:
            used.plan(easy, Health(), free, NOW)
        except (ContextTooLong, Uncarriable):
            continue

    def said(by: object) -> object:
        try:
            made = (used if by is used else router()).plan(asked, down(*ill), free, NOW)
        except (ContextTooLong, Uncarriable, ModelUnavailable) as error:
            return str(error)
        return made.candidates, made.tier, made.explanation

    assert said(used) == said(None)


def test_callers_cannot_fill_the_memory_with_steps() -> None:
    routed = router()
    for step in range(10_000):
        plan(routed, ask("mini", step=f"s{step}"))

    assert len(routed._plans._kept) <= 4_096
    assert len(routed._pools._kept) <= 4_096
