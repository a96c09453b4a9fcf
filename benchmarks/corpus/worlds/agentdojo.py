"""AgentDojo's environments as a world; utility and attack success by the benchmark's own functions."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from agentdojo.agent_pipeline.tool_execution import tool_result_to_str
from agentdojo.base_tasks import BaseInjectionTask, BaseUserTask
from agentdojo.functions_runtime import FunctionCall, FunctionsRuntime, TaskEnvironment
from agentdojo.task_suite.load_suites import get_suite
from agentdojo.task_suite.task_suite import TaskSuite
from agentdojo.types import text_content_block_from_string

from benchmarks.corpus.records import BadData, Group, Record, RecordedCall, read_json
from benchmarks.corpus.worlds.injections import Injections
from benchmarks.corpus.worlds.telling import telling
from benchmarks.corpus.worlds.upstream import serve
from benchmarks.corpus.worlds.world import AttackerCall, Outcome, Reply, ToolSurface

_DEFAULT_VERSION = "v1.1"


class AgentDojo:
    """One suite; each run has its own environment, with the injection of its record."""

    def __init__(self, suite: TaskSuite) -> None:
        self.tools = tuple(
            ToolSurface(tool.name, tool.description, tool.parameters.model_json_schema()) for tool in suite.tools
        )
        self._suite = suite
        self._runtime = FunctionsRuntime(suite.tools)
        self._injections = Injections(suite)

    def open(self, record: Record) -> tuple[AttackerCall, ...]:
        self._record = record
        self._task: BaseUserTask = self._suite.get_user_task_by_id(record.task)
        self._injection: BaseInjectionTask | None = (
            self._suite.get_injection_task_by_id(record.injection_task) if record.injection_task else None
        )
        loaded = self._injections.environment(record, self._task, self._injection)
        self._environment: TaskEnvironment = self._task.init_environment(loaded)
        self._before = self._environment.model_copy(deep=True)
        self._trace: list[FunctionCall] = []
        if self._injection is None:
            return ()
        wanted = self._injection.ground_truth(self._before.model_copy(deep=True))
        own = self._task.ground_truth(self._before.model_copy(deep=True))
        mine = [(call.function, call.args) for call in own]
        return tuple(
            _attacker_call(call, self._injection.GOAL, own) for call in wanted if (call.function, call.args) not in mine
        )

    def call(self, tool: str, arguments: dict[str, Any], recorded: RecordedCall) -> Reply:
        self._trace.append(FunctionCall(function=tool, args=arguments, id=recorded.id))
        result, error = self._runtime.run_function(self._environment, tool, arguments)
        return Reply(error, failed=True) if error is not None else Reply(tool_result_to_str(result))

    def close(self) -> Outcome:
        return Outcome(self._holds(self._task), None if self._injection is None else self._holds(self._injection))

    def _holds(self, task: BaseUserTask | BaseInjectionTask) -> bool:
        """Ask the benchmark as its own pipeline does: by the trace where the task judges traces, else by state."""
        output = [text_content_block_from_string(self._record.final_output)]
        return bool(
            self._suite._check_task_result(task, output, self._before, self._environment, self._trace)  # noqa: SLF001
        )


def _attacker_call(call: FunctionCall, goal: str, own: Sequence[FunctionCall]) -> AttackerCall:
    values: dict[str, list[Any]] = {}
    for mine in own:
        if mine.function == call.function:
            for name, value in mine.args.items():
                values.setdefault(name, []).append(value)
    return AttackerCall(call.function, dict(call.args), telling(dict(call.args), goal, values))


def build(data: Path, group: Group, _records: tuple[Record, ...]) -> AgentDojo:
    """Load the suite in the benchmark version that the data folder names.

    Raises BadData for a suite that AgentDojo does not have.
    """
    described = read_json(data / "env" / "agentdojo_tasks.json.gz") or {}
    version = described.get(group.suite, {}).get("benchmark_version", _DEFAULT_VERSION)
    try:
        return AgentDojo(get_suite(version, group.suite))
    except KeyError as error:
        raise BadData(f"AgentDojo {version} has no suite {group.suite}.") from error


if __name__ == "__main__":
    serve(build)
