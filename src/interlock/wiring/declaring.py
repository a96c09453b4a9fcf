"""From a deployment as declared to what the gate publishes: values, languages, policies, and the files themselves."""

import importlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from interlock.config import Deployment, OpenApi, resolve
from interlock.domain.agents import Engine
from interlock.domain.contracts import Tier, ToolContract
from interlock.domain.errors import ConfigurationError
from interlock.domain.ids import ToolName
from interlock.gateway.archive import Declared
from interlock.gateway.publisher import Declaration
from interlock.gateway.release import ApprovalTerms
from interlock.policy.ports import ConditionEngine, PolicyEngine
from interlock.tools.pins import PinPolicy
from interlock.tools.proposals import ProposalSchema


def declaration_of(deployment: Deployment) -> Declaration:
    """Return what the files of `deployment` declare, with the files themselves. Raises ConfigurationError."""
    agents = tuple(deployment.agents.values())
    return Declaration(
        tenant=deployment.tenant,
        agents=agents,
        overlays=deployment.overlays,
        limits=deployment.limits,
        terms={
            tier: ApprovalTerms(clock.sla_ms, clock.expires_ms, clock.escalate_to)
            for tier, clock in deployment.approvals.items()
        },
        proposals={agent.id: ProposalSchema(agent.proposals, str(agent.id)) for agent in agents if agent.proposals},
        pins=PinPolicy(deployment.pins.value),
        sampling=deployment.sampling[Tier.REVERSIBLE],
        unresolved=lambda tools, categories: resolve(deployment, tools, categories),
        files=files_of(deployment),
    )


def languages_of(deployment: Deployment) -> Mapping[Engine, ConditionEngine]:
    """Return the condition languages that the agents use; one that is not installed is refused by name."""
    used = {rule.engine for agent in deployment.agents.values() for rule in agent.rules}
    languages: dict[Engine, ConditionEngine] = {}
    if Engine.CEL in used:
        # Its library weighs as much as all of ours; a deployment without conditions need not carry it.
        languages[Engine.CEL] = importlib.import_module("interlock.adapters.cel").CelConditions()
    if Engine.OPA in used:
        languages[Engine.OPA] = _extra("rego").RegoConditions()
    if Engine.CEDAR in used:
        languages[Engine.CEDAR] = _extra("cedar").CedarConditions()
    return languages


def engines_of(deployment: Deployment, contracts: Mapping[ToolName, ToolContract]) -> tuple[PolicyEngine, ...]:
    """Return the deployment's policy files, published against `contracts`."""
    engines: list[PolicyEngine] = []
    if deployment.cedar:
        engines.append(_extra("cedar").CedarPolicies(_texts(deployment.cedar, "*.cedar"), contracts))
    if deployment.rego:
        engines.append(_extra("rego").RegoPolicies(_texts(deployment.rego, "*.rego"), contracts=contracts))
    return tuple(engines)


def _texts(paths: tuple[Path, ...], pattern: str) -> dict[str, str]:
    files = [file for path in paths for file in (sorted(path.rglob(pattern)) if path.is_dir() else [path])]
    try:
        return {str(file): file.read_text("utf-8") for file in files}
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            "A policy file cannot be read", why=type(error).__name__, do="Check policies"
        ) from None


def _extra(name: str) -> Any:  # noqa: ANN401 - a module whose library is optional
    try:
        return importlib.import_module(f"interlock.adapters.{name}")
    except ImportError:
        raise ConfigurationError(
            f"The policies need the extra '{name}', which is not installed",
            do=f"pip install 'interlock[{name}]'; in a checkout: make setup EXTRAS=all",
        ) from None


def files_of(deployment: Deployment) -> Declared:
    """Return every file that `deployment` was read from, word for word. Raises ConfigurationError for one that is gone."""
    paths = sorted({file.resolve() for path in deployment.files for file in _within(path)})
    documents = [one.document.resolve() for one in deployment.connections if isinstance(one, OpenApi)]
    root = Path(os.path.commonpath([path.parent for path in (*paths, *documents)])) if paths else Path()
    try:
        files = {path.relative_to(root).as_posix(): path.read_bytes() for path in paths}
    except OSError as error:
        raise ConfigurationError(
            "A file of the configuration cannot be read", why=error.strerror or type(error).__name__, do="Try again"
        ) from None
    entry = deployment.files[0].resolve().relative_to(root).as_posix() if paths else ""
    return Declared(entry, files, tuple(sorted(path.relative_to(root).as_posix() for path in documents)))


def _within(path: Path) -> tuple[Path, ...]:
    # Only Rego policies are named by their folder.
    return tuple(sorted(path.rglob("*.rego"))) if path.is_dir() else (path,)
