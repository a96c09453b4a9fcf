"""Play the day: one run per ticket, a model proposes, the gate decides, people answer, the shop keeps its books."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from importlib.resources import as_file, files
from pathlib import Path

from interlock.demo.agent import work
from interlock.demo.courier import Courier, serving
from interlock.demo.shop import SHOP, Shop
from interlock.demo.story import Answer, Intruder, Story, Ticket
from interlock.demo.vendors import overhear
from interlock.domain.approvals import Verdict
from interlock.domain.brakes import BrakeTarget
from interlock.domain.calls import CallStatus
from interlock.domain.canonical import JsonObject
from interlock.domain.contracts import Kind, ToolContract
from interlock.domain.errors import BudgetExceeded, InterlockError
from interlock.domain.identity import Principal, Role
from interlock.domain.ids import ApprovalId, PrincipalId, ToolName
from interlock.domain.models import ModelCallRecord
from interlock.embedded import Gate, Run
from interlock.gateway.desks import Desks
from interlock.gateway.ports import Notice, Notifier
from interlock.gateway.requests import CallAnswer, CallRequest
from interlock.models.ports import ModelCallFilter
from interlock.wiring import open_interlock

_HOUR_MS = 3_600_000
_OUTCOMES = {"succeeded": "succeeded", "simulated": "succeeded", "unknown": "escalated"}
"""By how a ticket ended; anything else has failed."""


class Silent(Notifier):
    """Tells nobody: the demo's page says it all."""

    def notify(self, notice: Notice) -> None:
        """Let it pass."""


@dataclass(frozen=True, slots=True)
class Step:
    """One proposed call, and what became of it."""

    tool: str
    arguments: JsonObject
    status: str
    why: str
    """The first sentence that decided, or what the tool said."""
    read: bool
    people: tuple[str, ...] = ()
    """What people answered, a sentence each."""


@dataclass(frozen=True, slots=True)
class Played:
    """One ticket, done."""

    ticket: Ticket
    steps: tuple[Step, ...]
    error: InterlockError | None = None
    """Why no model replied any more, if that is what ended it."""
    models: tuple[ModelCallRecord, ...] = ()
    """What models were asked, oldest first."""

    @property
    def telling(self) -> Step | None:
        """The step that the ticket is about: the last that did not simply succeed, else the last."""
        troubled = [step for step in self.steps if step.status != "succeeded"]
        steps = troubled or list(self.steps)
        return steps[-1] if steps else None

    @property
    def ended(self) -> str:
        """The status of the telling step; `stopped` when no budget for models was left, or the code of another error."""
        if self.error is not None:
            return "stopped" if isinstance(self.error, BudgetExceeded) else self.error.code
        return self.telling.status if self.telling is not None else ""

    @property
    def as_told(self) -> bool:
        """Whether the ticket ended as its author says."""
        return self.ended == self.ticket.ends

    @property
    def outcome(self) -> str:
        """What the agent's owner says came of the run."""
        return _OUTCOMES.get(self.ended, "failed")

    @property
    def cost_nano_usd(self) -> int:
        """What its models cost."""
        return sum(record.cost_nano_usd for record in self.models)


