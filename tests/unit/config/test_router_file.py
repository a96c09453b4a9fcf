"""router.yaml: the complete example of the documentation, and what is refused."""

from __future__ import annotations

from pathlib import Path

import jsonschema_rs
import pytest

from interlock.config import ProviderKind, RouterFile, load_deployment, load_router
from interlock.config.nodes import parse, plain
from interlock.config.published import schemas
from interlock.domain.errors import ConfigurationError
from interlock.domain.models import Dialect
from interlock.domain.problems import Problem
from interlock.domain.route_settings import (
    Cache,
    CacheScope,
    ContextBudget,
    DataKind,
    Overflow,
    PrivacyMode,
    SemanticCache,
    Settings,
)
from interlock.domain.routes import Choose, Classifier, Shares, Sticky
from tests.docs.snippets import snippets

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "how-to" / "route-models.md").read_text()
FILES = {each.title.removeprefix("desk/"): "\n".join(each.body) + "\n" for each in snippets(PAGE) if each.title}
EXAMPLE = FILES["config/router.yaml"]
LEAST = """\
version: 1
providers:
  one: {type: openai, credential: env:KEY}
  two: {type: openai_compatible, base_url: http://localhost:1/v1}
  three: {type: local_embeddings}
models:
  big: one
  small: {provider: two, model: tiny}
  vectors: three
"""


def write(folder: Path) -> Path:
    for name, text in FILES.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    return folder


def load(folder: Path, text: str) -> RouterFile:
    (folder / "router.yaml").write_text(text)
    return load_router(folder / "router.yaml")


def problems(folder: Path, text: str) -> tuple[Problem, ...]:
    with pytest.raises(ConfigurationError) as caught:
        load(folder, text)
    return caught.value.problems


def example(folder: Path) -> RouterFile:
    router = load_deployment(write(folder)).router
    assert router is not None
    return router


def test_a_deployment_without_a_router_file_has_none(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "interlock.yaml").write_text("tenant: acme\nagents: [agents/*.yaml]\n")

    assert load_deployment(tmp_path).router is None


def test_the_files_that_a_router_names_are_files_of_the_deployment(tmp_path: Path) -> None:
    names = {path.name for path in load_deployment(write(tmp_path)).files}

    assert names == {"interlock.yaml", "support.yaml", "router.yaml", "rehearsal.yaml", "prices.yaml"}


def test_the_brake_does_not_need_the_router_file(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "config" / "router.yaml").write_text("broken: [")

    assert load_deployment(tmp_path, whole=False).router is None


def test_the_providers_of_the_example_are_what_it_says(tmp_path: Path) -> None:
    router = example(tmp_path)
    aws, house = router.provider("aws"), router.provider("house")

    assert [each.kind for each in router.providers] == [
        ProviderKind.OPENAI,
        ProviderKind.ANTHROPIC,
        ProviderKind.GEMINI,
        ProviderKind.BEDROCK,
        ProviderKind.OPENAI_COMPATIBLE,
        ProviderKind.LOCAL_EMBEDDINGS,
        ProviderKind.SCRIPTED,
    ]
    assert (aws.region, aws.access_key, aws.secret_key) == (
        "eu-central-1",
        "env:AWS_ACCESS_KEY_ID",
        "env:AWS_SECRET_ACCESS_KEY",
    )
    assert (house.base_url, house.outside, house.dialects) == (
        "http://vllm.internal:8000/v1",
        False,
        frozenset({Dialect.OPENAI_CHAT}),
    )
    assert [each.name for each in router.providers if not each.outside] == ["house", "vectors", "rehearsal"]
    assert router.provider("rehearsal").script == {"rules": []}
    assert [each.prices for each in router.providers] == [
        "openai",
        "anthropic",
        "google",
        "aws",
        "house",
        "vectors",
        "openai",
    ]


