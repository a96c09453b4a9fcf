"""Steps 1 to 3 of the road: find the contract, hold the arguments to it, and say what the call would use."""

from dataclasses import replace

from interlock.budgets.charges import Demand
from interlock.domain.calls import ToolCall
from interlock.domain.contracts import Constraint, ToolContract
from interlock.domain.decisions import Effect, Finding
from interlock.domain.errors import InterlockError, UnknownTool
from interlock.gateway.admission import Proposal
from interlock.gateway.release import Release
from interlock.gateway.requests import CallRequest
from interlock.tools.arguments import amount_of, recipients_of
from interlock.tools.schemas import CompiledSchemas
from interlock.tools.travelling import travelling


def understand(
    call: ToolCall,
    release: Release,
    schemas: CompiledSchemas,
    request: CallRequest,
    *,
    named: bool,
    extra: tuple[Constraint, ...] = (),
) -> Proposal:
    """Return the call with everything about it that needs no state. What is wrong becomes a fault, and a fault denies."""
    hashed = call.arguments_hash
    allowed = release.policies(call.agent).agent.tools
    scope = request.principal.scope
    if scope is not None and scope.tools is not None:
        allowed &= scope.tools
    try:
        contract = release.catalogue.find(call.tool, among=allowed)
    except UnknownTool as error:
        carried = call.tool in release.policies(call.agent).agent.tools and call.tool not in allowed
        return Proposal(call, hashed, named, None, (_fault("agent.allowlist", error),), Demand(), carried=carried)
    try:
        travelled = travelling(request.constraints, contract)
    except InterlockError as error:
        return Proposal(call, hashed, named, contract, (_fault("arguments", error),), Demand(), carried=True)
    try:
        schemas.of(contract).check_arguments(call.arguments, contract.name)
        release.check_proposal(call)
        demand = _demand(call, contract)
    except InterlockError as error:
        return Proposal(call, hashed, named, contract, (_fault("arguments", error),), Demand())
    bound = replace(call, constraints=(*extra, *travelled.constraints))
    flags = request.trace.flags if request.trace is not None else 1
    return Proposal(bound, hashed, named, contract, (), demand, trace_flags=flags)


def understood_again(call: ToolCall, release: Release, schemas: CompiledSchemas, *, named: bool = True) -> Proposal:
    """Return `call`, which was understood once and carries its bounds, as `release` understands it."""
    allowed = release.policies(call.agent).agent.tools
    try:
        contract = release.catalogue.find(call.tool, among=allowed)
    except UnknownTool as error:
        return Proposal(call, "", named, None, (_fault("agent.allowlist", error),), Demand())
    try:
        schemas.of(contract).check_arguments(call.arguments, contract.name)
        release.check_proposal(call)
        demand = _demand(call, contract)
    except InterlockError as error:
        return Proposal(call, "", named, contract, (_fault("arguments", error),), Demand())
    return Proposal(call, "", named, contract, (), demand)


def _demand(call: ToolCall, contract: ToolContract) -> Demand:
    attempts = 1 + contract.max_retries if contract.repeatable else 1
    return Demand(
        calls=1,
        cost_nano_usd=contract.cost_nano_usd,
        money=amount_of(contract, call.arguments),
        recipients=recipients_of(contract, call.arguments),
        wall_ms=contract.timeout_ms * attempts,
    )


def _fault(rule: str, error: InterlockError) -> Finding:
    return Finding(rule, Effect.DENY, str(error), code=error.code)
