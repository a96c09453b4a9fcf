"""What router.yaml may hold."""

import re
from dataclasses import dataclass
from decimal import Decimal

from interlock.config.nodes import Node, Scalar
from interlock.config.problems import Findings
from interlock.config.records import ByForm, Field, ListOf, MapOf, Record
from interlock.config.router_values import ProviderKind
from interlock.config.secret_refs import CREDENTIAL
from interlock.config.shapes import Choice, Flag, Read, Shape, Text, Whole
from interlock.config.units import milliseconds
from interlock.domain.canonical import Json
from interlock.domain.errors import BadInput
from interlock.domain.models import Dialect
from interlock.domain.problems import Spot
from interlock.domain.route_settings import (
    CacheScope,
    DataKind,
    Durable,
    OnDisconnect,
    Overflow,
    PrivacyMode,
    ProviderSide,
    RetryOn,
    RunNeed,
    Unpriced,
)
from interlock.domain.routes import Choose, Sticky

_NAME_PATTERN = r"[A-Za-z0-9][A-Za-z0-9_.:@/+-]{0,199}"
_NAME_WORDS = "a name of letters, digits and _ . : @ / + -"
OFF = "off"


@dataclass(frozen=True, slots=True)
class Named:
    """A name that must be declared somewhere in the file, and where it stands."""

    text: str
    spot: Spot


@dataclass(frozen=True, slots=True)
class Ref(Shape):
    """A name of something declared elsewhere in the file, read as Named."""

    words: str

    def read(self, node: Node, spot: Spot, found: Findings) -> Read:
        if not isinstance(node, Scalar) or not isinstance(node.value, str):
            return self.refuse(node, spot, found)
        return Named(node.text, spot) if re.fullmatch(_NAME_PATTERN, node.text) else self.refuse(node, spot, found)

    def schema(self) -> Json:
        return {"type": "string", "pattern": f"^{_NAME_PATTERN}$"}


def percent(text: str) -> int:
    """Return a percentage such as `70%` in 1/10,000. Raises BadInput outside 0.01 % to 100 %."""
    scaled = Decimal(text.removesuffix("%").strip()) * 100
    if scaled != int(scaled) or not 0 < scaled <= 10_000:
        raise BadInput("The percentage is out of range", why="from 0.01% to 100%, in steps of 0.01%")
    return int(scaled)


def _milliseconds_or_off(text: str) -> int | None:
    return None if text == OFF else milliseconds(text)


_DURATION = Text("a duration such as 800ms, 30s or 10m", r"[0-9]{1,12}(ms|s|m|h|d)", milliseconds)
_DURATION_OR_OFF = Text("a duration such as 800ms or 10m, or off", r"[0-9]{1,12}(ms|s|m|h|d)|off", _milliseconds_or_off)
PERCENT = Text("a percentage such as 70%", r"[0-9]{1,3}(\.[0-9]{1,2})? ?%", percent)
_NAME = Text(_NAME_WORDS, _NAME_PATTERN)
_URL = Text("a URL that begins with http:// or https://", r"https?://[^\s/?#@]+(/[^\s?#]*)?")
_PATH = Text("a path", r"[^\x00]{1,1000}")
_WORDS = ListOf(Text("a text"), least=1, lone=True)
_TOKENS = Whole(1, 100_000_000)
_MODEL_OR_TIER = Ref("the name of a tier or model of this file")
_MODEL = Ref("a model of this file")
_DIALECTS = ListOf(Choice({each.value: each for each in Dialect}), least=1)

