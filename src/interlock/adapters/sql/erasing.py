"""What may be erased, and the statements that erase it. Rows, sums, ids and commitments stay."""

from collections.abc import Mapping, Sequence

from interlock.adapters.sql.legal_holds import lock_keeping
from interlock.adapters.sql.models import place, without_words
from interlock.adapters.sql.session import Session, Statement
from interlock.domain.errors import Conflict, Erased, OnHold
from interlock.domain.ids import ModelCallId, RunId, TenantId, random_bytes
from interlock.runs.keeping import Erasure, KeptRun

KEPT = Statement(
    """
    SELECT run, state <> 'open' OR (deadline IS NOT NULL AND deadline < :now),
           (SELECT COUNT(*) FROM calls WHERE calls.tenant = runs.tenant AND calls.run = runs.run
                                         AND status IN ('pending', 'executing', 'unknown')),
           COALESCE((SELECT MIN(id) FROM legal_holds
                     WHERE legal_holds.tenant = runs.tenant AND lifted_at IS NULL
                       AND (scope = 'tenant' OR (scope = 'run' AND name = runs.run)
                            OR (scope = 'agent' AND name = runs.agent) OR (scope = 'user' AND name = runs.user_id))), ''),
           erased_at IS NOT NULL
    FROM runs WHERE tenant = :tenant AND run IN (SELECT value FROM json_each(:runs)) ORDER BY seq
    """,
    postgresql="""
    SELECT run, state <> 'open' OR (deadline IS NOT NULL AND deadline < :now),
           (SELECT COUNT(*) FROM calls WHERE calls.tenant = runs.tenant AND calls.run = runs.run
                                         AND status IN ('pending', 'executing', 'unknown')),
           COALESCE((SELECT MIN(id) FROM legal_holds
                     WHERE legal_holds.tenant = runs.tenant AND lifted_at IS NULL
                       AND (scope = 'tenant' OR (scope = 'run' AND name = runs.run)
                            OR (scope = 'agent' AND name = runs.agent) OR (scope = 'user' AND name = runs.user_id))), ''),
           erased_at IS NOT NULL
    FROM runs WHERE tenant = :tenant AND run = ANY(CAST(:runs AS text[])) ORDER BY seq
    """,
)

RUNS_OF = Statement("SELECT run FROM runs WHERE tenant = :tenant AND user_id = :user ORDER BY seq")

EXPIRED = Statement("""
    SELECT run FROM runs
    WHERE tenant = :tenant AND erased_at IS NULL AND opened_at < :before
      AND (state <> 'open' OR deadline < :now) AND COALESCE(ended_at, deadline, opened_at) < :before
      AND NOT EXISTS (SELECT 1 FROM legal_holds
                      WHERE legal_holds.tenant = runs.tenant AND lifted_at IS NULL
                        AND (scope = 'tenant' OR (scope = 'run' AND name = runs.run)
                             OR (scope = 'agent' AND name = runs.agent) OR (scope = 'user' AND name = runs.user_id)))
      AND NOT EXISTS (SELECT 1 FROM calls WHERE calls.tenant = runs.tenant AND calls.run = runs.run
                                            AND status IN ('pending', 'executing', 'unknown'))
    ORDER BY opened_at LIMIT :limit
""")

HELD_RUNS = Statement("SELECT name FROM legal_holds WHERE tenant = :tenant AND scope = 'run' AND lifted_at IS NULL")

# What was under way when its run was erased is recorded afterwards.
LATE = Statement("""
    SELECT run FROM runs
    WHERE tenant = :tenant AND erased_at > :since
      AND (EXISTS (SELECT 1 FROM evidence WHERE evidence.tenant = runs.tenant AND evidence.run = runs.run)
           OR EXISTS (SELECT 1 FROM model_calls WHERE model_calls.tenant = runs.tenant AND model_calls.run = runs.run
                                                  AND model_calls.erased_at IS NULL))
    LIMIT :limit
""")

ERASE_CALLS = Statement("""
    UPDATE calls SET proposal = :nothing, progress = :nothing, salt = NULL, arguments = NULL, result = NULL,
                     arguments_hash = ''
    WHERE tenant = :tenant AND run = :run AND length(proposal) > 0
""")
ERASE_PAYLOADS = Statement("DELETE FROM payloads WHERE tenant = :tenant AND run = :run")
ERASE_EVIDENCE = Statement("DELETE FROM evidence WHERE tenant = :tenant AND run = :run")
ERASE_APPROVALS = Statement("""
    UPDATE approvals SET body = :nothing WHERE tenant = :tenant AND run = :run AND length(body) > 0
""")
# A hash of arguments gives them away to whoever can guess them.
ERASE_PROPOSALS = Statement("""
    UPDATE proposals SET arguments_hash = '' WHERE tenant = :tenant AND run = :run AND arguments_hash <> ''
""")
ERASE_REPLIES = Statement("DELETE FROM cached_replies WHERE tenant = :tenant AND run = :run AND run <> ''")
ERASE_RUN = Statement("""
    UPDATE runs SET labels = :nothing, salt = NULL, erased_at = COALESCE(erased_at, :at)
    WHERE tenant = :tenant AND run = :run
""")
FORGET_RUN_USER = Statement("UPDATE runs SET user_id = NULL WHERE tenant = :tenant AND run = :run")

