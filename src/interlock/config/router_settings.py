"""From the settings in router.yaml to values: what a step does not say holds as for all."""

from dataclasses import replace

from interlock.config.problems import Findings
from interlock.config.records import Section
from interlock.config.router_shape import Named
from interlock.domain.route_settings import (
    Breaker,
    Cache,
    ContextBudget,
    DataKind,
    Privacy,
    PrivacyMode,
    Retries,
    SemanticCache,
    Settings,
    StructuredOutput,
    Timeouts,
)

_PLAIN = ("output_cap", "unpriced", "provider_side", "runs", "on_disconnect")
_TIMEOUTS = ("connect", "first_byte", "between_bytes", "total")


def settings(said: Section, before: Settings, found: Findings) -> Settings:
    """Return `before` with everything that `said`, read by DEFAULTS or STEP, changes."""
    changes = {key: said.get(key) for key in _PLAIN if key in said}
    if "hedge_after" in said:
        changes["hedge_ms"] = said.get("hedge_after")
    if "timeouts" in said:
        changes["timeouts"] = timeouts(said.get("timeouts"), before.timeouts, found)
    if "retries" in said:
        changes["retries"] = _retries(said.get("retries"), before.retries, found)
    if "breaker" in said:
        changes["breaker"] = _breaker(said.get("breaker"))
    if "context" in said:
        changes["context"] = _context(said.get("context"), before.context)
    if "structured_output" in said:
        changes["structured"] = _merged(before.structured, said.get("structured_output"))
    if "records" in said:
        changes["durable"] = said.get("records").get("durable", before.durable)
    if "cache" in said:
        changes["cache"] = cache(said.get("cache"), before.cache)
    if "privacy" in said:
        changes["privacy"] = privacy(said.get("privacy"), before.privacy, found)
    return replace(before, **changes)


def timeouts(said: Section, before: Timeouts, found: Findings) -> Timeouts:
    """Return `before` with what `said` changes; a wait that the total cuts short would never be what it says."""
    made = replace(before, **{f"{key}_ms": said.get(key) for key in _TIMEOUTS if key in said})
    for key in _TIMEOUTS[:-1]:
        if getattr(made, f"{key}_ms") > made.total_ms and (key in said or "total" in said):
            found.add(said.at(key), f"'{key}' is longer than 'total', so it could never pass", "a shorter one")
    return made


def cache(said: Section, before: Cache) -> Cache:
    """Return `before` with what `said` changes."""
    made = replace(before, **({"scope": said.get("scope")} if "scope" in said else {}))
    if "exact" in said:
        made = replace(made, exact_ttl_ms=said.get("exact"))
    if "semantic" in said:
        semantic: Section | None = said.get("semantic")
        embedder: Named | None = semantic.get("embedder") if semantic else None
        made = replace(
            made,
            semantic=SemanticCache(semantic.get("threshold"), semantic.get("ttl"), embedder.text)
            if semantic and embedder
            else None,
        )
    return made


def privacy(said: Section, before: Privacy, found: Findings) -> Privacy:
    """Return `before` with what `said` changes."""
    changes = {key: said.get(key) for key in ("mode", "restore_in_tools", "restore_in_replies") if key in said}
    if "kinds" in said:
        changes["kinds"] = frozenset[DataKind](said.get("kinds"))
    made = replace(before, **changes)
    for key in ("restore_in_tools", "restore_in_replies"):
        if said.get(key) and made.mode is not PrivacyMode.TOKENISE:
            found.add(said.at(key), f"With 'mode: {made.mode}' there is nothing to restore", "mode: tokenise")
    return made


def _retries(said: Section, before: Retries, found: Findings) -> Retries:
    changes = {key: said.get(key) for key in ("attempts", "jitter") if key in said}
    changes |= {f"{key}_ms": said.get(key) for key in ("base", "max", "max_retry_after") if key in said}
    if "on" in said:
        changes["on"] = tuple(dict.fromkeys(said.get("on")))
    made = replace(before, **changes)
    if made.base_ms > made.max_ms:
        found.add(said.at("base"), "'base' is longer than 'max'", "a shorter one")
    return made


def _breaker(said: Section) -> Breaker:
    changes = {f"{key}_ms": said.get(key) for key in ("window", "cool_down", "max_cool_down") if key in said}
    return replace(Breaker(), **changes, **({"failures": said.get("failures")} if "failures" in said else {}))


def _context(said: Section, before: ContextBudget) -> ContextBudget:
    return replace(before, **{key: said.get(key) for key in ("max_input_tokens", "over") if key in said})


def _merged(before: StructuredOutput, said: Section) -> StructuredOutput:
    return replace(before, **{key: said.get(key) for key in ("enforce", "repair") if key in said})
