"""Every use case that a surface may call, as one value: what wiring builds, and the server and the command line receive."""

from dataclasses import dataclass

from interlock.domain.ids import TenantId
from interlock.gateway.access_desk import AccessDesk
from interlock.gateway.approval_desk import ApprovalDesk
from interlock.gateway.audit_desk import AuditDesk
from interlock.gateway.brake_desk import BrakeDesk
from interlock.gateway.contract_desk import ContractDesk
from interlock.gateway.explain.desk import ExplainDesk
from interlock.gateway.keeping_desk import KeepingDesk
from interlock.gateway.model_call import ModelGate
from interlock.gateway.models.desk import ModelDesk
from interlock.gateway.publisher import Publisher
from interlock.gateway.record_desk import RecordDesk
from interlock.gateway.replay.desk import ReplayDesk
from interlock.gateway.run_desk import RunDesk
from interlock.gateway.tool_call import ToolGate
from interlock.gateway.trace_desk import TraceDesk


@dataclass(frozen=True, slots=True)
class Desks:
    """The use cases of one deployment."""

    tenant: TenantId
    """Whom the deployment belongs to; keys carry it too."""
    gate: ToolGate
    models: ModelGate
    model_calls: ModelDesk
    runs: RunDesk
    approvals: ApprovalDesk
    brakes: BrakeDesk
    access: AccessDesk
    contracts: ContractDesk
    records: RecordDesk
    audit: AuditDesk
    traces: TraceDesk
    keeping: KeepingDesk
    explain: ExplainDesk
    publisher: Publisher
    replays: ReplayDesk
