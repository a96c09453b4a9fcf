"""Read a deployment, or one file of it, and report everything that is wrong at once."""

from collections.abc import Collection
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import jsonschema_rs

from interlock.config import agent_file, overlay_file, router_file
from interlock.config.agent_shape import AGENT_FILE
from interlock.config.connections import connections
from interlock.config.deployment import ApprovalClock, Deployment, Pins, Server, ToolMention
from interlock.config.deployment_shape import DEFAULT_CLOCK, DEFAULT_SAMPLING, DEPLOYMENT_FILE
from interlock.config.keeping_shape import keeping
from interlock.config.limits import limits
from interlock.config.nodes import MAX_CHARACTERS, Node, Series, Table, parse, plain
from interlock.config.problems import Findings, echo, refusal
from interlock.config.records import Record, Section
from interlock.config.router_shape import ROUTER_FILE
from interlock.config.router_values import RouterFile
from interlock.config.secret_refs import refuse_literals
from interlock.config.shapes import REFUSED, spot_of
from interlock.domain.agents import AgentPolicy
from interlock.domain.canonical import MAX_BYTES, Json, JsonObject, digest, parse_json
from interlock.domain.contracts import Environment, Tier
from interlock.domain.errors import ConfigurationError, InterlockError
from interlock.domain.ids import AgentId, TenantId
from interlock.domain.overlays import Overlay
from interlock.domain.problems import Problem, Spot

FILE_NAME = "interlock.yaml"
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


class FileKind(Enum):
    """What a file is about, by its keys."""

    DEPLOYMENT = "deployment"
    AGENT = "agent"
    CONTRACTS = "contracts"
    ROUTER = "router"


@dataclass(frozen=True, slots=True)
class AgentFile:
    """An agent's file, read alone."""

    policy: AgentPolicy
    mentions: tuple[ToolMention, ...]
    """The tools that it names; without a catalogue nobody knows whether they exist."""


def recognise(path: Path) -> FileKind:
    """Return what the file or folder at `path` is about. Raises ConfigurationError for a file that cannot be read."""
    if path.is_dir() or path.name == FILE_NAME:
        return FileKind.DEPLOYMENT
    found = Findings()
    tree = _tree(path, found)
    found.raise_any()
    keys = {key.text: value for key, value in tree.entries} if isinstance(tree, Table) else {}
    if "tenant" in keys or "agents" in keys:
        return FileKind.DEPLOYMENT
    if "providers" in keys:
        return FileKind.ROUTER
    return FileKind.CONTRACTS if isinstance(keys.get("tools"), Series) else FileKind.AGENT


def load_deployment(path: Path, *, whole: bool = True) -> Deployment:
    """Return the deployment that `path` (interlock.yaml, or its folder) declares, with all files that it names.

    Raises ConfigurationError with everything that is wrong in any of them. Without `whole` no other file is read, so that
    a mistake in an agent's file does not keep anybody from the brake.
    """
    file = path / FILE_NAME if path.is_dir() else path
    found = Findings()
    section, _ = _read(file, DEPLOYMENT_FILE, found)
    if section is None:
        raise refusal(found.problems)
    made = _Loader(file.parent, section, found, whole=whole).load(file)
    found.raise_any()
    return made


def read_agent(path: Path) -> AgentFile:
    """Return the agent that the file at `path` declares, and the tools that it names. Raises ConfigurationError."""
    found = Findings()
    policy = _agent(path, found)
    found.raise_any()
    if policy is None:
        raise refusal([Problem(Spot(str(path)), "The file cannot be read")])
    return AgentFile(policy, tuple(ToolMention(name, spot) for name, spot in found.mentions))


def load_agent(path: Path) -> AgentPolicy:
    """Return the agent that the file at `path` declares. Raises ConfigurationError."""
    return read_agent(path).policy


def load_overlays(path: Path) -> tuple[Overlay, ...]:
    """Return what the contracts file at `path` says of tools. Raises ConfigurationError."""
    found = Findings()
    overlays = _overlays(path, found)
    found.raise_any()
    return overlays


def load_router(path: Path) -> RouterFile:
    """Return what the router file at `path` declares; which agents there are nobody knows. Raises ConfigurationError."""
    found = Findings()
    router = _router(path, None, found)
    found.raise_any()
    if router is None:
        raise refusal([Problem(Spot(str(path)), "The file cannot be read")])
    return router


