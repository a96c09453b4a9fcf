"""Seal what versions that sealed nothing have written: run by run, then model call by model call."""

from typing import Any

from interlock.adapters.sql.models import place as place_of_model_call
from interlock.adapters.sql.seals import MARK, place_of
from interlock.adapters.sql.session import Session, Statement
from interlock.domain.ids import RunId, TenantId
from interlock.runs.keeping import Resealed

RUNS = Statement("SELECT seq, tenant, run, labels FROM runs WHERE seq > :seq ORDER BY seq LIMIT :limit")
LABELS = Statement("UPDATE runs SET labels = :body WHERE tenant = :tenant AND run = :run AND labels = :before")

CALLS = Statement("""
    SELECT call, proposal, progress, arguments, result FROM calls WHERE tenant = :tenant AND run = :run
""")
# A call that went on meanwhile is sealed already, and keeps what it came to.
CALL = Statement("""
    UPDATE calls SET proposal = :proposal, progress = :progress, arguments = :arguments, result = :result
    WHERE tenant = :tenant AND run = :run AND call = :call AND progress = :before
""")

PAYLOADS = Statement("SELECT call, part, body FROM payloads WHERE tenant = :tenant AND run = :run")
PAYLOAD = Statement("""
    UPDATE payloads SET body = :body
    WHERE tenant = :tenant AND run = :run AND call = :call AND part = :part AND body = :before
""")

EVIDENCE = Statement("SELECT seq, kind, call, body FROM evidence WHERE tenant = :tenant AND run = :run")
TEXT = Statement("UPDATE evidence SET body = :body WHERE tenant = :tenant AND run = :run AND seq = :seq")

APPROVALS = Statement("SELECT id, body FROM approvals WHERE tenant = :tenant AND run = :run")
APPROVAL = Statement("UPDATE approvals SET body = :body WHERE id = :id AND body = :before")

MODEL_CALLS = Statement("SELECT seq, tenant, call, body FROM model_calls WHERE seq > :seq ORDER BY seq LIMIT :limit")
MODEL_CALL = Statement("UPDATE model_calls SET body = :body WHERE seq = :seq")

HOLDS = Statement("SELECT id, tenant, reason FROM legal_holds")
HOLD = Statement("UPDATE legal_holds SET reason = :body WHERE id = :id")
REPLIES = Statement("SELECT seq, substr(body, 1, 1) FROM cached_replies")
DROP_REPLY = Statement("DELETE FROM cached_replies WHERE seq = :seq")

_MODEL_CALLS = "model_calls"
_OVER = ""


class SqlResealing:
    """Reads rows in the order in which they came, and seals those that are not."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def reseal(self, after: Resealed, limit: int) -> Resealed:
        if after.table == _MODEL_CALLS:
            return self._model_calls(after, limit)
        rows = self._session.all(RUNS, {"seq": after.seq, "limit": limit})
        sealed = sum(self._run(tenant, run, labels) for _, tenant, run, labels in rows)
        if not rows:
            return Resealed(_MODEL_CALLS, 0, after.sealed)
        return Resealed(after.table, rows[-1][0], after.sealed + sealed)

    def reseal_the_rest(self) -> None:
        """Seal the few reasons of holds, and drop the replies that were kept in the clear."""
        for id_, tenant, reason in self._session.all(HOLDS, {}):
            if _is_plain(reason):
                body = self._sealed(tenant, place_of("legal_holds", "reason", tenant, id_), reason)
                self._session.run(HOLD, {"id": id_, "body": body})
        plain = [{"seq": seq} for seq, first in self._session.all(REPLIES, {}) if _is_plain(first)]
        self._session.many(DROP_REPLY, plain)

    def _model_calls(self, after: Resealed, limit: int) -> Resealed:
        rows = self._session.all(MODEL_CALLS, {"seq": after.seq, "limit": limit})
        fresh = [
            {"seq": seq, "body": self._sealed(tenant, place_of_model_call(tenant, call), body)}
            for seq, tenant, call, body in rows
            if _is_plain(body)
        ]
        self._session.many(MODEL_CALL, fresh)
        if not rows:
            return Resealed(_OVER, 0, after.sealed)
        return Resealed(after.table, rows[-1][0], after.sealed + len(fresh))

    def _run(self, tenant: TenantId, run: RunId, labels: bytes) -> int:
        """Seal everything of one run; return how many bodies were not."""
        of_run = {"tenant": tenant, "run": run}
        sealed = 0
        if _is_plain(labels):
            body = self._sealed(tenant, place_of("runs", "labels", tenant, run), labels)
            sealed += self._session.run(LABELS, of_run | {"body": body, "before": labels})
        for row in self._session.all(CALLS, of_run):
            sealed += self._call(tenant, run, row)
        for call, part, body in self._session.all(PAYLOADS, of_run):
            if _is_plain(body):
                fresh = self._sealed(tenant, place_of("payloads", part, tenant, run, call), body)
                values = of_run | {"call": call, "part": part, "body": fresh, "before": body}
                sealed += self._session.run(PAYLOAD, values)
        for seq, kind, call, body in self._session.all(EVIDENCE, of_run):
            if _is_plain(body):
                fresh = self._sealed(tenant, place_of("evidence", "body", tenant, run, kind, call or ""), body)
                sealed += self._session.run(TEXT, of_run | {"seq": seq, "body": fresh})
        for id_, body in self._session.all(APPROVALS, of_run):
            if _is_plain(body):
                fresh = self._sealed(tenant, place_of("approvals", "body", tenant, id_), body)
                sealed += self._session.run(APPROVAL, {"id": id_, "body": fresh, "before": body})
        return sealed

    def _call(self, tenant: TenantId, run: RunId, row: tuple[Any, ...]) -> int:
        call, *bodies = row
        if not any(_is_plain(body) for body in bodies):
            return 0
        parts = ("proposal", "progress", "arguments", "result")
        values: dict[str, Any] = {
            part: self._sealed(tenant, place_of("calls", part, tenant, run, call), body) if _is_plain(body) else body
            for part, body in zip(parts, bodies, strict=True)
        }
        return self._session.run(CALL, values | {"tenant": tenant, "run": run, "call": call, "before": bodies[1]})

    def _sealed(self, tenant: TenantId, place: str, body: bytes) -> bytes:
        return self._session.seals.seal(tenant, place, body)


def _is_plain(body: bytes | None) -> bool:
    return bool(body) and body is not None and body[0] != MARK