CALLS_OF_RUN = Statement("""
    SELECT seq, call, body FROM model_calls
    WHERE tenant = :tenant AND run = :run AND erased_at IS NULL ORDER BY +seq
""")
CALLS_OF_USER = Statement("""
    SELECT seq, call, body FROM model_calls WHERE tenant = :tenant AND user_id = :user ORDER BY seq LIMIT :limit
""")
CALLS_ALONE = Statement("""
    SELECT seq, call, body FROM model_calls
    WHERE tenant = :tenant AND run IS NULL AND erased_at IS NULL AND started_at < :before
      AND NOT EXISTS (SELECT 1 FROM legal_holds
                      WHERE legal_holds.tenant = model_calls.tenant AND lifted_at IS NULL
                        AND (scope = 'tenant' OR (scope = 'agent' AND name = model_calls.agent)
                             OR (scope = 'user' AND name = model_calls.user_id)))
    ORDER BY started_at LIMIT :limit
""")
HELD_CALL_OF_USER = Statement("""
    SELECT MIN(legal_holds.id) FROM model_calls
    JOIN legal_holds ON legal_holds.tenant = model_calls.tenant AND lifted_at IS NULL
     AND (scope = 'tenant' OR (scope = 'agent' AND name = model_calls.agent)
          OR (scope = 'run' AND name = model_calls.run) OR (scope = 'user' AND name = model_calls.user_id))
    WHERE model_calls.tenant = :tenant AND model_calls.user_id = :user
""")
ERASE_MODEL_CALL = Statement("UPDATE model_calls SET body = :body, erased_at = :at WHERE seq = :seq")
FORGET_CALL_USER = Statement("UPDATE model_calls SET user_id = NULL WHERE seq = :seq")
FORGET_USER_OF_RUN = Statement("""
    UPDATE model_calls SET user_id = NULL WHERE tenant = :tenant AND run = :run AND user_id IS NOT NULL
""")

ERASE_REPLIES_FOR = Statement("DELETE FROM cached_replies WHERE tenant = :tenant AND user_id = :user")
FORGET_HOLDS = Statement("""
    DELETE FROM legal_holds WHERE tenant = :tenant AND scope = 'user' AND name = :user AND lifted_at IS NOT NULL
""")

BUDGETS_OF = Statement(
    """
    SELECT budget FROM budgets WHERE budget >= :first AND budget < :beyond AND instr(budget, :part) > 0
    """,
    postgresql="""
    SELECT budget FROM budgets WHERE budget >= :first AND budget < :beyond AND position(:part IN budget) > 0 FOR UPDATE
    """,
)
IN_USE = Statement("""
    SELECT 1 WHERE EXISTS (SELECT 1 FROM slices WHERE budget = :budget)
                OR EXISTS (SELECT 1 FROM holds WHERE budget = :budget AND state = 'held')
""")
RENAME_BUDGET = Statement("UPDATE budgets SET budget = :name WHERE budget = :budget")
RENAME_HOLDS = Statement("UPDATE holds SET budget = :name WHERE budget = :budget")

NOTHING = b""