class _Loader:
    """Builds the parts of one deployment from its section."""

    def __init__(self, folder: Path, section: Section, found: Findings, *, whole: bool) -> None:
        self.folder = folder
        self.whole = whole
        self.section = section
        self.found = found
        self.files: list[Path] = []

    def load(self, file: Path) -> Deployment:
        said = self.section
        agents = self.agents()
        overlays = tuple(one for path in self.paths(said, "contracts") for one in _overlays(path, self.found))
        router = self.router(agents)
        policies = said.get("policies") or Section(said.spot, {}, {})
        return Deployment(
            folder=self.folder,
            tenant=TenantId(said.get("tenant")),
            store=said.get("store", "sqlite:///interlock.db"),
            server=self.server(),
            environment=said.get("environment", Environment.PRODUCTION),
            pins=said.get("pins", Pins.FIRST_USE),
            agents=agents,
            connections=connections(said.get("tools", ()), said.get("allow_stdio", ()), self.folder, self.found),
            overlays=self.distinct(overlays),
            limits=limits(said.get("limits", ()), self.found),
            approvals=self.clocks(),
            sampling=self.sampling(),
            cedar=self.paths(policies, "cedar"),
            rego=self.paths(policies, "rego"),
            mentions=tuple(ToolMention(name, spot) for name, spot in self.found.mentions),
            files=(file, *self.files, *self.found.files),
            router=router,
            keeping=keeping(said, self.found),
        )

    def agents(self) -> dict[AgentId, AgentPolicy]:
        made: dict[AgentId, AgentPolicy] = {}
        for path in self.paths(self.section, "agents"):
            policy = _agent(path, self.found)
            if policy is None:
                continue
            if policy.id in made:
                self.found.add(
                    Spot(str(path)), f"There is another agent '{policy.id}'", "a name of its own for each agent"
                )
            made[policy.id] = policy
        return made

    def router(self, agents: dict[AgentId, AgentPolicy]) -> RouterFile | None:
        if "router" not in self.section or not self.whole:
            return None
        path = self.folder / self.section.get("router")
        if not path.is_file():
            self.found.add(
                self.section.at("router"), "There is no such file", "a path from the folder of interlock.yaml"
            )
            return None
        made = _router(path, agents, self.found)
        self.files.extend(made.files if made else (path,))
        self.tiers(made)
        return made

    def tiers(self, router: RouterFile | None) -> None:
        """Note every tier of an agent's file that the router file does not declare."""
        known = (*router.routes.tiers, *router.routes.models) if router else ()
        for name, spot in self.found.tiers if router else ():
            if name not in known:
                near = self.found.near(name, known)
                self.found.add(spot, f"The router file has no tier {echo(name)}", "a tier or model of that file", near)

    def paths(self, section: Section, key: str) -> tuple[Path, ...]:
        """Return the files that the patterns under `key` name, each once, in order of name."""
        made: dict[Path, None] = {}
        for pattern in section.get(key, ()) if self.whole else ():
            try:
                matches = sorted(self.folder.glob(pattern)) if not Path(pattern).is_absolute() else []
            except (ValueError, NotImplementedError, OSError, IndexError):
                matches = []
            if not matches:
                self.found.add(
                    section.at(key), f"No file matches '{pattern[:100]}'", "a path from the folder of interlock.yaml"
                )
            made.update(dict.fromkeys(matches))
        self.files.extend(made)
        return tuple(made)

    def distinct(self, overlays: tuple[Overlay, ...]) -> tuple[Overlay, ...]:
        first: dict[str, Overlay] = {}
        for overlay in overlays:
            earlier = first.setdefault(overlay.tool, overlay)
            if earlier is not overlay:
                file, _, line = overlay.source.rpartition(":")
                self.found.add(
                    Spot(file, int(line), 1, "tools"),
                    f"The tool '{overlay.tool}' is also described at {earlier.source}",
                )
        return overlays

    def server(self) -> Server:
        said: Section | None = self.section.get("server")
        if said is None:
            return Server()
        host = said.get("host", "127.0.0.1")
        public = said.get("public_url", "")
        if host not in _LOOPBACK and not {"allowed_hosts", "public_url"} & set(said.spots):
            self.found.add(
                said.at("host"), "A server that others can reach must know its names", "'allowed_hosts' or 'public_url'"
            )
        hosts = said.get("allowed_hosts") or (*Server().allowed_hosts, *([_host(public)] if public else []))
        return Server(host, said.get("port", 8420), hosts, said.get("allowed_origins", ()), public)

    def clocks(self) -> dict[Tier, ApprovalClock]:
        said: Section = self.section.get("approvals") or Section(self.section.spot, {}, {})
        tiers = {entry.key: entry.value for entry in said.get("tiers", ())}
        return {tier: self.clock(tiers.get(tier), said) for tier in Tier}

    def clock(self, own: Section | None, shared: Section) -> ApprovalClock:
        said = own or shared
        sla = said.get("sla", shared.get("sla"))
        expires = said.get("expires", shared.get("expires"))
        expires = max(DEFAULT_CLOCK[1], sla or 0) if expires is None else expires
        sla = min(DEFAULT_CLOCK[0], expires) if sla is None else sla
        if sla > expires:
            self.found.add(
                said.at("sla"), "The question would expire before it escalates", "'sla' not longer than 'expires'"
            )
        return ApprovalClock(sla, expires, said.get("escalate_to", shared.get("escalate_to", "")))

    def sampling(self) -> dict[Tier, int]:
        said: Section = self.section.get("sampling") or Section(self.section.spot, {}, {})
        return {**DEFAULT_SAMPLING, **({Tier.REVERSIBLE: said.get("tier_2")} if "tier_2" in said else {})}


