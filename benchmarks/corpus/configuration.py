"""Which folder of CONFIG serves which runs, and a private copy of it that one Interlock works in."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from benchmarks.corpus.records import Group

UPSTREAM, PORT = "${CORPUS_UPSTREAM}", "${CORPUS_PORT}"
"""Stand in the files for what is known only when the servers start."""


class BadConfiguration(Exception):
    """CONFIG lacks what a suite needs."""


@dataclass(frozen=True, slots=True)
class SuiteConfiguration:
    """One folder of CONFIG."""

    folder: Path
    identity: dict[str, Any]
    """What the host knows of the user, from `identity.yaml`; empty when there is none."""
    agent: str
    """Whose runs these are: the name in the first file under `agents/`."""

    def copy_to(self, target: Path, *, upstream: str, port: int) -> Path:
        """Copy the folder to `target` with the two placeholders filled in."""
        shutil.copytree(self.folder, target)
        for file in sorted(target.rglob("*.yaml")):
            text = file.read_text(encoding="utf-8")
            file.write_text(text.replace(UPSTREAM, upstream).replace(PORT, str(port)), encoding="utf-8")
        return target


def find(config: Path, group: Group) -> SuiteConfiguration:
    """Return the folder for `group`: `<source>-<suite>` (without the source's `-bench`) before `<suite>`.

    Raises BadConfiguration when there is neither.
    """
    names = (f"{group.source.removesuffix('-bench')}-{group.suite}", group.suite)
    for name in names:
        if (config / name / "interlock.yaml").is_file():
            folder = config / name
            return SuiteConfiguration(folder, _identity(folder / "identity.yaml"), _agent(folder))
    raise BadConfiguration(
        f"{config} has no configuration for {group}: expected {' or '.join(f'{name}/interlock.yaml' for name in names)}."
    )


def _identity(file: Path) -> dict[str, Any]:
    if not file.is_file():
        return {}
    identity = _mapping(file).get("identity")
    if not isinstance(identity, dict):
        raise BadConfiguration(f"{file} does not hold a mapping `identity:`.")
    return identity


def _agent(folder: Path) -> str:
    for file in sorted((folder / "agents").glob("*.yaml")):
        said = _mapping(file).get("agent")
        return str(said["name"]) if isinstance(said, dict) and "name" in said else file.stem
    raise BadConfiguration(f"{folder / 'agents'} holds no agent file.")


def _mapping(file: Path) -> dict[str, Any]:
    content = YAML(typ="safe", pure=True).load(file.read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        raise BadConfiguration(f"{file} does not hold a mapping.")
    return content