def test_the_models_and_tiers_of_the_example_are_what_it_says(tmp_path: Path) -> None:
    routes = example(tmp_path).routes

    assert routes.models["gpt-4.1"].fallbacks == ("sonnet",)
    assert (routes.models["gpt-4.1-mini"].provider, routes.models["gpt-4.1-mini"].name) == ("openai", "gpt-4.1-mini")
    assert routes.models["sonnet"].output_cap == 8_192
    assert not routes.models["qwen"].images
    assert routes.models["minilm"].embeddings
    flash = routes.models["flash"].timeouts
    assert flash is not None
    assert (flash.first_byte_ms, flash.total_ms) == (20_000, 300_000), "the rest as in 'defaults'"
    assert {tier.name: tier.choose for tier in routes.tiers.values()} == {
        "small": Choose.CHEAPEST,
        "mid": Choose.FASTEST,
        "frontier": Choose.WEIGHTED,
    }
    assert routes.tiers["frontier"].weights == (3, 1)
    assert routes.tiers["small"].fallback == ("mid",)
    assert routes.default == "mid"
    assert dict(routes.allow) == {"support": frozenset({"small", "mid", "frontier"})}


def test_the_rules_of_the_example_are_what_it_says(tmp_path: Path) -> None:
    rules = {rule.id: rule for rule in example(tmp_path).routes.rules}

    assert list(rules) == ["long", "retire-gpt-4o", "vip", "tickets", "by-difficulty"]
    assert rules["long"].when.min_input_tokens == 100_000
    assert rules["retire-gpt-4o"].when.model == frozenset({"gpt-4o", "gpt-4o-mini"})
    assert rules["vip"].when.labels == (("plan", frozenset({"gold", "platinum"})),)
    assert rules["vip"].when.has_tools is True
    assert rules["tickets"].use == Shares((("small", 7_000), ("mid", 3_000)), Sticky.USER)
    classifier = rules["by-difficulty"].use
    assert isinstance(classifier, Classifier)
    assert classifier.choices == (("simple", "small"), ("hard", "frontier"))
    assert (classifier.max_tokens, classifier.on_failure) == (4, "mid")


def test_a_step_changes_what_it_says_and_nothing_else(tmp_path: Path) -> None:
    routes = example(tmp_path).routes
    triage, faq, common = routes.steps["triage"], routes.steps["faq"], routes.settings

    assert (triage.output_cap, triage.hedge_ms) == (64, 1_500)
    assert triage.context == ContextBudget(8_000, Overflow.DROP_OLDEST)
    assert (triage.timeouts, triage.cache, triage.privacy) == (common.timeouts, common.cache, common.privacy)
    assert common.cache == Cache(600_000, CacheScope.USER)
    assert faq.cache == Cache(3_600_000, CacheScope.TENANT, SemanticCache(9_500, 3_600_000, "minilm"))
    assert common.privacy.mode is PrivacyMode.TOKENISE
    assert common.privacy.kinds == {DataKind.EMAIL, DataKind.PHONE, DataKind.CARD, DataKind.IBAN}
    assert common.timeouts.total_ms == 300_000
    assert common.hedge_ms is None


def test_what_the_example_says_of_the_defaults_is_true_of_a_file_that_says_nothing(tmp_path: Path) -> None:
    assert load(tmp_path, LEAST).routes.settings == Settings()


def test_a_step_may_switch_off_what_holds_for_all(tmp_path: Path) -> None:
    text = LEAST + (
        "defaults: {hedge_after: 1s}\n"
        "cache: {exact: 1m, semantic: {threshold: 90%, ttl: 1m, embedder: vectors}}\n"
        "steps: {quiet: {hedge_after: off, cache: {exact: off, semantic: off}}}\n"
    )

    routes = load(tmp_path, text).routes

    assert routes.settings.hedge_ms == 1_000
    assert routes.steps["quiet"] == Settings()


def test_the_version_changes_with_what_the_file_says_and_not_with_how_it_is_written(tmp_path: Path) -> None:
    first = load(tmp_path, LEAST).routes.version

    again = "# a word\n" + LEAST.replace("{provider: two, model: tiny}", "\n    {model: tiny, provider: two}")
    assert load(tmp_path, again).routes.version == first
    assert load(tmp_path, LEAST.replace("model: tiny", "model: tiny2")).routes.version != first


def test_the_version_changes_with_the_script_and_the_prices(tmp_path: Path) -> None:
    first = example(tmp_path).routes.version
    for name, text in (("rehearsal.yaml", "rules: [1]"), ("prices.yaml", "prices: [1]")):
        write(tmp_path)
        (tmp_path / "config" / name).write_text(text)
        changed = load_deployment(tmp_path).router
        assert changed is not None
        assert changed.routes.version != first


