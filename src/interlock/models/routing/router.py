"""From a model call to the models that may serve it, in order, with the reasons."""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, replace

from interlock.domain.canonical import JsonObject
from interlock.domain.errors import UnknownModel
from interlock.domain.ids import AgentId
from interlock.domain.route_settings import Settings
from interlock.domain.routes import AUTO, Choose, Classifier, RouteRule, Routes, Shares, Tier
from interlock.models.ports import Operation
from interlock.models.routing.classifier import classified
from interlock.models.routing.fitness import Ground, Objection, ability, length, refusal
from interlock.models.routing.health import Health
from interlock.models.routing.kept import KeptPlan, Shelf, keep_plan, key_of
from interlock.models.routing.order import Ranked, in_order, ranked
from interlock.models.routing.plan import Candidate, Classify, Plan, PriceOf, RouteAsk
from interlock.models.routing.rules import bucket, is_static, matches, share_of, sticky_key


@dataclass(frozen=True, slots=True)
class _Target:
    """A tier or model, and how the call came to it."""

    name: str
    how: JsonObject
    static: bool = False
    """Whether every call of the same key comes to it."""
    rule: RouteRule | None = None
    """Set when its classifier is still to be asked."""


@dataclass(frozen=True, slots=True)
class _Pool:
    """What may serve one target, before anything that changes from call to call is looked at."""

    groups: tuple[tuple[Tier | None, tuple[Candidate, ...]], ...]
    against: tuple[Objection, ...]
    settings: Settings