PROVIDER = Record(
    "a provider",
    (
        Field("type", Choice({kind.value: kind for kind in ProviderKind}), "What answers.", required=True),
        Field("base_url", _URL, "Where it answers.", default="the vendor's own; `openai_compatible` must say it"),
        Field("credential", CREDENTIAL, "Its API key: `env:NAME`, `file:PATH` or `keyring:SERVICE/NAME`."),
        Field("access_key", CREDENTIAL, "AWS access key id, in place of `credential` (`bedrock`)."),
        Field("secret_key", CREDENTIAL, "AWS secret access key (`bedrock`)."),
        Field("session_token", CREDENTIAL, "AWS session token, where the keys are temporary (`bedrock`)."),
        Field("region", Text("an AWS region", r"[a-z]{2}(-[a-z]+)+-[0-9]{1,2}"), "AWS region (`bedrock`)."),
        Field("script", _PATH, "What it says: rules and templates, from this file's folder (`scripted`)."),
        Field("recordings", ListOf(_PATH, least=1), "Recorded conversations, paths or patterns (`recorded`)."),
        Field(
            "outside",
            Flag(),
            "Whether it is outside the house: `privacy` holds for what goes there.",
            default="true; false for `scripted`, `recorded` and `local_embeddings`",
        ),
        Field(
            "prices", _NAME, "The provider under whose name prices are found.", default="the vendor, else its name here"
        ),
        Field("ca_file", _PATH, "Certificates to trust besides those of the system, from this file's folder."),
        Field("dialects", _DIALECTS, "What it speaks (`openai_compatible`).", default="openai_chat, openai_embeddings"),
    ),
    doc="Who answers, and how it is reached.",
)
TIMEOUTS = Record(
    "the time-outs",
    (
        Field("connect", _DURATION, "To reach the provider.", default="5s"),
        Field("first_byte", _DURATION, "From sending to the first bytes of the reply.", default="60s"),
        Field("between_bytes", _DURATION, "The longest pause in a stream.", default="60s"),
        Field("total", _DURATION, "The whole attempt.", default="10m"),
    ),
    doc="The longest waits of one attempt.",
)
MODEL = Record(
    "a model",
    (
        Field("provider", Ref("a provider of this file"), "Who serves it.", required=True),
        Field("model", Text("a name", r"[^\s\x00]{1,300}"), "The provider's own name of it.", default="the name here"),
        Field("embeddings", Flag(), "Whether it makes embeddings, and nothing else.", default="false"),
        Field("tools", Flag(), "Whether it can be offered tools.", default="true"),
        Field("images", Flag(), "Whether it can be sent images.", default="true"),
        Field("context_window", _TOKENS, "Tokens of request and reply together.", default="not checked"),
        Field("max_output", _TOKENS, "The longest reply it gives.", default="not checked"),
        Field("output_cap", _TOKENS, "Cap on replies where the caller says none.", default="`defaults.output_cap`"),
        Field("timeouts", TIMEOUTS, "Waits of this model.", default="those of the step"),
        Field("fallbacks", ListOf(_MODEL, least=1), "What may serve a caller that named this model.", default="none"),
    ),
    doc="A model at one provider; the name of a provider alone stands for `{provider: ...}`.",
)
TIER = Record(
    "a tier",
    (
        Field("models", ListOf(_MODEL, least=1), "Its models.", required=True),
        Field(
            "choose",
            Choice({each.value: each for each in Choose}),
            "Which is tried first: as listed, by the worst-case price of the call, by the first byte of late, or by "
            "`weights`.",
            default="order",
        ),
        Field("weights", MapOf(_NAME, Whole(1, 10_000)), "Weight by model, for `weighted`.", default="1 for each"),
        Field("fallback", ListOf(Ref("a tier of this file"), least=1), "Tiers tried after it.", default="none"),
    ),
    doc="Models that are equally good for some kind of work.",
)
WHEN = Record(
    "what the rule asks for",
    (
        Field("agent", ListOf(Ref("an agent"), least=1, lone=True), "One of these agents (workflows) asks."),
        Field("step", _WORDS, "For one of these steps."),
        Field("tenant", _WORDS, "For one of these tenants."),
        Field("user", _WORDS, "For one of these users."),
        Field(
            "model",
            _WORDS,
            "The caller names one of these: any name, declared or not. Without it the rule is only about callers that "
            "name `auto`.",
        ),
        Field("labels", MapOf(Text("the name of a label"), _WORDS), "Each label has one of its values."),
        Field("words", _WORDS, "One of these stands in the user's last words; case does not matter."),
        Field("min_input_tokens", Whole(), "The request is at least so long."),
        Field("max_input_tokens", Whole(), "The request is at most so long."),
        Field("has_tools", Flag(), "Whether tools are in play."),
        Field("images", Flag(), "Whether there are images."),
    ),
    doc="All that is asked for must hold.",
)
CLASSIFIER = Record(
    "a classifier",
    (
        Field("model", _MODEL, "Who is asked; a small one.", required=True),
        Field("prompt", Text(), "Its instructions. The user's last words follow.", required=True),
        Field(
            "choices",
            MapOf(Text("a word", r"[A-Za-z0-9_-]{1,50}"), _MODEL_OR_TIER, least=2),
            "The words that it may answer, and the tier or model of each.",
            required=True,
        ),
        Field("max_tokens", Whole(1, 1_000), "The longest answer.", default="8"),
        Field("on_failure", _MODEL_OR_TIER, "What is used when it says anything else.", required=True),
    ),
    doc="A small model reads the user's words and names the tier.",
)
RULE = Record(
    "a rule",
    (
        Field("id", _NAME, "Names the rule in records. Shares are drawn by it.", required=True),
        Field("when", WHEN, "When it matches.", default="always, for callers that name `auto`"),
        Field("use", _MODEL_OR_TIER, "The tier or model that serves."),
        Field("shares", MapOf(_MODEL_OR_TIER, PERCENT, least=2), "Tiers or models by share; together 100%."),
        Field(
            "sticky",
            Choice({each.value: each for each in Sticky}),
            "Whose calls stay together in one share. A call without a user goes by its run, one without a run by itself.",
            default="run",
        ),
        Field("classifier", CLASSIFIER, "A model says which tier."),
    ),
    doc="Rules are asked in order and the first that matches holds. Each has one of `use`, `shares` and `classifier`.",
)
_RETRIES = Record(
    "the retries",
    (
        Field("attempts", Whole(1, 10), "How often one model is asked, the first time included.", default="2"),
        Field(
            "base", _DURATION, "The longest pause before the second attempt; it doubles from there.", default="250ms"
        ),
        Field("max", _DURATION, "The longest pause.", default="8s"),
        Field("jitter", Flag(), "Whether pauses are drawn evenly from 0 to their length.", default="true"),
        Field("max_retry_after", _DURATION, "What a provider asks to wait is waited up to this.", default="20s"),
        Field("on", ListOf(Choice({each.value: each for each in RetryOn})), "What is tried again.", default="all"),
    ),
)
_BREAKER = Record(
    "the circuit breaker",
    (
        Field("failures", Whole(1, 1_000), "So many failures in a row leave a model alone.", default="5"),
        Field("window", _DURATION, "Within this time.", default="30s"),
        Field("cool_down", _DURATION, "For so long; then one call is let through to see.", default="15s"),
        Field("max_cool_down", _DURATION, "The longest that a provider's Retry-After is believed.", default="5m"),
    ),
)
_SETTINGS = (
    Field("timeouts", TIMEOUTS, "The longest waits of one attempt."),
    Field("retries", _RETRIES, "How often one model is asked before the next one is."),
    Field(
        "hedge_after", _DURATION_OR_OFF, "Ask the next model as well after this without a first byte.", default="off"
    ),
    Field("output_cap", _TOKENS, "Tokens a reply may have when the caller says nothing.", default="4096"),
    Field("unpriced", Choice({each.value: each for each in Unpriced}), "Calls of unknown price.", default="refuse"),
    Field(
        "provider_side",
        Choice({each.value: each for each in ProviderSide}),
        "Requests for more than a reply: tools that the provider runs, what it keeps.",
        default="refuse",
    ),
    Field(
        "runs", Choice({each.value: each for each in RunNeed}), "Whether calls must be in a run.", default="optional"
    ),
    Field(
        "on_disconnect",
        Choice({each.value: each for each in OnDisconnect}),
        "When the caller goes away: read the stream to its end for its usage, or close it and count.",
        default="drain",
    ),
    Field(
        "context",
        Record(
            "the context budget",
            (
                Field("max_input_tokens", _TOKENS, "The longest request.", default="the model's window"),
                Field(
                    "over", Choice({each.value: each for each in Overflow}), "What happens to more.", default="refuse"
                ),
            ),
        ),
        "How much may be sent.",
    ),
    Field(
        "structured_output",
        Record(
            "structured output",
            (
                Field("enforce", Flag(), "Whether replies must satisfy the schema asked for.", default="true"),
                Field("repair", Whole(0, 1), "How often the model is told what is wrong.", default="1"),
            ),
        ),
        "What holds where a request asks for a JSON Schema.",
    ),
    Field(
        "records",
        Record(
            "the records",
            (
                Field(
                    "durable",
                    Choice({each.value: each for each in Durable}),
                    "Which replies end only once their record is on disk: all, or those that propose tool calls.",
                    default="proposals",
                ),
            ),
        ),
        "How surely calls are recorded.",
    ),
)
CACHE = Record(
    "the cache",
    (
        Field("exact", _DURATION_OR_OFF, "How long a reply serves the very same request.", default="off"),
        Field(
            "scope",
            Choice({each.value: each for each in CacheScope}),
            "Who shares cached replies, always within one tenant. `user` is one user of one agent.",
            default="user",
        ),
        Field(
            "semantic",
            ByForm(
                Choice({OFF: None}),
                Record(
                    "the semantic cache",
                    (
                        Field("threshold", PERCENT, "The least similarity, such as 95%.", required=True),
                        Field("ttl", _DURATION, "How long a reply serves.", required=True),
                        Field("embedder", _MODEL, "The model that makes vectors.", required=True),
                    ),
                ),
            ),
            "Whether a reply serves questions that mean the same. Never with tools in play.",
            default="off",
        ),
    ),
    doc="Which replies are kept, and for whom.",
)
PRIVACY = Record(
    "privacy",
    (
        Field(
            "mode",
            Choice({each.value: each for each in PrivacyMode}),
            "Take values out, or replace them.",
            default="off",
        ),
        Field(
            "kinds", ListOf(Choice({each.value: each for each in DataKind}), least=1), "What is meant.", default="all"
        ),
        Field("restore_in_tools", Flag(), "Whether proposed calls get the values back (`tokenise`).", default="false"),
        Field("restore_in_replies", Flag(), "Whether replies get the values back (`tokenise`).", default="false"),
    ),
    doc="What happens to personal data before it leaves for a provider outside the house.",
)
_PARTS = (
    Field("cache", CACHE, "Which replies are kept, and for whom."),
    Field("privacy", PRIVACY, "What providers outside do not get to see."),
)
DEFAULTS = Record(
    "the defaults",
    (
        Field(
            "use", _MODEL_OR_TIER, "For `auto` where neither a rule nor the agent's file says more.", default="refused"
        ),
        *_SETTINGS,
        Field("breaker", _BREAKER, "When a model is left alone."),
    ),
    doc="What holds for every call unless its step says otherwise.",
)
STEP = Record("the settings of a step", (*_SETTINGS, *_PARTS), doc="What it does not say holds as above.")
ROUTER_FILE = Record(
    "router.yaml",
    (
        Field("version", Choice({"1": 1}, numeric=True), "The form of this file.", required=True),
        Field("providers", MapOf(_NAME, PROVIDER, least=1), "Who answers, by a name of your own.", required=True),
        Field(
            "models",
            MapOf(_NAME, ByForm(Ref("a provider of this file"), MODEL), least=1),
            "The models, by the name that callers, tiers and rules use.",
            required=True,
        ),
        Field("tiers", MapOf(_NAME, TIER), "Groups of models, such as small, mid and frontier."),
        Field("rules", ListOf(RULE), "Which calls go where."),
        Field("defaults", DEFAULTS, "How calls are made."),
        *_PARTS,
        Field("steps", MapOf(Text("the name of a step"), STEP), "What is different for single steps."),
        Field(
            "allow",
            MapOf(Ref("an agent"), ListOf(_MODEL_OR_TIER)),
            "The tiers and models of single agents; a tier stands for its models.",
            default="every agent may use all",
        ),
        Field("prices", _PATH, "A file of prices that replace or add to those that come with Interlock."),
    ),
    doc="Where model calls go. Named by `router` in interlock.yaml; paths are relative to this file.",
)
