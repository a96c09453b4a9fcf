"""A kept reply is found by the same question of the same circle only, and what cannot be told again is not kept."""

from collections.abc import Callable
from dataclasses import replace
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.domain.canonical import Json
from interlock.domain.ids import AgentId, ModelCallId, PrincipalId, RunId, TenantId, UserId
from interlock.domain.models import Dialect, ModelCall
from interlock.domain.route_settings import Cache, CacheScope, Privacy, PrivacyMode, Settings, StructuredOutput
from interlock.models import cache
from interlock.models.cache import Asked, exact_key, is_cacheable, is_twisted, kinship, may_keep

QUESTION = "How do I reset my password?"
TOOL: Json = {"type": "function", "function": {"name": "look_up", "parameters": {}}}
Change = Callable[[Asked], Asked]


def asked(scope: CacheScope = CacheScope.USER, **body: Json) -> Asked:
    call = ModelCall(
        ModelCallId("mc_1"),
        TenantId("acme"),
        AgentId("refunds"),
        PrincipalId("bot"),
        "m",
        Dialect.OPENAI_CHAT,
        RunId("run-1"),
        UserId("ann"),
    )
    messages: Json = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": QUESTION}]
    return Asked(call, "m", Settings(cache=Cache(scope=scope)), {"model": "m", "messages": messages, **body}, {})


def of_call(**changes: Any) -> Change:
    return lambda one: replace(one, call=replace(one.call, **changes))


def saying(**more: Json) -> Change:
    return lambda one: replace(one, body={**one.body, **more})


def with_settings(**changes: Any) -> Change:
    return lambda one: replace(one, settings=replace(one.settings, **changes))


def with_system(text: str) -> Change:
    return lambda one: saying(messages=[{"role": "system", "content": text}, *_messages(one)[1:]])(one)


def _messages(one: Asked) -> list[Json]:
    found = one.body["messages"]
    assert isinstance(found, list)
    return found


ALWAYS: dict[str, Change] = {
    "tenant": of_call(tenant=TenantId("globex")),
    "model": lambda one: replace(one, model="other"),
    "dialect": of_call(dialect=Dialect.ANTHROPIC),
    "system prompt": with_system("Be rude."),
    "earlier words": saying(
        messages=[
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": "Hello"},
            {"role": "user", "content": QUESTION},
        ]
    ),
    "tools": saying(tools=[TOOL]),
    "output schema": saying(response_format={"type": "json_object"}),
    "temperature": saying(temperature=1),
    "seed": saying(seed=7),
    "cap": saying(max_tokens=5),
    "vendor's header": lambda one: replace(one, headers={"anthropic-beta": "x"}),
    "enforcement": with_settings(structured=StructuredOutput(enforce=False)),
    "privacy": with_settings(privacy=Privacy(PrivacyMode.REDACT)),
}
BY_SCOPE: dict[CacheScope, dict[str, Change]] = {
    CacheScope.TENANT: {},
    CacheScope.AGENT: {"agent": of_call(agent=AgentId("sales"))},
    CacheScope.USER: {"agent": of_call(agent=AgentId("sales")), "user": of_call(user=UserId("ben"))},
    CacheScope.RUN: {"agent": of_call(agent=AgentId("sales")), "run": of_call(run=RunId("run-2"))},
}


def shared_across(scope: CacheScope) -> list[str]:
    """Return what two requests may differ in, and still share replies."""
    first = asked(scope)
    first_kin = kinship(first, "e")
    assert first_kin is not None
    leaks = []
    for name, change in {**ALWAYS, **BY_SCOPE[scope]}.items():
        second = change(first)
        kin = kinship(second, "e")
        if exact_key(first) == exact_key(second):
            leaks.append(f"{name}, exactly")
        if kin is not None and kin.partition == first_kin.partition:
            leaks.append(f"{name}, by meaning")
    return leaks


@pytest.mark.parametrize("scope", CacheScope)
def test_nothing_is_shared_across_tenants_identities_models_prompts_tools_or_parameters(scope: CacheScope) -> None:
    assert shared_across(scope) == []


def _one_circle(_call: ModelCall, _scope: CacheScope) -> list[Json]:
    return ["everyone"]


@pytest.mark.parametrize("scope", [CacheScope.AGENT, CacheScope.USER, CacheScope.RUN])
def test_a_cache_that_forgets_the_circle_is_caught(scope: CacheScope, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "circle", _one_circle)

    assert {name.partition(",")[0] for name in shared_across(scope)} == set(BY_SCOPE[scope])


def test_a_cache_that_forgets_the_tenant_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    sound = cache._common
    monkeypatch.setattr(cache, "_common", lambda one: sound(one)[1:])

    assert shared_across(CacheScope.AGENT) == ["tenant, exactly", "tenant, by meaning"]


@given(
    st.lists(st.tuples(*(st.integers(0, 1) for _ in range(4))), min_size=2, max_size=2, unique=True),
    st.sampled_from(CacheScope),
)
def test_two_callers_share_exactly_when_the_scope_says_so(who: list[tuple[int, ...]], scope: CacheScope) -> None:
    goes_by = {
        CacheScope.TENANT: (0,),
        CacheScope.AGENT: (0, 1),
        CacheScope.USER: (0, 1, 2),
        CacheScope.RUN: (0, 1, 3),
    }[scope]
    keys = [
        exact_key(
            of_call(
                tenant=TenantId(f"t{tenant}"), agent=AgentId(f"a{agent}"), user=UserId(f"u{user}"), run=RunId(f"r{run}")
            )(asked(scope))
        )
        for tenant, agent, user, run in who
    ]

    assert (keys[0] == keys[1]) == all(who[0][place] == who[1][place] for place in goes_by)


