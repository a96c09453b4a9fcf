"""The use case behind `interlock explain`."""

from collections.abc import Awaitable, Callable

from interlock.domain.calls import CallKey
from interlock.domain.canonical import canonical_json
from interlock.domain.decisions import Decision, Finding
from interlock.domain.errors import Forbidden, InterlockError, MalformedJson, UnknownRecord
from interlock.domain.identity import Principal, Role
from interlock.domain.ids import ModelCallId, RunId, TenantId
from interlock.gateway.explain.accounts import (
    Account,
    CallAccount,
    ModelCallAccount,
    RunAccount,
    StepAccount,
    TodayAccount,
)
from interlock.gateway.explain.inputs import inputs_of
from interlock.gateway.explain.log import Sealed, log_of
from interlock.gateway.explain.reading import (
    CallFile,
    calls_of_run,
    came_of,
    find_target,
    model_calls_of_run,
    read_call,
    subjects,
)
from interlock.gateway.release import Release
from interlock.gateway.replay.deriving import Rules, Underivable, drafted
from interlock.gateway.steps import DecidedStep, decided_steps
from interlock.gateway.store import Store, Tx
from interlock.policy.record import decision_from_json, decision_json
from interlock.tools.schemas import CompiledSchemas

Today = Callable[[], Awaitable[Release]]
"""Returns the release of today. Raises an InterlockError where there is none, or where the files do not fit the tools."""


class ExplainDesk:
    """Tells why. Changes nothing."""

    def __init__(self, store: Store, today: Today, origin: str) -> None:
        """Explain what `store` holds; `today` is what it is held against, `origin` names the audit log."""
        self._store = store
        self._today = today
        self._origin = origin

    async def explain(self, principal: Principal, what: str) -> Account:
        """Return the account of `what`: see `find_target`. Raises Forbidden, UnknownRecord."""
        if not any(principal.may(role) for role in (Role.OPERATOR, Role.AUDITOR, Role.APPROVER)):
            raise Forbidden(
                "Explanations are for operators, approvers and auditors", do="Use a key with one of these roles"
            )
        rules: Release | str
        try:
            rules = await self._today()
        except InterlockError as error:
            rules = str(error)
        return await self._store.read(lambda tx: self._account(tx, principal.tenant, what, rules))

    def _account(self, tx: Tx, tenant: TenantId, what: str, rules: Release | str) -> Account:
        target = find_target(tx, tenant, what)
        if isinstance(target, CallKey):
            return self._call(tx, target, rules)
        model_call = tx.models.find(tenant, ModelCallId(target))
        if model_call is not None:
            run_id = model_call.call.run
            run = tx.runs.find(tenant, run_id) if run_id is not None else None
            log = log_of(tx, tenant, subjects(tx, tenant, target), self._origin)
            return ModelCallAccount(run, model_call, came_of(tx, model_call), log)
        run = tx.runs.find(tenant, RunId(target))
        if run is None:
            raise UnknownRecord(f"There is no run {target}")
        log = log_of(tx, tenant, (str(run.id),), self._origin)
        return RunAccount(run, calls_of_run(tx, run), model_calls_of_run(tx, run), log)

    def _call(self, tx: Tx, key: CallKey, rules: Release | str) -> CallAccount:
        file = read_call(tx, key)
        record = file.record
        steps = decided_steps(record)
        contracts = {} if isinstance(rules, str) else rules.catalogue.contracts
        inputs = inputs_of(record, steps[-1].facts, contracts.get(record.call.tool), file.evidence, contracts.get)
        sealed = Sealed(record, file.approvals)
        return CallAccount(
            run=file.past.run,
            record=record,
            proposal=file.proposal,
            inputs=inputs,
            steps=() if record.erased else tuple(_step(step) for step in steps),
            approvals=file.approvals,
            today=_today(file, steps, rules),
            log=log_of(tx, key.tenant, subjects(tx, key.tenant, key, file.approvals), self._origin, sealed),
        )


def _step(step: DecidedStep) -> StepAccount:
    return StepAccount(step.facts.get("now"), decision_from_json(step.decision), step.release)


def _today(file: CallFile, steps: tuple[DecidedStep, ...], rules: Release | str) -> TodayAccount:
    """Return what `rules` say of the call on its recorded facts; a text in their place says why there are none.

    People's answers count where they would be asked the same.
    """
    if file.record.erased:
        return TodayAccount(None, changed=False, why="what the call and its decision said was erased")
    if isinstance(rules, str):
        return TodayAccount(None, changed=False, why=rules)
    try:
        before = decision_from_json(steps[-1].decision)
        after = drafted(file.past, file.record, Rules(rules, CompiledSchemas())).last
    except Underivable as error:
        return TodayAccount(None, changed=False, why=str(error))
    except MalformedJson as error:
        return TodayAccount(None, changed=False, why=error.what)
    budgets = any(finding.rule.startswith("budget") for finding in before.deciding)
    if budgets and after.effect is not before.effect:
        return TodayAccount(
            None, changed=False, why="a limit had no room then, and how full it would be is not known here"
        )
    return TodayAccount(after, changed=after.effect is not before.effect, because=_different(before, after))


def _different(before: Decision, after: Decision) -> tuple[Finding, ...]:
    if canonical_json(decision_json(before)) == canonical_json(decision_json(after)):
        return ()
    known = {(one.rule, one.effect) for one in before.findings}
    return tuple(one for one in after.deciding if (one.rule, one.effect) not in known)
