"""The injected texts of an attacked run, read back from its record.

A record does not say which text was put where. So the recorded calls are executed once in an environment whose every
injectable place holds a marker; where a marker shows in a result, the recorded result has the injected text in its
place. This works for any attack. A place that no recorded call has shown cannot have influenced the run; it gets the
bare goal.
"""

import re
from collections.abc import Iterator

import yaml
from agentdojo.agent_pipeline.tool_execution import tool_result_to_str
from agentdojo.base_tasks import BaseInjectionTask, BaseUserTask
from agentdojo.functions_runtime import FunctionsRuntime, TaskEnvironment
from agentdojo.task_suite.task_suite import TaskSuite, read_suite_file

from benchmarks.corpus.records import Json, Record

_MARKER = re.compile(r"<MARKER-([^<>]+)-MARKER>")
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The fast one where PyYAML has it: recorded results are read by the hundred."""
_AGREEMENT = 0.5
"""More than this share of an element's fixed leaves must agree for it to be the recorded one."""


class Injections:
    """Environments of one suite, with the texts of a record put in."""

    def __init__(self, suite: TaskSuite) -> None:
        self._suite = suite
        self._runtime = FunctionsRuntime(suite.tools)
        self._defaults: dict[str, str] = suite.get_injection_vector_defaults()
        text = read_suite_file(suite.name, "environment.yaml", suite.data_path)
        self._marked = yaml.load(text.format(**{vector: _marker(vector) for vector in self._defaults}), _Loader)
        self._plain: TaskEnvironment = suite.load_and_inject_default_environment({})
        self._template = self._filled({vector: _marker(vector) for vector in self._defaults})
        self._shown: dict[str, tuple[str, ...]] = {}

    def environment(self, record: Record, task: BaseUserTask, injection: BaseInjectionTask | None) -> TaskEnvironment:
        """Return a fresh environment for `record`."""
        if injection is None:
            return self._plain.model_copy(deep=True)
        found = self.recovered(record, task)
        bare = dict.fromkeys(self._shown_to(task), injection.GOAL)
        return self._filled(self._defaults | bare | found)

    def recovered(self, record: Record, task: BaseUserTask) -> dict[str, str]:
        """Return the injected text of every place that the record's results show."""
        environment = task.init_environment(self._template.model_copy(deep=True))
        found: dict[str, str] = {}
        for call in record.calls:
            result, _ = self._runtime.run_function(environment, call.tool, call.arguments)
            for vector, text in _aligned(result, call.result):
                found.setdefault(vector, text)
        return found

    def _shown_to(self, task: BaseUserTask) -> tuple[str, ...]:
        """Return the places that the task's own solution reads."""
        if task.ID not in self._shown:
            environment = task.init_environment(self._template.model_copy(deep=True))
            calls = task.ground_truth(environment.model_copy(deep=True))
            results = [self._runtime.run_function(environment, call.function, call.args)[0] for call in calls]
            self._shown[task.ID] = tuple(vector for one in results for vector in _MARKER.findall(_safe_text(one)))
        return self._shown[task.ID]

    def _filled(self, texts: dict[str, str]) -> TaskEnvironment:
        # Put in after the YAML was read: a text keeps its line breaks and quotes as the record has them.
        environment: TaskEnvironment = self._suite.environment_type.model_validate(_fill(self._marked, texts))
        return environment


def _marker(vector: str) -> str:
    return f"<MARKER-{vector}-MARKER>"


def _fill(value: Json, texts: dict[str, str]) -> Json:
    if isinstance(value, str):
        return _MARKER.sub(lambda match: texts[match[1]], value)
    if isinstance(value, dict):
        return {_fill(key, texts): _fill(item, texts) for key, item in value.items()}
    if isinstance(value, list):
        return [_fill(item, texts) for item in value]
    return value


def _safe_text(result: object) -> str:
    try:
        return str(tool_result_to_str(result))
    except TypeError:
        return str(result)


def _aligned(result: object, recorded: str) -> Iterator[tuple[str, str]]:
    """Yield each place whose marker shows in `result`, with the text that `recorded` has there."""
    marked = _safe_text(result)
    if "<MARKER-" not in marked:
        return
    there: object = recorded
    here: object = marked
    if not isinstance(result, str):
        try:
            here, there = yaml.load(marked, _Loader), yaml.load(recorded, _Loader)
        except yaml.YAMLError:
            return
    found: dict[str, str] = {}
    _unify(here, there, found)
    yield from found.items()


def _unify(here: object, there: object, found: dict[str, str]) -> tuple[int, int]:
    """Read the texts of markers in `here` from `there` into `found`; return how many fixed leaves agree, and of how
    many. A list's elements are paired by that agreement, since an injected text can change what a search finds.
    """
    if isinstance(here, dict):
        other = there if isinstance(there, dict) else {}
        pairs = [_unify(item, other.get(key), found) for key, item in here.items()]
        return sum(same for same, _ in pairs), sum(of for _, of in pairs)
    if isinstance(here, list):
        for item in here:
            _unify_best(item, there if isinstance(there, list) else [], found)
        return 0, 0
    if not isinstance(here, str) or not (vectors := _MARKER.findall(here)):
        return int(_spaced(str(here)) == _spaced(str(there))), 1
    fixed = _MARKER.split(here)[::2]
    match = re.fullmatch("(.*?)".join(map(_loosely, fixed)), there, re.DOTALL) if isinstance(there, str) else None
    if match is None:
        return 0, 1
    found.update(zip(vectors, match.groups(), strict=True))
    return (1, 1) if "".join(fixed).strip() else (0, 0)


def _unify_best(here: object, candidates: list[object], found: dict[str, str]) -> None:
    best: tuple[float, dict[str, str]] = (_AGREEMENT, {})
    for there in candidates:
        texts: dict[str, str] = {}
        same, of = _unify(here, there, texts)
        if texts and same / max(of, 1) > best[0]:
            best = (same / max(of, 1), texts)
    found.update(best[1])


def _loosely(text: str) -> str:
    # Exports re-wrap lines, so any white space is like any other, and at the ends it may be missing.
    words = r"\s+".join(map(re.escape, text.split()))
    return rf"\s*{words}\s*" if words else ""


def _spaced(text: str) -> str:
    return " ".join(text.split())
