"""Which rule is about a call, and which share of it the call falls into."""

import hashlib

from interlock.domain.routes import WHOLE, RouteRule, Shares, Sticky, When
from interlock.models.routing.plan import RouteAsk


def matches(when: When, ask: RouteAsk) -> bool:
    """Return whether all that `when` asks for holds. What the caller named is looked at by the router."""
    return (
        (when.agent is None or ask.agent in when.agent)
        and (when.step is None or ask.step in when.step)
        and (when.tenant is None or ask.tenant in when.tenant)
        and (when.user is None or ask.user in when.user)
        and (when.has_tools is None or ask.has_tools is when.has_tools)
        and (when.images is None or ask.images is when.images)
        and (when.min_input_tokens is None or ask.input_tokens >= when.min_input_tokens)
        and (when.max_input_tokens is None or ask.input_tokens <= when.max_input_tokens)
        and (not when.labels or _labelled(when, ask))
        and (not when.words or _says(when, ask))
    )


def _labelled(when: When, ask: RouteAsk) -> bool:
    said = dict(ask.labels)
    return all(said.get(name) in values for name, values in when.labels)


def _says(when: When, ask: RouteAsk) -> bool:
    text = ask.text.casefold()
    return any(word in text for word in when.words)


def is_static(rule: RouteRule) -> bool:
    """Return whether the rule gives one answer for one agent, tenant, step, tools and images, whatever else the call holds."""
    when = rule.when
    return (
        isinstance(rule.use, str)
        and when.user is None
        and when.min_input_tokens is None
        and when.max_input_tokens is None
        and not when.labels
        and not when.words
    )


def bucket(rule: str, tenant: str, key: str) -> int:
    """Return where `key` stands among the 10,000 places of `rule`: always the same, whatever other rules there are."""
    text = f"{rule}\x00{tenant}\x00{key}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") % WHOLE


def sticky_key(sticky: Sticky, ask: RouteAsk, now_ms: int) -> tuple[str, str]:
    """Return what keeps calls together, and its kind. A call without a user goes by its run, one without a run by itself."""
    if sticky is Sticky.AGENT:
        return ask.agent, "agent"
    if sticky is Sticky.USER and ask.user:
        return ask.user, "user"
    if ask.run:
        return ask.run, "run"
    return ask.call or f"{ask.principal}/{now_ms}", "call"


def share_of(shares: Shares, place: int) -> str:
    """Return whose share holds `place`. Changing one share moves no more calls than it must."""
    below = 0
    for name, share in shares.parts:
        below += share
        if place < below:
            return name
    return shares.parts[-1][0]
