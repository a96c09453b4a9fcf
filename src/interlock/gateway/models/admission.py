"""What is settled before a model is asked: who asks, in which run, along which route, out of which budgets."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from interlock.budgets.charges import model_spender
from interlock.budgets.sheet import Sheet, sheet
from interlock.checks.redactor import Words, words_by_form
from interlock.domain.canonical import check_json
from interlock.domain.errors import Braked, Forbidden, ProviderSide, Uncarriable, UnknownModel, UnknownRun
from interlock.domain.identity import Principal, Role
from interlock.domain.ids import ModelCallId, ordered_id
from interlock.domain.models import Dialect, ModelCall
from interlock.domain.route_settings import ProviderSide as OnProviderSide
from interlock.domain.route_settings import RunNeed
from interlock.domain.routes import Classifier, DeclaredModel, RouteRule
from interlock.gateway.models.attempts import CounterOf, PriceOf
from interlock.gateway.models.classifying import classifying
from interlock.gateway.models.requests import ModelAsk, OpenModel
from interlock.gateway.models.shaping import trim
from interlock.gateway.models.standing import Standings
from interlock.gateway.models.walk import Walk
from interlock.gateway.ports import Clock
from interlock.gateway.release import Release
from interlock.models.counting import given_tokens, last_words, likely_tokens, request_tokens
from interlock.models.ports import Operation
from interlock.models.provider_side import later, provider_side
from interlock.models.routing import Candidate, Health, Plan, RouteAsk, Router
from interlock.models.services import service_of
from interlock.models.tokens.counting import likely
from interlock.models.tokens.images import check_images
from interlock.models.wire import Wire

_MOST_SHEETS = 10_000
_SMALL = 64 << 10


class ModelAdmitter:
    """Takes the steps before anything is held. What it raises, nothing was sent."""

    def __init__(
        self,
        release: Callable[[], Release],
        router: Router | None,
        wires: Mapping[Dialect, Wire],
        health: Health,
        price_of: PriceOf,
        counter_of: CounterOf,
        standings: Standings,
        clock: Clock,
        redact: Words = words_by_form,
    ) -> None:
        """Admit calls along `router`; None admits none."""
        self._redact = redact
        self._release = release
        self._router = router
        self._wires = wires
        self._health = health
        self._price_of = price_of
        self._counter_of = counter_of
        self._standings = standings
        self._clock = clock
        self._reads_words = router is not None and any(_reads_words(rule) for rule in router.routes.rules)
        self._sheets: dict[tuple[object, ...], Sheet] = {}
        self._sheets_of: Release | None = None

    def begin(self, ask: ModelAsk) -> Walk:
        """Return the call before anything is known of it but who makes it. Raises Forbidden, UnknownRun, BadInput."""
        principal = ask.principal
        if principal.agent is None or Role.AGENT not in principal.roles:
            raise Forbidden("Only agents call models", do="Use an agent's key or a run token")
        run = ask.run
        if principal.scope is not None:
            if run is not None and run != principal.scope.run:
                raise UnknownRun(f"This token is not for run {run}", do="Use the run's own token")
            run = principal.scope.run
        wire = self._wires[ask.dialect]
        wire.check(ask.body)
        model: str = ask.body["model"]
        check_json(model)
        now, trace = self._clock.now(), ask.trace
        call = ModelCall(
            id=ModelCallId(ordered_id("mc", now)),
            tenant=principal.tenant,
            agent=principal.agent,
            principal=principal.id,
            model=model,
            dialect=ask.dialect,
            run=run,
            step=ask.step,
            labels=tuple(sorted(ask.labels.items())),
            streamed=ask.body.get("stream") is True,
            trace=trace.trace if trace is not None else "",
            parent_span=trace.span if trace is not None else "",
        )
        agent = self._release().policies(principal.agent).agent
        return Walk(
            ask,
            call,
            agent,
            wire,
            now,
            output_cap=wire.cap_of(ask.body),
            service_tier=service_of(ask.body),
            redact=self._redact,
        )

    async def admit(self, walk: Walk) -> None:
        """Give `walk` its standing, its plan and its budgets. Raises what forbids the call."""
        walk.seal_request()
        if walk.has_images:
            check_images(walk.request())
        await self._stand(walk)
        walk.input_tokens = _input_tokens(walk)
        walk.plan = self._open(walk, self._route(walk))
        _check_provider_side(walk)
        trim(walk, self._counter(walk))
        walk.sheet = self._sheet(walk)

    async def count(self, ask: ModelAsk) -> int:
        """Return how many input tokens `ask` has, as they are counted here: nothing is sent, nothing is held."""
        walk = self.begin(ask)
        await self._stand(walk)
        walk.plan = self._route(walk)
        return request_tokens(walk.request(), self._counter(walk))

    def models_for(self, principal: Principal) -> tuple[OpenModel, ...]:
        """Return what `principal` may name as a model."""
        if self._router is None or principal.agent is None:
            return ()
        return tuple(
            _open_model(name, self._router.routes.models.get(name)) for name in self._router.names_for(principal.agent)
        )

    async def _stand(self, walk: Walk) -> None:
        call = walk.call
        walk.standing = standing = await self._standings.of(call.tenant, call.run, call.agent, walk.started_at)
        standing.check(call.agent, frozenset(), walk.started_at)
        if standing.run is not None and standing.run.user is not None:
            walk.call = replace(call, user=standing.run.user)

    def _route(self, walk: Walk, answer: str | None = None) -> Plan:
        router, call, ask = self._router, walk.call, walk.ask
        if router is None:
            raise UnknownModel("This deployment routes no models", do="Name a router file in interlock.yaml: router")
        reads = self._reads_words and ask.operation is Operation.REPLY
        wanted = RouteAsk(
            tenant=call.tenant,
            agent=call.agent,
            principal=call.principal,
            model=call.model,
            user=call.user or "",
            run=call.run or "",
            call=call.id,
            step=call.step,
            tier_of_step=str(walk.agent.model_tiers.get(call.step, "")),
            labels=call.labels,
            input_tokens=walk.input_tokens,
            output_cap=walk.output_cap,
            has_tools=walk.caller.has_tools(ask.body),
            images=walk.has_images,
            operation=ask.operation,
            dialect=ask.dialect,
            text=last_words(walk.request()) if reads else "",
        )
        return router.plan(wanted, self._health, self._worst, walk.started_at, answer=answer)

    def classifying(self, walk: Walk) -> Walk:
        """Return the call that asks the classifying model of the plan."""
        return classifying(walk, self._wires[Dialect.OPENAI_CHAT])

    def replan(self, walk: Walk, answer: str) -> None:
        """Plan anew with what the classifying model said; empty when it failed."""
        walk.plan = self._open(walk, self._route(walk, answer))

    def _worst(self, candidate: Candidate, input_tokens: int, output_tokens: int) -> int | None:
        price = self._price_of(candidate, self._clock.now())
        return price.worst(input_tokens, output_tokens) if price is not None else None

    def _open(self, walk: Walk, plan: Plan) -> Plan:
        """Return `plan` without the models that an operator has stopped. Raises Braked when none is left, UnknownRun."""
        standing, call = walk.standing, walk.call
        if plan.settings.runs is RunNeed.REQUIRED and call.run is None:
            raise UnknownRun(
                "Model calls of this deployment belong to a run",
                do="Use a run token, or name the run in the header x-interlock-run",
            )
        if standing is None or not standing.brakes:
            return plan
        left, stopped = [], None
        for one in plan.candidates:
            try:
                standing.check(call.agent, frozenset({one.model, one.provider, one.provider_model}), walk.started_at)
                left.append(one)
            except Braked as error:
                stopped = error
        if not left and stopped is not None:
            raise stopped
        return plan if stopped is None else replace(plan, candidates=tuple(left))

    def _counter(self, walk: Walk) -> Callable[[str], int]:
        return self._counter_of(walk.planned.candidates[0].provider_model)

    def _sheet(self, walk: Walk) -> Sheet:
        call, release = walk.call, self._release()
        if release is not self._sheets_of:
            self._sheets_of = release
            self._sheets.clear()
        key = (call.tenant, call.agent, call.principal, call.user, call.run, call.step)
        known = self._sheets.get(key) if call.run is not None else None
        if known is not None and walk.started_at < known.until:
            return known
        limits = release.limits_of(release.policies(call.agent))
        made = sheet(model_spender(call), limits, walk.started_at, alone=call.run is None)
        if call.run is not None:
            if len(self._sheets) >= _MOST_SHEETS:
                self._sheets.clear()
            self._sheets[key] = made
        return made


def _check_provider_side(walk: Walk) -> None:
    """Raise ProviderSide for a request that asks for more than a reply; where the router allows it, note it."""
    if waiting := later(walk.ask.body):
        raise ProviderSide(
            f"Replies that are fetched later are not served: {waiting}",
            why="nobody would be there to settle what they cost",
            do="Leave it out, and stream long replies",
        )
    asked = provider_side(walk.caller.dialect, walk.ask.body)
    if not asked:
        return
    if walk.planned.settings.provider_side is OnProviderSide.REFUSE:
        raise ProviderSide(
            f"The request asks the provider for more than a reply: {asked}",
            why="what that costs can be held against no budget, and what it does passes no gate",
            do="Leave it out; or whoever runs Interlock allows it in the router: defaults: provider_side: allow",
        )
    walk.note("provider_side", asked=asked)


def _input_tokens(walk: Walk) -> int:
    """Return an estimate from above: of small requests by their length, of large ones and pictures by their parts."""
    if walk.ask.operation is Operation.EMBED:
        return max(likely(walk.ask.size), given_tokens(walk.ask.body))
    if walk.ask.size <= _SMALL and not walk.has_images:
        return likely(walk.ask.size)
    try:
        return likely_tokens(walk.request())
    except Uncarriable:
        return likely(walk.ask.size)


def _reads_words(rule: RouteRule) -> bool:
    return bool(rule.when.words) or isinstance(rule.use, Classifier)


def _open_model(name: str, model: DeclaredModel | None) -> OpenModel:
    if model is None:
        return OpenModel(name, "")
    return OpenModel(name, model.provider, model.context_window, model.max_output)