class Router:
    """Decides purely: the same ask, health, prices and time give the same plan."""

    def __init__(self, routes: Routes) -> None:
        self.routes = routes
        self._by_name = _names(routes)
        self._rules = _rules_by_name(routes)
        self._allowed = {agent: _members(routes, names) for agent, names in routes.allow.items()}
        self._pools: Shelf[_Pool] = Shelf()
        self._plans: Shelf[KeptPlan] = Shelf()

    @property
    def version(self) -> str:
        """SHA-256 of the canonical content of the router file."""
        return self.routes.version

    @property
    def settings(self) -> Settings:
        """What holds for steps without settings of their own."""
        return self.routes.settings

    def settings_of(self, step: str) -> Settings:
        """Return what holds for `step`."""
        return self.routes.steps.get(step, self.routes.settings)

    def names_for(self, agent: str) -> tuple[str, ...]:
        """Return the tiers and models that `agent` may ask for, tiers first, each kind in the order of the file."""
        allowed = self._allowed.get(AgentId(agent))
        tiers = (name for name, tier in self.routes.tiers.items() if allowed is None or allowed & {*tier.models})
        return (*tiers, *(name for name in self.routes.models if allowed is None or name in allowed))

    def plan(self, ask: RouteAsk, health: Health, prices: PriceOf, now_ms: int, *, answer: str | None = None) -> Plan:
        """Return where `ask` goes. `now_ms` is of the clock that `health` is told.

        `answer` is what the classifier of an earlier plan said, empty when it failed. Raises UnknownModel, Forbidden,
        Uncarriable, ContextTooLong, or ModelUnavailable while every circuit is open.
        """
        key = key_of(ask)
        kept = self._plans.get(key)
        if kept is not None and not health.troubled and kept.fits(ask):
            return kept.plan
        target = self._target(ask, now_ms, answer)
        pool = self._pool(target.name, ask)
        plan = self._chosen(target, pool, ask, health, prices, now_ms)
        if target.rule is not None and isinstance(target.rule.use, Classifier):
            return self._asking(target.rule, target.rule.use, plan, health, now_ms)
        if target.static and _is_fixed(pool) and _is_whole(pool, plan):
            self._plans.keep(key, keep_plan(plan))
        return plan

    def candidate(self, model: str, settings: Settings) -> Candidate:
        """Return the declared `model` as what serves a call of Interlock's own, whoever it is made for."""
        return self._candidate(model, "", settings)

    def _target(self, ask: RouteAsk, now_ms: int, answer: str | None) -> _Target:
        name = ask.model or AUTO
        static = True
        for rule in self._rules.get(name, ()):
            if matches(rule.when, ask):
                return _used(rule, ask, now_ms, answer, static=static and is_static(rule))
            static = static and is_static(rule)
        if name != AUTO:
            known = self._by_name.get(name)
            if known is None:
                raise self._unknown(ask)
            return _Target(known, {"by": "name"}, static)
        if ask.tier_of_step:
            if ask.tier_of_step not in self._by_name:
                raise self._unknown(replace(ask, model=ask.tier_of_step))
            return _Target(self._by_name[ask.tier_of_step], {"by": "step"}, static)
        if self.routes.default:
            return _Target(self.routes.default, {"by": "default"}, static)
        raise UnknownModel(
            "No rule says which model serves this call",
            why="it names none, and neither the agent's file nor the router file has a tier for it",
            do="Name a model or tier, or set 'default' in the router file",
        )

    def _pool(self, name: str, ask: RouteAsk) -> _Pool:
        key = (name, ask.agent, ask.step, ask.has_tools, ask.images, ask.operation is Operation.EMBED)
        pool = self._pools.get(key)
        if pool is None:
            pool = self._gathered(name, ask)
            self._pools.keep(key, pool)
        return pool

    def _gathered(self, name: str, ask: RouteAsk) -> _Pool:
        settings = self.settings_of(ask.step)
        allowed = self._allowed.get(AgentId(ask.agent))
        groups: list[tuple[Tier | None, tuple[Candidate, ...]]] = []
        against: list[Objection] = []
        seen: set[str] = set()
        for tier, models in self._lists(name):
            fit = []
            for model in models:
                if model in seen:
                    continue
                seen.add(model)
                label = tier.name if tier else ""
                unable = ability(self.routes.models[model], ask)
                if allowed is not None and model not in allowed:
                    against.append(Objection(model, label, Ground.FORBIDDEN, "this agent may not use it"))
                elif unable:
                    against.append(Objection(model, label, Ground.INCAPABLE, unable))
                else:
                    fit.append(self._candidate(model, label, settings))
            groups.append((tier, tuple(fit)))
        return _Pool(tuple(groups), tuple(against), settings)

    def _lists(self, name: str) -> Iterable[tuple[Tier | None, tuple[str, ...]]]:
        tier = self.routes.tiers.get(name)
        if tier is None:
            yield None, (name, *self.routes.models[name].fallbacks)
            return
        for each in (name, *tier.fallback):
            yield self.routes.tiers[each], self.routes.tiers[each].models

    def _candidate(self, model: str, tier: str, settings: Settings) -> Candidate:
        declared = self.routes.models[model]
        cap = declared.output_cap or settings.output_cap
        return Candidate(
            model=model,
            provider=declared.provider,
            provider_model=declared.name,
            tier=tier,
            prices=declared.prices,
            output_cap=cap if declared.max_output is None else min(cap, declared.max_output),
            context_window=declared.context_window,
            max_output=declared.max_output,
            timeouts=declared.timeouts or settings.timeouts,
            outside=declared.outside,
        )

    def _chosen(
        self, target: _Target, pool: _Pool, ask: RouteAsk, health: Health, prices: PriceOf, now_ms: int
    ) -> Plan:
        against = list(pool.against)
        order: list[Ranked] = []
        for tier, members in pool.groups:
            fit = []
            for each in members:
                objection = _now_against(each, ask, health, now_ms)
                if objection is None:
                    fit.append(each)
                else:
                    against.append(objection)
            group = tuple(fit)
            order += in_order(group) if tier is None else ranked(tier, group, ask, health, prices, now_ms)
        if not order:
            raise refusal(ask.model, tuple(against))
        explanation = {
            "router": self.version,
            "asked": ask.model,
            **target.how,
            "use": target.name,
            "candidates": [
                *({"model": one.candidate.model, "tier": one.candidate.tier, "for": one.reason} for one in order),
                *({"model": one.model, "tier": one.tier, "against": one.words} for one in against),
            ],
        }
        label = target.name if target.name in self.routes.tiers else ""
        return Plan(tuple(one.candidate for one in order), label, pool.settings, explanation)

    def _asking(self, rule: RouteRule, use: Classifier, plan: Plan, health: Health, now_ms: int) -> Plan:
        candidate = self._candidate(use.model, "", plan.settings)
        if health.wait_ms(use.model, now_ms) > 0:
            note = {"classifier": {"model": use.model, "against": "it is left alone after failures"}}
            return replace(plan, explanation={**plan.explanation, **note})
        return replace(plan, classify=Classify(rule.id, candidate, use.prompt, use))

    def _unknown(self, ask: RouteAsk) -> UnknownModel:
        names = self.names_for(ask.agent)
        near = difflib.get_close_matches(ask.model[:200], names, n=1)
        hint = f"Did you mean '{near[0]}'?" if near else "GET /v1/models lists what this agent may use"
        return UnknownModel(f"There is no model or tier '{ask.model[:100]}'", do=hint)


