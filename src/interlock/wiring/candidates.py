"""The other rules that the past is held against: archived releases under other files or other settings."""

import gzip
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

import orjson

from interlock.config import load_deployment
from interlock.config.edits import edited
from interlock.domain.errors import BadInput, ConfigurationError, MalformedJson, UnknownRecord
from interlock.domain.ids import TenantId
from interlock.domain.problems import Problem
from interlock.gateway.archive import Declared
from interlock.gateway.release import Release
from interlock.gateway.replay.deriving import Rules, Underivable
from interlock.gateway.replay.ledger import spans_runs
from interlock.gateway.replay.others import Case, case_of, index
from interlock.gateway.replay.past import RecordedRun
from interlock.gateway.replay.where import Where
from interlock.gateway.steps import decided_steps
from interlock.gateway.store import Store
from interlock.tools.schemas import CompiledSchemas
from interlock.wiring.declaring import files_of
from interlock.wiring.releases import Archived, archived, read_by


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of the past."""

    config: Path
    where: Where = field(default_factory=Where)
    policy: Path | None = None
    """A folder: a whole deployment, or files that take the place of the deployment's own of the same name."""
    edits: tuple[tuple[str, str], ...] = ()
    """Settings that differ, as pairs of path and value."""
    model: str = ""
    """`recorded:PATH`: where another model's runs of the same cases are; empty for the calls of the runs themselves."""


class Candidates:
    """The rules to hold calls against, by the release that they were decided under.

    With a folder of policies there is one set of rules for the whole past; with settings alone, each release of the past
    has its own, which differs from it in these settings only.
    """

    def __init__(self, store: Store, tenant: TenantId, question: Question) -> None:
        self._store = store
        self._tenant = tenant
        self._question = question
        self._made: dict[str, Rules | Underivable] = {}
        self._latest: Rules | None = None
        self.spans_runs = False
        """Whether a limit of any of them adds up what several runs spend."""

    async def check(self) -> None:
        """Make the rules for the latest release. Raises what is wrong with the question, before any run is read."""
        latest = await archived(self._store, self._tenant)
        self._latest = self._noted(latest)
        self._made[latest.release.id] = self._latest

    async def prepare(self, releases: Iterable[str]) -> None:
        """Make the rules for every release of `releases` that was not met yet."""
        for id in releases:
            if id not in self._made:
                self._made[id] = await self._for(id)

    def of(self, release: str) -> Rules:
        """Return the rules for calls of `release`. Raises Underivable."""
        found = self._made[release]
        if isinstance(found, Underivable):
            raise found
        return found

    async def _for(self, id: str) -> Rules | Underivable:
        # The calls of another model were decided under no release.
        if (self._question.policy is not None or self._question.model) and self._latest is not None:
            return self._latest
        if not id:
            return Underivable("nobody noted its release")
        try:
            return self._noted(await archived(self._store, self._tenant, id))
        except (UnknownRecord, ConfigurationError, BadInput):
            return Underivable("its release cannot be made again with these settings")

    def _noted(self, past: Archived) -> Rules:
        release = candidate(past, self._question)
        self.spans_runs |= any(spans_runs(release.limits_of(one)) for one in release.agents.values())
        return Rules(release, CompiledSchemas())


def candidate(past: Archived, question: Question) -> Release:
    """Return the release that the question's files and settings make of an archived one.

    Raises BadInput for files and settings that lead nowhere, ConfigurationError for those that do not fit.
    """
    files = past.files if question.policy is None else laid_over(past, question.policy)
    if not question.edits:
        return past.made(files)
    changed = replace(files, files=edited(files.entry, files.files, question.edits))
    try:
        return past.made(changed)
    except ConfigurationError as error:
        raise BadInput(
            f"--set {' '.join('='.join(one) for one in question.edits)} does not fit",
            why="; ".join(_told(error)),
            do="Change the value, or name another setting",
        ) from None


def recordings(model: str) -> Mapping[str, Case]:
    """Return the cases of another model that `recorded:PATH` names, by label. Raises BadInput."""
    kind, sign, name = model.partition(":")
    path = Path(name)
    if kind != "recorded" or not sign or not name or not path.exists():
        raise BadInput(
            f"'{model[:80]}' names no recordings", do="Write recorded:FILE or recorded:FOLDER, of JSON lines"
        )
    files = sorted(path.glob("*.jsonl*")) if path.is_dir() else [path]
    return index(case for file in files for case in _cases(file))


def _cases(file: Path) -> Iterator[Case]:
    try:
        raw = file.read_bytes()
        text = gzip.decompress(raw) if file.suffix == ".gz" else raw
    except (OSError, EOFError, zlib.error):
        raise BadInput(f"The recordings in {file.name} cannot be read") from None
    for number, line in enumerate(text.splitlines(), 1):
        try:
            yield case_of(orjson.loads(line))
        except (orjson.JSONDecodeError, MalformedJson) as error:
            raise BadInput(f"{file.name}, line {number}: {error}") from None


def laid_over(past: Archived, folder: Path) -> Declared:
    """Return the files in `folder`: a whole deployment's, or those of `past` with the folder's in their place.

    Raises BadInput for a folder that is not there, and for a file that the deployment would not read.
    """
    if not folder.is_dir():
        raise BadInput(f"There is no folder {folder}", do="Give the folder with the other rules")
    if (folder / "interlock.yaml").is_file():
        return files_of(load_deployment(folder))
    own = past.files
    base = PurePosixPath(own.entry).parent
    found = (file for file in sorted(folder.rglob("*")) if file.is_file() and not file.name.startswith("."))
    fresh = {(base / file.relative_to(folder).as_posix()).as_posix(): file.read_bytes() for file in found}
    if not fresh:
        raise BadInput(f"{folder} holds no file", do="Give the folder with the other rules")
    files = replace(own, files={**own.files, **fresh})
    unread = sorted(set(fresh) - read_by(files))
    if unread:
        raise BadInput(
            f"{folder} has a file that the deployment does not read: {unread[0]}",
            why=f"it reads {', '.join(sorted(own.files)[:8])}",
            do="Name it like the file that it is to take the place of, or give the folder an interlock.yaml of its own",
        )
    return files


def releases_in(past: RecordedRun) -> frozenset[str]:
    """Return the ids of the releases that the calls of a run were first decided under."""
    return frozenset(decided_steps(record)[0].release for record in past.calls) or frozenset({""})


def _told(error: ConfigurationError) -> tuple[str, ...]:
    """Return what is wrong without the places, which lie in files that are not there."""
    if not error.problems:
        return (error.what, *([error.why] if error.why else []))
    return tuple(_problem(each) for each in error.problems[:3])


def _problem(problem: Problem) -> str:
    expected = f" (expected {problem.expected})" if problem.expected else ""
    return f"{problem.what}{expected}" + (f"; did you mean {problem.nearest}?" if problem.nearest else "")
