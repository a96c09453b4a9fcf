"""A gate in memory over a small shop whose tools do what a test tells them to."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from interlock.adapters.cel import CelConditions
from interlock.adapters.memory import MemoryStore
from interlock.domain.agents import AgentPolicy, Engine
from interlock.domain.brakes import BrakeTarget
from interlock.domain.canonical import JsonObject
from interlock.domain.contracts import AmountField, Idempotency, Kind, Tier, Upstream
from interlock.domain.identity import Principal, Role
from interlock.domain.ids import AgentId, CallId, PrincipalId, RunId, TenantId, ToolName
from interlock.domain.overlays import Overlay
from interlock.domain.provenance import OutputFields, Trust
from interlock.domain.provenance import Role as ArgumentRole
from interlock.gateway.access_desk import AccessDesk
from interlock.gateway.admission import Admitter
from interlock.gateway.approval_desk import ApprovalDesk
from interlock.gateway.brake_desk import BrakeDesk
from interlock.gateway.breaker import Breakers
from interlock.gateway.evidence import EvidenceCache
from interlock.gateway.execution import Executor
from interlock.gateway.ports import Delivery, Invocation, Notice, RawAnswer
from interlock.gateway.publisher import Declaration, Publisher
from interlock.gateway.requests import CallAnswer, CallRequest
from interlock.gateway.run_desk import Opening, RunDesk
from interlock.gateway.store import Store
from interlock.gateway.tool_call import ToolGate
from interlock.tools.offers import Offer
from interlock.tools.schemas import CompiledSchemas

TENANT = TenantId("acme")
AGENT = Principal(PrincipalId("bot-key"), TENANT, frozenset({Role.AGENT}), AgentId("refunds"))
OPERATOR = Principal(PrincipalId("olga"), TENANT, frozenset({Role.OPERATOR}))
ANNA = Principal(PrincipalId("anna"), TENANT, frozenset({Role.APPROVER}))
BEN = Principal(PrincipalId("ben"), TENANT, frozenset({Role.APPROVER}))
TOOLS = ("orders.read", "payments.refund", "notes.add", "accounts.delete", "mail.send")


class StillClock:
    """Time stands until a test moves it."""

    def __init__(self, now: int = 1_790_000_000_000) -> None:
        self.time = now

    def now(self) -> int:
        return self.time


class Told:
    """Keeps what people were told."""

    def __init__(self) -> None:
        self.notices: list[Notice] = []

    def notify(self, notice: Notice) -> None:
        self.notices.append(notice)


class NoSecrets:
    """There are none."""

    async def resolve(self, reference: str) -> str:
        return f"secret of {reference}"


class Shop:
    """The upstream: performs each effect it is asked for, and answers as it was told to."""

    name = "shop"

    def __init__(self) -> None:
        self.effects: list[tuple[str, str]] = []
        """(operation, idempotency key) of everything that really happened."""
        self.invocations: list[Invocation] = []
        self.answers: dict[str, Callable[[Invocation], RawAnswer]] = {}
        self.offered = shop_offers()

    async def offers(self) -> tuple[Offer, ...]:
        return self.offered

    async def invoke(self, invocation: Invocation) -> RawAnswer:
        self.invocations.append(invocation)
        operation = invocation.contract.upstream.operation
        answer = self.answers.get(operation)
        if answer is not None:
            return answer(invocation)
        return self.do(invocation)

    def do(self, invocation: Invocation) -> RawAnswer:
        """Perform the effect, once per idempotency key where the tool honours keys."""
        contract = invocation.contract
        done = (contract.upstream.operation, invocation.idempotency_key)
        if contract.kind is Kind.WRITE and (contract.idempotency is Idempotency.NONE or done not in self.effects):
            self.effects.append(done)
        return RawAnswer(Delivery.ANSWERED, {"ok": True, "operation": contract.upstream.operation})

    def then_lose(self, invocation: Invocation) -> RawAnswer:
        """Perform the effect and lose the reply."""
        self.do(invocation)
        return RawAnswer(Delivery.UNCERTAIN, detail="the connection broke")


def shop_offers() -> tuple[Offer, ...]:
    text, number = {"type": "string"}, {"type": "number"}
    return (
        _offer("orders.read", {"order_id": text}),
        _offer(
            "payments.refund", {"charge_id": text, "amount_usd": number, "reason": text}, ("charge_id", "amount_usd")
        ),
        _offer("notes.add", {"text": text}),
        _offer("accounts.delete", {"account_id": text}),
        _offer("mail.send", {"to": {"type": "array", "items": text}, "body": text}),
    )


def _offer(name: str, properties: JsonObject, required: tuple[str, ...] | None = None) -> Offer:
    schema = {"type": "object", "properties": properties, "required": list(required or properties)}
    return Offer(name, f"The tool {name}.", schema, None, Upstream("python", "shop", name))


def shop_overlays() -> tuple[Overlay, ...]:
    record = OutputFields(trust=Trust.TRUSTED)
    plain = (("/*", ArgumentRole.PLAIN),)
    return (
        Overlay("orders.read", kind=Kind.READ, tier=Tier.READ_ONLY, output=record),
        Overlay(
            "payments.refund",
            kind=Kind.WRITE,
            tier=Tier.LOW_IMPACT,
            category="payments",
            idempotency=Idempotency.HEADER,
            idempotency_name="Idempotency-Key",
            amount=AmountField("/amount_usd", "USD"),
            roles=plain,
        ),
        Overlay("notes.add", kind=Kind.WRITE, tier=Tier.LOW_IMPACT, roles=plain),
        Overlay("accounts.delete", kind=Kind.WRITE, tier=Tier.IRREVERSIBLE, category="accounts", roles=plain),
        Overlay("mail.send", kind=Kind.WRITE, tier=Tier.HIGH_IMPACT, recipients="/to", roles=plain),
    )


@dataclass(slots=True)
class Kit:
    """A published gate and its desks."""

    store: Store
    clock: StillClock
    shop: Shop
    told: Told
    publisher: Publisher
    gate: ToolGate
    runs: RunDesk
    approvals: ApprovalDesk
    brakes: BrakeDesk
    access: AccessDesk
    owner: str
    agent: AgentPolicy
    run: RunId = field(default=RunId(""))

    async def open(self, instruction: str = "Help the customer.") -> RunId:
        opened = await self.runs.open(AGENT, Opening(instruction=instruction))
        self.run = opened.run.id
        return self.run

    def request(self, tool: str, call: str | None = None, **arguments: object) -> CallRequest:
        return CallRequest(AGENT, self.run, ToolName(tool), arguments, CallId(call) if call else None)

    async def call(self, tool: str, call: str | None = None, **arguments: object) -> CallAnswer:
        return await self.gate.call(self.request(tool, call, **arguments))

    async def brake(self, target: BrakeTarget = BrakeTarget.ALL, name: str = "") -> None:
        await self.brakes.on(OPERATOR, target, name, reason="drill", for_ms=3_600_000)


def a_policy(**changes: object) -> AgentPolicy:
    policy = AgentPolicy(AgentId("refunds"), frozenset(ToolName(tool) for tool in TOOLS), version="v1")
    return replace(policy, **changes)  # type: ignore[arg-type]


async def a_kit(
    agent: AgentPolicy | None = None,
    *,
    store: Store | None = None,
    shop: Shop | None = None,
    owner: str = "gw-1",
    overlays: tuple[Overlay, ...] | None = None,
    clock: StillClock | None = None,
    declared: Mapping[str, object] | None = None,
) -> Kit:
    """Return a gate over `store` (memory by default), published and ready. Several kits may share store and shop."""
    policy = agent or a_policy()
    kept, upstream, time, told = store or MemoryStore(), shop or Shop(), clock or StillClock(), Told()
    declaration = Declaration(TENANT, (policy,), overlays if overlays is not None else shop_overlays())
    declaration = replace(declaration, **dict(declared or {}))  # type: ignore[arg-type]
    publisher = Publisher(kept, (upstream,), declaration, {Engine.CEL: CelConditions()}, lambda contracts: (), time)
    await publisher.refresh()
    breakers = Breakers()
    executor = Executor({"shop": upstream}, NoSecrets(), time, breakers, backoff_ms=1)
    admitter = Admitter(owner, EvidenceCache(), breakers)
    gate = ToolGate(kept, publisher.current, admitter, executor, CompiledSchemas(), time, told)
    runs = RunDesk(kept, publisher.current, time)
    await runs.sweep(owner)
    return Kit(
        kept,
        time,
        upstream,
        told,
        publisher,
        gate,
        runs,
        ApprovalDesk(kept, time, told),
        BrakeDesk(kept, time),
        AccessDesk(kept, time),
        owner,
        policy,
    )