@pytest.mark.parametrize(
    ("more", "key", "nearest"),
    [
        ("tiers: {t: {models: [bg]}}", "tiers.t.models[0]", "big"),
        ("tiers: {mid: {models: [big]}, t: {models: [big], fallback: [mdi]}}", "tiers.t.fallback[0]", "mid"),
        ("tiers: {t: {models: [big], choose: fasttest}}", "tiers.t.choose", "fastest"),
        ("rules: [{id: r, use: smal}]", "rules[0].use", "small"),
        ("rules: [{id: r, whn: {}, use: small}]", "rules[0]", "when"),
        ("rules: [{id: r, shares: {bigg: 50%, small: 50%}}]", "rules[0].shares.bigg", "big"),
        ("defaults: {use: bigg}", "defaults.use", "big"),
        ("defaults: {unpriced: refused}", "defaults.unpriced", "refuse"),
        ("defaults: {time_outs: {}}", "defaults", "timeouts"),
        ("steps: {s: {context: {over: drop_old}}}", "steps.s.context.over", "drop_oldest"),
        ("cache: {semantic: {threshold: 9%, ttl: 1s, embedder: vector}}", "cache.semantic.embedder", "vectors"),
        ("privacy: {kinds: [emial]}", "privacy.kinds[0]", "email"),
        ("allow: {support: [bigg]}", "allow.support[0]", "big"),
    ],
)
def test_a_misspelt_name_is_met_with_its_place_and_the_nearest(
    tmp_path: Path, more: str, key: str, nearest: str
) -> None:
    (problem,) = problems(tmp_path, LEAST + more + "\n")

    assert (problem.spot.key, problem.nearest) == (key, nearest)
    assert problem.spot.line == 10
    assert problem.spot.column > 1


@pytest.mark.parametrize(
    ("more", "what"),
    [
        ("tiers: {big: {models: [small]}}", "A model is also called 'big'"),
        ("tiers: {auto: {models: [small]}}", "The name 'auto' is how callers leave the choice"),
        ("tiers: {t: {models: [big], fallback: [t]}}", "A tier cannot stand in for itself"),
        ("tiers: {t: {models: [big], weights: {big: 2}}}", "With 'choose: order' weights say nothing"),
        ("tiers: {t: {models: [big], choose: weighted, weights: {small: 2}}}", "The tier holds no model 'small'"),
        ("rules: [{id: r}]", "in exactly one way"),
        ("rules: [{id: r, use: big, shares: {big: 50%, small: 50%}}]", "in exactly one way"),
        ("rules: [{id: r, use: big, sticky: run}]", "Only shares are sticky"),
        ("rules: [{id: r, shares: {big: 50%, small: 49%}}]", "The shares add up to 99%"),
        ("rules: [{id: r, use: big}, {id: r, when: {model: [x]}, use: small}]", "There is another rule 'r'"),
        ("rules: [{id: all, use: big}, {id: r, when: {step: x}, use: small}]", "this one is never asked"),
        (
            "rules: [{id: r, when: {min_input_tokens: 9, max_input_tokens: 8}, use: big}]",
            "the rule could never match",
        ),
        (
            "rules: [{id: r, classifier: {model: vectors, prompt: p, choices: {a: big, b: small}, on_failure: big}}]",
            "makes embeddings only",
        ),
        (
            "rules: [{id: r, classifier: {model: big, prompt: p, choices: {a: big, A: small}, on_failure: big}}]",
            "differ only in case",
        ),
        ("cache: {semantic: {threshold: 90%, ttl: 1s, embedder: big}}", "makes no embeddings"),
        ("privacy: {mode: redact, restore_in_tools: true}", "there is nothing to restore"),
        ("defaults: {timeouts: {total: 1s, connect: 2s}}", "'connect' is longer than 'total'"),
        ("defaults: {retries: {base: 2s, max: 1s}}", "'base' is longer than 'max'"),
        ("prices: none.yaml", "There is no such file"),
        ("defaults: {breaker: {failures: 0}}", "This is the number 0"),
    ],
)
def test_what_cannot_be_meant_is_refused(tmp_path: Path, more: str, what: str) -> None:
    assert any(what in each.what for each in problems(tmp_path, LEAST + more + "\n"))