def _used(rule: RouteRule, ask: RouteAsk, now_ms: int, answer: str | None, *, static: bool) -> _Target:
    how: dict[str, object] = {"by": "rule", "rule": rule.id}
    match rule.use:
        case Shares() as shares:
            key, kind = sticky_key(shares.sticky, ask, now_ms)
            place = bucket(rule.id, ask.tenant, key)
            how["share"] = {"bucket": place, "by": kind, "of": dict(shares.parts)}
            return _Target(share_of(shares, place), how)
        case Classifier() as classifier:
            if answer is None:
                return _Target(classifier.on_failure, how, rule=rule)
            # What it said may repeat the user's words, so only what was understood is recorded.
            chosen = classified(classifier, answer)
            how["classifier"] = {"model": classifier.model, "chose": chosen}
            return _Target(chosen, how)
        case name:
            return _Target(name, how, static)


def _now_against(candidate: Candidate, ask: RouteAsk, health: Health, now_ms: int) -> Objection | None:
    too_long = length(candidate, ask)
    if too_long:
        return Objection(candidate.model, candidate.tier, Ground.TOO_LONG, too_long)
    wait = health.wait_ms(candidate.model, now_ms)
    if wait > 0:
        words = f"left alone after failures, for {-(-wait // 1000)} s more"
        return Objection(candidate.model, candidate.tier, Ground.COOLING, words, wait)
    return None


def _is_fixed(pool: _Pool) -> bool:
    """Return whether the order within every group is always the same."""
    return all(tier is None or tier.choose is Choose.ORDER or len(members) < 2 for tier, members in pool.groups)


def _is_whole(pool: _Pool, plan: Plan) -> bool:
    return sum(len(members) for _, members in pool.groups) == len(plan.candidates)


def _names(routes: Routes) -> dict[str, str]:
    """Return what callers may name. A provider's own name means the first model declared with it."""
    made: dict[str, str] = {}
    for model in reversed(tuple(routes.models.values())):
        made[model.name] = made[f"{model.provider}/{model.name}"] = model.id
    return made | {name: name for name in (*routes.models, *routes.tiers)}


def _rules_by_name(routes: Routes) -> dict[str, tuple[RouteRule, ...]]:
    """Return the rules that are about each name: what a caller names stands, unless a rule asks for just that name."""
    named = {name for rule in routes.rules for name in rule.when.model or ()} | {AUTO}
    return {name: tuple(rule for rule in routes.rules if name in (rule.when.model or {AUTO})) for name in named}


def _members(routes: Routes, names: Iterable[str]) -> frozenset[str]:
    """Return the models that `names`, of tiers and models, stand for."""
    return frozenset(
        model for name in names for model in (routes.tiers[name].models if name in routes.tiers else (name,))
    )
