"""What the file of one agent may hold: its own form and the guardrails form are one schema."""

from interlock.config.bounds import BOUNDS
from interlock.config.limits import LIMITS
from interlock.config.records import Field, ListOf, MapOf, Record
from interlock.config.rules import APPROVALS, ENGINE, HANDOFFS, RULE
from interlock.config.shapes import Choice, Flag, Text, TierRef, ToolRef, Whole
from interlock.config.units import COST
from interlock.domain.agents import Stage

_ID = Text("a name of letters, digits and _ . : @ / # + = -", r"[A-Za-z0-9][A-Za-z0-9_.:@/#+=-]{0,199}")
_STAGE = Choice({stage.value: stage for stage in Stage})
CAPS = (
    Field("max_tool_calls", Whole(), "How many tool calls one run may make."),
    Field("max_total_tokens", Whole(), "How many tokens one run may use."),
    Field("max_wall_time_seconds", Whole(1, 31_536_000), "How long one run may last, in seconds."),
)
AGENT = Record(
    "the agent",
    (
        Field("name", _ID, "The agent's identity.", default="the name of the file"),
        Field("owner", Text(), "Who answers for the agent, and is told of alerts."),
        Field("description", Text(), "What the agent is for, shown to reviewers."),
        Field(
            "model_tier",
            MapOf(Text("the name of a step"), TierRef()),
            "Which model tier serves which step, for the model road.",
        ),
    ),
)
TOOLS = Record(
    "the tools of an agent",
    (
        Field("allowlist", ListOf(ToolRef()), "The tools that the agent may call. An empty list allows nothing."),
        Field("approval_required", APPROVALS, "The same as `approval_required_tools`."),
        Field("stages", MapOf(ToolRef(), _STAGE), "Stages of single tools; the lower of this and `stage` holds."),
        Field(
            "proposed_only",
            Flag(),
            "Whether only calls run that a model's reply, through this gateway and in the same run, proposed as they are.",
            default="false",
        ),
        Field(
            "constraints", MapOf(ToolRef(), BOUNDS), "Bounds on arguments, by tool and JSON pointer. They only tighten."
        ),
    ),
)
POLICY = Record(
    "the policy of an agent",
    (
        Field("engine", ENGINE, "The language of the rules' conditions.", default="cel"),
        Field("rules", ListOf(RULE), "The rules. The most restrictive answer wins, whatever the order."),
    ),
)
AGENT_FILE = Record(
    "an agent's file",
    (
        Field("agent", AGENT, "Who the agent is."),
        Field("stage", _STAGE, "How much the agent may do by itself.", default="act_within_limits"),
        Field("tools", TOOLS, "What it may call."),
        Field(
            "budgets",
            Record(
                "the budgets of a run", (*CAPS, Field("max_cost", COST, "What the calls of one run may cost, in USD."))
            ),
            "Caps on one run.",
        ),
        Field("limits", LIMITS, "Further limits: per call, user, day, tool and so on."),
        Field("policy", POLICY, "Rules that calls and results must satisfy."),
        Field(
            "proposal_schema",
            Text("the path of a JSON Schema file, from this file's folder"),
            "Every proposed call, as `{tool, args}`, must satisfy this schema besides the contract of its tool.",
        ),
        Field(
            "fallback",
            Record(
                "the fallback",
                (
                    Field("on_timeout", Choice(HANDOFFS), "When a tool does not answer in time.", default="escalate"),
                    Field("on_policy_violation", Choice(HANDOFFS), "What a denied call becomes.", default="deny"),
                ),
            ),
            "What happens when a call cannot go on.",
        ),
        Field("pii_redaction", Flag(), "Whether personal data is taken out of every result.", default="false"),
        Field(
            "observability",
            Record(
                "observability",
                (
                    Field(
                        "tracing", Choice({"opentelemetry": True, "none": False}), "Where traces go.", default="none"
                    ),
                    Field(
                        "log_fields", ListOf(Text("the name of a field", r"[a-z][a-z0-9_.]{0,79}")), "Fields to log."
                    ),
                ),
            ),
            "What is recorded for people who look later.",
        ),
        *(Field(each.name, each.shape, f"The same as `budgets.{each.name}` (guardrails form).") for each in CAPS),
        Field("allowed_tools", ListOf(ToolRef()), "The same as `tools.allowlist` (guardrails form)."),
        Field(
            "approval_required_tools",
            APPROVALS,
            "Tools that need a person: by name, or only where an argument has one of the listed values. A tool that "
            "stands only here may be called, with approval.",
        ),
    ),
    doc="One file per agent. Every key is optional but the tools; what is not known here is an error.",
)