class SqlErasing:
    """Deletes in every table of the journal. Whoever calls has made sure that it may be done."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def kept(self, tenant: TenantId, runs: Sequence[RunId], now: int) -> tuple[KeptRun, ...]:
        lock_keeping(self._session, tenant)
        rows = self._session.all(KEPT, {"tenant": tenant, "runs": self._session.texts(runs), "now": now})
        return tuple(KeptRun(run, bool(ended), count, hold, bool(gone)) for run, ended, count, hold, gone in rows)

    def runs_of(self, tenant: TenantId, user: str) -> tuple[RunId, ...]:
        return tuple(run for (run,) in self._session.all(RUNS_OF, {"tenant": tenant, "user": user}))

    def expired(self, tenant: TenantId, before: int, now: int, limit: int) -> tuple[RunId, ...]:
        lock_keeping(self._session, tenant)
        values = {"tenant": tenant, "before": before, "now": now, "limit": limit}
        return tuple(run for (run,) in self._session.all(EXPIRED, values))

    def held_runs(self, tenant: TenantId) -> tuple[RunId, ...]:
        return tuple(run for (run,) in self._session.all(HELD_RUNS, {"tenant": tenant}))

    def late(self, tenant: TenantId, since: int, limit: int) -> tuple[RunId, ...]:
        values = {"tenant": tenant, "since": since, "limit": limit}
        return tuple(run for (run,) in self._session.all(LATE, values))

    def erase_run(self, tenant: TenantId, run: RunId, at: int, *, identity: bool) -> Erasure:
        lock_keeping(self._session, tenant)
        of_run = {"tenant": tenant, "run": run}
        done = self._session.run
        erased = Erasure(
            runs=done(ERASE_RUN, of_run | {"at": at, "nothing": NOTHING}),
            calls=done(ERASE_CALLS, of_run | {"nothing": NOTHING}),
            model_calls=len(self._erase_model_calls(tenant, self._session.all(CALLS_OF_RUN, of_run), at)),
            texts=done(ERASE_EVIDENCE, of_run),
            approvals=done(ERASE_APPROVALS, of_run | {"nothing": NOTHING}),
            replies=done(ERASE_REPLIES, of_run),
        )
        done(ERASE_PAYLOADS, of_run)
        done(ERASE_PROPOSALS, of_run)
        if identity:
            done(FORGET_RUN_USER, of_run)
            done(FORGET_USER_OF_RUN, of_run)
        return erased

    def held_calls(self, tenant: TenantId, user: str) -> str:
        held = self._session.one(HELD_CALL_OF_USER, {"tenant": tenant, "user": user})
        return str(held[0]) if held is not None and held[0] is not None else ""

    def erase_user(self, tenant: TenantId, user: str, at: int, limit: int) -> Erasure:
        lock_keeping(self._session, tenant)
        of_user = {"tenant": tenant, "user": user}
        held = self.held_calls(tenant, user)
        if held:
            raise OnHold(f"The legal hold {held} covers model calls of this user", do="See interlock holds list")
        rows = self._session.all(CALLS_OF_USER, of_user | {"limit": limit})
        seqs = self._erase_model_calls(tenant, rows, at)
        self._session.many(FORGET_CALL_USER, [{"seq": seq} for seq in seqs])
        self._session.run(FORGET_HOLDS, of_user)
        return Erasure(
            model_calls=len(seqs),
            replies=self._session.run(ERASE_REPLIES_FOR, of_user),
            budgets=self._rename_budgets(tenant, user),
        )

    def expire_alone(self, tenant: TenantId, before: int, at: int, limit: int) -> int:
        lock_keeping(self._session, tenant)
        rows = self._session.all(CALLS_ALONE, {"tenant": tenant, "before": before, "limit": limit})
        return len(self._erase_model_calls(tenant, rows, at))

    def _erase_model_calls(
        self, tenant: TenantId, rows: Sequence[tuple[int, ModelCallId, bytes]], at: int
    ) -> Sequence[int]:
        """Take the words out of model calls, and leave what was used and what it cost."""
        self._session.many(
            ERASE_MODEL_CALL,
            [{"seq": seq, "body": self._without_words(tenant, call, body), "at": at} for seq, call, body in rows],
        )
        return [seq for seq, _, _ in rows]

    def _without_words(self, tenant: TenantId, call: ModelCallId, body: bytes) -> bytes:
        seals, where = self._session.seals, place(tenant, call)
        try:
            return seals.seal(tenant, where, without_words(seals.open(tenant, where, body)))
        except Erased:
            return body

    def _rename_budgets(self, tenant: TenantId, user: str) -> int:
        """Give the user's budgets a name that says nothing. What was spent still counts in the sums."""
        part, new = f"|user={user}|", f"|user=erased-{random_bytes(16).hex()}|"
        # "}" is the character after "|": the range holds exactly the tenant's budgets.
        values: Mapping[str, object] = {"first": f"{tenant}|", "beyond": f"{tenant}}}", "part": part}
        found = [budget for (budget,) in self._session.all(BUDGETS_OF, values)]
        for budget in found:
            if self._session.one(IN_USE, {"budget": budget}) is not None:
                raise Conflict(
                    "A budget of this user is in use",
                    why="calls of the user are under way, or a process holds a part of it ahead",
                    do="Wait a minute and repeat; what was erased so far stays erased",
                )
            names = {"budget": budget, "name": budget.replace(part, new)}
            self._session.run(RENAME_BUDGET, names)
            self._session.run(RENAME_HOLDS, names)
        return len(found)