@dataclass(slots=True)
class Day:
    """The shop, its people and its gate while the demo runs."""

    story: Story
    shop: Shop
    courier: Courier
    gate: Gate
    heard: list[str]
    """What the vendors of models were sent."""
    brakes: list[str] = field(default_factory=list)

    async def play(self, ticket: Ticket) -> Played:
        """Take one ticket from its first word to its end."""
        await self._happens(ticket.before)
        steps: list[Step] = []
        failed: InterlockError | None = None
        async with self.gate.run(
            "support",
            instruction=ticket.says,
            system=self.story.system,
            user="support-desk",
            labels={"ticket": str(ticket.number)},
        ) as run:

            async def call(tool: str, arguments: JsonObject, reason: str, proposal: str) -> JsonObject:
                step, told = await self._call(ticket, run, tool, arguments, reason, proposal)
                steps.append(step)
                return told

            try:
                await work(run, self.story.system, ticket.says, call)
            except InterlockError as error:
                failed = error
            if ticket.intruder is not None:
                steps.append(await self._intrudes(run, ticket.intruder))
            played = Played(ticket, tuple(steps), failed, await self._models(run))
            await run.conclude(played.outcome)
        await self._happens(ticket.after)
        return played

    async def _call(
        self, ticket: Ticket, run: Run, tool: str, arguments: JsonObject, reason: str, proposal: str
    ) -> tuple[Step, JsonObject]:
        """Make a call that a model proposed, and let people answer; return what to tell of it, here and to the model."""

        async def call() -> CallAnswer:
            return await run.call(
                tool, arguments, call_id=proposal, proposal=proposal, reason=reason, dry_run=ticket.dry_run == tool
            )

        answer = await call()
        first, told = _why(answer), []
        for person in ticket.people:
            if answer.approval is None:
                break
            sentence, edited = await self._answers(person, answer.approval, arguments)
            told.append(sentence)
            answer = edited or (await call() if answer.status is CallStatus.PENDING else answer)
        why = first if told else _why(answer)
        contract = next((each for each in run.tools() if each.name == tool), None)
        read = contract is not None and contract.kind is Kind.READ
        step = Step(tool, _in_order(arguments, contract), answer.status.value, why, read, tuple(told))
        content = answer.result.content if answer.result is not None else why
        return step, {"status": step.status, "content": content}

    async def _intrudes(self, run: Run, intruder: Intruder) -> Step:
        """Let somebody who has the run's token try a call of their own."""
        desks = self.gate.desks
        thief = await desks.access.authenticate(run.token)
        answer = await desks.gate.call(CallRequest(thief, run.id, ToolName(intruder.tool), intruder.arguments))
        return Step(intruder.tool, intruder.arguments, answer.status.value, _why(answer), read=False)

    async def _models(self, run: Run) -> tuple[ModelCallRecord, ...]:
        query = ModelCallFilter(self.gate.desks.tenant, run.id, limit=1_000)
        found = await self.gate.desks.model_calls.calls(auditor(self.gate.desks), query)
        return tuple(record for record in reversed(found) if record.attempts)

    async def _answers(
        self, person: Answer, approval: ApprovalId, arguments: JsonObject
    ) -> tuple[str, CallAnswer | None]:
        """Let a person answer; return what to tell of it and, after an edit, what became of the new call."""
        desks, who = self.gate.desks, _approver(self.gate.desks, person.who)
        name = person.who.capitalize()
        try:
            if person.verdict == "edit":
                changed = {**arguments, **person.arguments}
                edited = await desks.approvals.edit(who, approval, changed, person.reason)
                answer = await desks.gate.repeat(who, edited)
                what = ", ".join(f"{key} to {value}" for key, value in person.arguments.items())
                return f"{name} changes {what}: {person.reason}", answer
            await desks.approvals.answer(who, approval, Verdict(person.verdict), person.reason)
        except InterlockError as refusal:
            if not person.refused:
                raise
            return f"{name} tries again and may not: {refusal.what}.", None
        verb = "approves" if person.verdict == "approve" else "says no"
        return f"{name} {verb}: {person.reason}", None

    async def _happens(self, event: str) -> None:
        """Let the world take a turn, as the story says it does."""
        operator = Principal(PrincipalId("olga"), self.gate.desks.tenant, frozenset({Role.OPERATOR}))
        brakes = self.gate.desks.brakes
        match event:
            case "the refund's answer gets lost":
                self.shop.slow.add("refund_order")
            case "the voucher's answer gets lost":
                self.shop.slow.add("issue_voucher")
            case "the courier changes its tool":
                self.courier.change_its_tool()
                await self.gate.desks.publisher.refresh()
            case "the brake is pulled on all writes":
                reason = "Refunds look wrong since noon."
                brake = await brakes.on(operator, BrakeTarget.WRITES, "", reason=reason, for_ms=_HOUR_MS)
                self.brakes.append(brake.id)
            case "the brake is lifted":
                while self.brakes:
                    await brakes.off(operator, self.brakes.pop())


@asynccontextmanager
async def opened(story: Story, folder: Path) -> AsyncIterator[Day]:
    """Write the demo's deployment into `folder` and open it: a real gate on a real store, with real tools."""
    shop = Shop(dict(story.orders), dict(story.customers), story.inbox)
    token = SHOP.set(shop)
    try:
        with serving() as courier:
            _write_deployment(folder, courier.url)
            async with open_interlock(folder, notifier=Silent()) as built, built.alive():
                heard = overhear(built.models.providers)
                yield Day(story, shop, courier, Gate(built.desks), heard)
    finally:
        SHOP.reset(token)


def auditor(desks: Desks) -> Principal:
    """Return who may read everything, and change nothing."""
    return Principal(PrincipalId("audit"), desks.tenant, frozenset({Role.AUDITOR}))


def _approver(desks: Desks, name: str) -> Principal:
    return Principal(PrincipalId(name), desks.tenant, frozenset({Role.APPROVER}))


def _in_order(arguments: JsonObject, contract: ToolContract | None) -> JsonObject:
    """Return `arguments` in the order in which the tool names them."""
    named = contract.input_schema.get("properties", {}) if contract is not None else {}
    return {**{name: arguments[name] for name in named if name in arguments}, **arguments}


def _why(answer: CallAnswer) -> str:
    if answer.status is CallStatus.SUCCEEDED:
        return ""
    findings = answer.decision.get("findings") or ()
    reasons = [finding["reason"] for finding in findings if finding.get("effect") == answer.decision.get("effect")]
    if answer.status in {CallStatus.PENDING, CallStatus.DENIED, CallStatus.SIMULATED, CallStatus.ESCALATED} and reasons:
        # Of several reasons, where a thing goes tells more than what is said in it.
        return str(next((reason for reason in reasons if "(text_out)" not in reason), reasons[0]))
    if answer.failure is not None:
        return f"{answer.failure.what}."
    return str(answer.result.content) if answer.result is not None else ""


def _write_deployment(folder: Path, courier: str) -> None:
    with as_file(files("interlock.demo").joinpath("deployment")) as source:
        for file in sorted(source.rglob("*.yaml")):
            target = folder / file.relative_to(source)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(file.read_text("utf-8").replace("${COURIER}", courier), "utf-8")