def _router(path: Path, agents: Collection[str] | None, found: Findings) -> RouterFile | None:
    section, declared = _read(path, ROUTER_FILE, found)
    if section is None:
        return None

    def plain_of(file: Path) -> Json:
        tree = _tree(file, found)
        return None if tree is None else plain(tree)

    return router_file.build(section, declared, path, agents, plain_of, found)


def _agent(path: Path, found: Findings) -> AgentPolicy | None:
    section, declared = _read(path, AGENT_FILE, found)
    if section is None:
        return None
    proposals = _proposals(path, section, found)
    version = digest({"file": declared, "name": path.stem, "proposals": proposals})
    return agent_file.build(section, path.stem, version, proposals, found)


def _proposals(path: Path, section: Section, found: Findings) -> JsonObject | None:
    if "proposal_schema" not in section:
        return None
    spot = section.at("proposal_schema")
    try:
        file = path.parent / section.get("proposal_schema")
        with file.open("rb") as opened:
            schema = parse_json(opened.read(MAX_BYTES + 1))
        found.files.append(file)
        jsonschema_rs.Draft202012Validator(schema)
    except InterlockError as error:
        found.add(spot, f"The schema cannot be used: {error.what}", "a JSON Schema")
    except (OSError, ValueError):
        found.add(
            spot,
            "There is no such file, or it holds no valid JSON Schema",
            "a JSON Schema file, from this file's folder",
        )
    else:
        if isinstance(schema, dict):
            return schema
        found.add(spot, "The schema is not an object", "a JSON Schema of `{tool, args}`")
    return None


def _overlays(path: Path, found: Findings) -> tuple[Overlay, ...]:
    section, _ = _read(path, overlay_file.OVERLAY_FILE, found)
    return () if section is None else overlay_file.build(section, found)


def _read(path: Path, shape: Record, found: Findings) -> tuple[Section | None, JsonObject]:
    """Return the section that the file holds and its plain values; None when there is nothing to build from."""
    tree = _tree(path, found)
    if tree is None:
        return None, {}
    name = str(path)
    refuse_literals(tree, name, found)
    section = shape.read(tree, spot_of(tree, name, ""), found)
    return (None, {}) if section is REFUSED else (section, plain(tree))


def _tree(path: Path, found: Findings) -> Node | None:
    name = str(path)
    try:
        with path.open("rb") as opened:
            data = opened.read(4 * MAX_CHARACTERS + 1)
        return parse(data.decode("utf-8-sig"), name)
    except ConfigurationError as error:
        found.problems.extend(error.problems)
    except UnicodeDecodeError:
        found.add(Spot(name), "The file is not UTF-8 text")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "the path cannot be used"
        found.add(Spot(name), f"The file cannot be read: {reason}")
    return None


def _host(url: str) -> str:
    authority = url.split("//", 1)[1].split("/", 1)[0]
    return authority if authority.endswith("]") else authority.rsplit(":", 1)[0]