@pytest.mark.parametrize("scope", [CacheScope.USER, CacheScope.RUN])
def test_a_call_without_user_and_run_shares_with_nobody(scope: CacheScope) -> None:
    lone = of_call(user=None, run=None)(asked(scope))

    assert exact_key(lone) != exact_key(of_call(id=ModelCallId("mc_2"))(lone))


def test_a_user_named_like_a_run_does_not_get_its_replies() -> None:
    user = of_call(user=UserId("x"), run=RunId("r"))(asked())
    run = of_call(user=None, run=RunId("x"))(asked())

    assert exact_key(user) != exact_key(run)


def test_delivery_does_not_matter() -> None:
    streamed = of_call(streamed=True)(asked(stream=True, stream_options={"include_usage": True}))

    assert exact_key(streamed) == exact_key(asked())


@pytest.mark.parametrize(
    "body",
    [
        {"n": 2},
        {"conversation": "conv_1"},
        {"background": True},
        {"web_search_options": {"search_context_size": "low"}},
        {"mcp_servers": [{"url": "https://mcp.example"}]},
        {"tools": [TOOL, {"type": "web_search"}]},
        {"tools": [{"type": "mcp", "server_url": "https://mcp.example"}]},
    ],
    ids=",".join,
)
def test_what_the_provider_does_besides_replying_is_never_served_from_memory(body: dict[str, Json]) -> None:
    assert not is_cacheable(asked(**body))
    assert is_cacheable(asked(tools=[TOOL]))


def test_what_a_stream_cannot_tell_is_not_cached_for_streams() -> None:
    with_probabilities = asked(logprobs=True)

    assert is_cacheable(with_probabilities)
    assert not is_cacheable(of_call(streamed=True)(with_probabilities))


@pytest.mark.parametrize("scope", CacheScope)
@pytest.mark.parametrize("stop", ["length", "filtered", "refusal", "pause", "other", ""])
def test_a_reply_that_did_not_end_well_is_not_kept(scope: CacheScope, stop: str) -> None:
    assert not any(may_keep(scope, stop, proposes=proposes) for proposes in (False, True))


def test_what_a_reply_proposes_serves_only_whom_it_was_made_for() -> None:
    kept = {
        (scope, stop, proposes)
        for scope, stop, proposes in product(CacheScope, ("end", "sequence", "tools"), (False, True))
        if may_keep(scope, stop, proposes=proposes)
    }

    narrow = {CacheScope.RUN, CacheScope.USER}
    assert {scope for scope, _, proposes in kept if proposes} == narrow
    assert {scope for scope, stop, _ in kept if stop == "tools"} == narrow
    assert {scope for scope, stop, proposes in kept if stop == "end" and not proposes} == set(CacheScope)


def test_only_the_last_words_of_the_user_may_differ() -> None:
    one, other = kinship(asked(), "e"), kinship(_asking(asked(), "How can I reset my password?"), "e")

    assert one is not None
    assert other is not None
    assert one.partition == other.partition
    assert one.key != other.key
    assert one.text == QUESTION


@pytest.mark.parametrize(
    "content",
    [
        [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}],
        [{"type": "text", "text": "What is this?"}, {"type": "input_audio", "input_audio": {}}],
        [{"type": "file", "file": {}}],
        [],
        "",
        "  ",
        None,
        "x" * 1_001,
        [{"type": "text", "text": 5}],
    ],
)
def test_a_question_that_is_more_or_less_than_words_serves_no_other(content: Json) -> None:
    one = asked()

    assert kinship(saying(messages=[{"role": "user", "content": content}])(one), "e") is None


def test_a_conversation_that_the_user_does_not_end_serves_no_other() -> None:
    for role in ("assistant", "tool", "system", "developer"):
        messages: Json = [{"role": "user", "content": QUESTION}, {"role": role, "content": "Yes"}]
        assert kinship(saying(messages=messages)(asked()), "e") is None
    assert kinship(saying(messages=[])(asked()), "e") is None


@pytest.mark.parametrize(
    ("dialect", "body"),
    [
        (
            Dialect.ANTHROPIC,
            {"system": "S", "messages": [{"role": "user", "content": [{"type": "text", "text": QUESTION}]}]},
        ),
        (Dialect.OPENAI_RESPONSES, {"instructions": "S", "input": QUESTION}),
        (
            Dialect.OPENAI_RESPONSES,
            {"input": [{"role": "user", "content": [{"type": "input_text", "text": QUESTION}]}]},
        ),
    ],
)
def test_the_question_is_found_in_every_format(dialect: Dialect, body: dict[str, Json]) -> None:
    one = replace(of_call(dialect=dialect)(asked()), body=body)
    kin = kinship(one, "e")

    assert kin is not None
    assert kin.text == QUESTION
    assert kinship(one, "another embedder") != kin


def test_the_same_words_in_another_order_are_another_question() -> None:
    one = kinship(_asking(asked(), "Does plan a include plan b"), "e")
    swapped = kinship(_asking(asked(), "Does plan b include plan a"), "e")

    assert one is not None
    assert swapped is not None
    assert one.partition == swapped.partition
    assert is_twisted(one, swapped.key)
    assert not is_twisted(one, one.key)


def _asking(one: Asked, text: str) -> Asked:
    return saying(messages=[*_messages(one)[:-1], {"role": "user", "content": text}])(one)