@pytest.mark.parametrize(
    ("provider", "what"),
    [
        ("{type: openai}", "needs 'credential'"),
        ("{type: openai, credential: env:K, region: eu-west-1}", "has no 'region'"),
        ("{type: openai, base_url: http://h/v1}", "needs 'credential'"),
        ("{type: anthropic}", "needs 'credential'"),
        ("{type: openai_compatible}", "needs 'base_url'"),
        ("{type: openai_compatible, base_url: http://h/, dialects: [gemini]}", "speaks only its formats"),
        ("{type: bedrock, credential: env:K}", "needs 'region'"),
        ("{type: bedrock, region: eu-west-1}", "one kind of credential"),
        ("{type: bedrock, region: eu-west-1, access_key: env:A}", "one kind of credential"),
        (
            "{type: bedrock, region: eu-west-1, credential: env:K, access_key: env:A, secret_key: env:B}",
            "one kind of credential",
        ),
        ("{type: bedrock, region: eu-west-1, credential: env:K, session_token: env:T}", "belongs to an access key"),
        ("{type: scripted}", "needs 'script'"),
        ("{type: scripted, script: gone.yaml}", "There is no such file"),
        ("{type: recorded, recordings: ['gone/*.gz']}", "No file matches"),
        ("{type: local_embeddings, credential: env:K}", "has no 'credential'"),
        ("{type: openai, credential: sk-live_abcdef}", "looks like a secret"),
        ("{type: openai, credential: hunter2}", "not a reference to a secret"),
    ],
)
def test_each_kind_of_provider_needs_and_takes_its_own_keys(tmp_path: Path, provider: str, what: str) -> None:
    text = LEAST.replace("  one: {type: openai, credential: env:KEY}", f"  one: {provider}")

    found = problems(tmp_path, text)

    assert any(what in each.what for each in found)
    assert all(each.spot.line == 3 for each in found)
    assert not any("hunter2" in str(each) or "abcdef" in str(each) for each in found)


def test_a_model_cannot_make_embeddings_where_its_provider_does_not(tmp_path: Path) -> None:
    (problem,) = problems(
        tmp_path,
        LEAST.replace("vectors: three", "vectors: {provider: two, embeddings: true}").replace(
            "v1}", "v1, dialects: [openai_chat]}"
        ),
    )

    assert problem.what == "The provider 'two' makes no embeddings"
    assert problem.spot.key == "models.vectors.embeddings"


def test_a_server_of_ones_own_may_need_no_credential(tmp_path: Path) -> None:
    text = LEAST.replace("{type: openai, credential: env:KEY}", "{type: anthropic, base_url: http://localhost:2}")

    assert load(tmp_path, text).provider("one").credential is None


def test_a_provider_that_is_refused_does_not_make_its_models_unknown(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, LEAST.replace("type: openai,", "type: opena,"))

    assert problem.nearest == "openai"


def test_a_rule_about_an_agent_that_the_deployment_does_not_have_is_refused(tmp_path: Path) -> None:
    write(tmp_path)
    path = tmp_path / "config" / "router.yaml"
    path.write_text(EXAMPLE.replace("agent: support,", "agent: suport,", 1))

    with pytest.raises(ConfigurationError) as caught:
        load_deployment(tmp_path)

    assert [(each.spot.key, each.nearest) for each in caught.value.problems] == [("rules[2].when.agent", "support")]


def test_a_tier_of_an_agents_file_that_the_router_does_not_have_is_refused_there(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "agents" / "support.yaml").write_text("agent: {model_tier: {answer: smal}}\nallowed_tools: []\n")

    with pytest.raises(ConfigurationError) as caught:
        load_deployment(tmp_path)

    (problem,) = caught.value.problems
    assert (problem.spot.key, problem.nearest) == ("agent.model_tier.answer", "small")
    assert problem.spot.file.endswith("support.yaml")


def test_recordings_are_found_by_pattern(tmp_path: Path) -> None:
    for name in ("b.jsonl.gz", "a.jsonl.gz", "c.txt"):
        (tmp_path / name).touch()
    text = LEAST.replace(
        "one: {type: openai, credential: env:KEY}", f"one: {{type: recorded, recordings: [{tmp_path}/*.gz]}}"
    )
    relative = text.replace(f"{tmp_path}/*.gz", "'*.gz'")

    for each in (text, relative):
        assert [path.name for path in load(tmp_path, each).provider("one").recordings] == ["a.jsonl.gz", "b.jsonl.gz"]


def test_the_example_satisfies_the_published_schema() -> None:
    jsonschema_rs.Draft202012Validator(schemas()["router.json"]).validate(plain(parse(EXAMPLE, "f")))
