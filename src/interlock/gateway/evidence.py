"""What each run has seen, indexed once per process and extended as the run goes on."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from interlock.domain.calls import CallRecord, CallStatus, ToolCall
from interlock.domain.canonical import canonical_json
from interlock.domain.contracts import Kind, ToolContract
from interlock.domain.ids import RunId, TenantId, ToolName
from interlock.domain.provenance import Origin, Provenance, Source
from interlock.gateway.store import Tx
from interlock.provenance import Evidence, trace
from interlock.runs.ports import EvidenceRow

SEEN = "seen"
"""Kind of the texts that a model of the run was shown in its messages."""
_ORIGINS = {"system": Origin.SYSTEM, "user": Origin.USER, "identity": Origin.IDENTITY}

ContractOf = Callable[[ToolName], ToolContract | None]


@dataclass(frozen=True, slots=True)
class Labelled:
    """What the run's evidence says of one call."""

    provenance: Provenance
    instructed: bool
    """Whether the run was given any instruction of the user or the system."""
    refused_writes: int
    """How many writes of the run their tools have refused."""
    seen: int = 0
    """Up to which `seq` the evidence was read."""


@dataclass(slots=True)
class _Indexed:
    evidence: Evidence = field(default_factory=Evidence)
    seq: int = 0
    instructed: bool = False
    refused_writes: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


class EvidenceCache:
    """Indexes of the runs that this process worked on last. The log in the store is the truth; any of this may go."""

    def __init__(self, keep: int = 512) -> None:
        """Keep the indexes of the `keep` most recently used runs."""
        self._keep = keep
        self._runs: OrderedDict[tuple[TenantId, RunId], _Indexed] = OrderedDict()
        self._lock = threading.Lock()

    def label(self, tx: Tx, call: ToolCall, contract: ToolContract, contract_of: ContractOf) -> Labelled:
        """Return where the values of `call` were seen in its run, up to what `tx` can see."""
        entry = self._entry(call.key.tenant, call.key.run)
        with entry.lock:
            for row, record in tx.evidence.since(call.key.tenant, call.key.run, entry.seq):
                entry.evidence.add(source_of(row, record, contract_of))
                entry.seq = row.seq
                entry.instructed |= row.kind in ("user", "system")
                entry.refused_writes += record is not None and _refused_write(record, contract_of)
            provenance = trace(call.arguments, contract.roles, entry.evidence, asked_by=contract.asked_by)
            return Labelled(provenance, entry.instructed, entry.refused_writes, entry.seq)

    def forget(self) -> None:
        """Drop everything: after a failed commit, what was read inside it may never have happened."""
        with self._lock:
            self._runs.clear()

    def _entry(self, tenant: TenantId, run: RunId) -> _Indexed:
        with self._lock:
            entry = self._runs.get((tenant, run))
            if entry is None:
                entry = self._runs[(tenant, run)] = _Indexed()
                while len(self._runs) > self._keep:
                    self._runs.popitem(last=False)
            else:
                self._runs.move_to_end((tenant, run))
            return entry


def _refused_write(record: CallRecord, contract_of: ContractOf) -> bool:
    contract = contract_of(record.call.tool)
    return record.status is CallStatus.FAILED and contract is not None and contract.kind is Kind.WRITE


def source_of(row: EvidenceRow, record: CallRecord | None, contract_of: ContractOf) -> Source:
    """Return a row of the log as provenance reads it. A tool that is no longer known counts as untrusted."""
    if row.kind == SEEN:
        # Whoever drives the agent put it there, so it is nobody's word.
        return Source(Origin.TOOL, row.body, ToolName("messages"), {})
    if record is None:
        return Source(_ORIGINS[row.kind], row.body)
    call, result = record.call, record.result
    contract = contract_of(call.tool)
    content = result.content if result is not None else None
    text = content if isinstance(content, str) else canonical_json(content).decode()
    failed = result is None or result.is_error
    if contract is None:
        return Source(Origin.TOOL, text, call.tool, call.arguments, failed=failed)
    return Source(Origin.TOOL, text, call.tool, call.arguments, contract.roles, contract.output, failed)
