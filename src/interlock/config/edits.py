"""Change single settings of a deployment's files: `budgets.max_tool_calls=6`, `tools.pay.refund.tier=3`."""

import json
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any, Final

from interlock.config.agent_shape import AGENT_FILE, CAPS
from interlock.config.nodes import parse, plain
from interlock.config.overlay_file import ENTRY
from interlock.config.problems import echo, nearest
from interlock.domain.errors import BadInput

_DEPLOYMENT: Final = ("approvals", "environment", "pins", "sampling")
"""Settings of interlock.yaml that decide about calls."""
_AGENTS: Final = ("budgets", "fallback", "pii_redaction", "stage")
"""Settings of an agent's file, for every agent at once."""
_BY_NAME: Final = ("agents", "limits", "tools")
_WORDS: Final = (*_BY_NAME, *_AGENTS, *_DEPLOYMENT)
_FLAT: Final = tuple(each.name for each in CAPS)


def edited(entry: str, files: Mapping[str, bytes], edits: Sequence[tuple[str, str]]) -> dict[str, bytes]:
    """Return `files` with every edit, a pair of path and value, made in order; `entry` is interlock.yaml among them.

    Raises BadInput for a path that leads nowhere, with the nearest that does. Whether a value fits is for the loader to say.
    """
    sheet = _Sheet(entry, files)
    for path, value in edits:
        sheet.set(path, _value(value))
    return sheet.files()


def edit(text: str) -> tuple[str, str]:
    """Return the path and the value of `PATH=VALUE`. Raises BadInput."""
    path, sign, value = text.partition("=")
    if not sign or not path.strip() or not value.strip():
        raise BadInput(f"{echo(text)} changes nothing", do="Write PATH=VALUE, such as budgets.max_tool_calls=6")
    return path.strip(), value.strip()


class _Sheet:
    """The files as plain values; those that change are written as JSON, which is YAML."""

    def __init__(self, entry: str, files: Mapping[str, bytes]) -> None:
        self._raw = dict(files)
        self._entry = entry
        self._plain: dict[str, Any] = {}
        self._changed: set[str] = set()
        for name, body in files.items():
            if PurePosixPath(name).suffix in (".yaml", ".yml", ".json"):
                self._plain[name] = plain(parse(body.decode("utf-8-sig"), name))

    def files(self) -> dict[str, bytes]:
        """Return all files, changed or not."""
        return self._raw | {name: json.dumps(self._plain[name], indent=1).encode() for name in self._changed}

    def set(self, path: str, value: object) -> None:
        """Make one edit."""
        word, _, rest = path.partition(".")
        match word:
            case "agents":
                name, below = self._agent(path, rest)
                self._agent_setting(name, below, value, path)
            case "limits":
                self._limit(rest.removesuffix(".at_most"), value, path)
            case "tools":
                self._tool(rest, value, path)
            case _ if word in _AGENTS:
                for name in self._agents():
                    self._agent_setting(name, path, value, path)
            case _ if word in _DEPLOYMENT:
                self._put(self._entry, path.split("."), value, path)
            case _:
                raise _nowhere(path, path, [*_WORDS, *(f"budgets.{cap}" for cap in (*_FLAT, "max_cost"))])

    def _agents(self) -> dict[str, str]:
        """Return the files of agents, with the name that each gives its agent."""
        found = {}
        for name, tree in self._plain.items():
            if name == self._entry or not isinstance(tree, dict) or not _is_agent(tree):
                continue
            about = tree.get("agent")
            named = about.get("name") if isinstance(about, dict) else None
            found[name] = str(named or PurePosixPath(name).stem)
        return found

    def _agent(self, path: str, rest: str) -> tuple[str, str]:
        agents = self._agents()
        for file, agent in sorted(agents.items(), key=lambda pair: -len(pair[1])):
            if rest.startswith(f"{agent}."):
                return file, rest.removeprefix(f"{agent}.")
        raise _nowhere(path, rest.partition(".")[0], agents.values(), "agents.")

    def _agent_setting(self, file: str, below: str, value: object, path: str) -> None:
        steps = below.split(".")
        tree = self._plain[file]
        known = [each.name for each in AGENT_FILE.fields]
        if steps[0] not in known:
            raise _nowhere(path, steps[0], known)
        if steps[0] == "budgets":
            caps = (*_FLAT, "max_cost")
            if len(steps) != 2 or steps[1] not in caps:
                raise _nowhere(path, steps[-1], caps, "budgets.")
            if steps[1] in tree:
                steps = steps[1:]
        self._put(file, steps, value, path)

    def _limit(self, id: str, value: object, path: str) -> None:
        known: dict[str, tuple[str, Any]] = {}
        for name, tree in self._plain.items():
            for limit in (tree.get("limits") or ()) if isinstance(tree, dict) else ():
                known[_limit_id(limit)] = (name, limit)
        if id in _FLAT or id == "max_cost":
            self.set(f"budgets.{id}", value)
            return
        if id not in known:
            raise _nowhere(path, id, known, "limits.")
        name, limit = known[id]
        limit.setdefault("id", id)
        limit["at_most"] = value
        self._changed.add(name)

    def _tool(self, rest: str, value: object, path: str) -> None:
        tool, _, key = rest.rpartition(".")
        keys = [each.name for each in ENTRY.fields]
        if not tool or key not in keys:
            raise _nowhere(path, key, keys, f"tools.{tool or 'NAME'}.")
        for name, tree in self._plain.items():
            listed = tree.get("tools") if isinstance(tree, dict) else None
            for entry in listed if isinstance(listed, list) else ():
                if isinstance(entry, dict) and tool in (entry.get("name"), entry.get("as")):
                    entry[key] = value
                    self._changed.add(name)
                    return
        self._describe(tool, key, value)

    def _describe(self, tool: str, key: str, value: object) -> None:
        """Describe a tool that no contracts file names yet; that there is none of its name, the loader says."""
        own = str(PurePosixPath(self._entry).parent / "replay-contracts.yaml")
        tree = self._plain.setdefault(own, {"tools": []})
        tree["tools"].append({"name": tool, key: value})
        listed = self._plain[self._entry].setdefault("contracts", [])
        if "replay-contracts.yaml" not in listed:
            listed.append("replay-contracts.yaml")
        self._changed |= {own, self._entry}

    def _put(self, file: str, steps: Sequence[str], value: object, path: str) -> None:
        place = self._plain[file]
        for step in steps[:-1]:
            place = place.setdefault(step, {})
            if not isinstance(place, dict):
                raise BadInput(f"{echo(path)} leads into a value, not a mapping")
        place[steps[-1]] = value
        self._changed.add(file)


def _is_agent(tree: dict[str, Any]) -> bool:
    return "providers" not in tree and "tenant" not in tree and not isinstance(tree.get("tools"), list)


def _limit_id(limit: Mapping[str, Any]) -> str:
    parts = [limit.get(key) for key in ("of", "per", "every", "tool")]
    return str(limit.get("id") or ".".join(str(part) for part in parts if part))


def _value(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _nowhere(path: str, word: str, known: Any, before: str = "") -> BadInput:  # noqa: ANN401 - any words
    words = list(known)
    near = nearest(word, words)
    listed = ", ".join(sorted(str(one) for one in words)[:12]) or "none"
    return BadInput(
        f"--set {echo(path)}: there is no such setting",
        why=f"known are {before and f'under {before} '}{listed}",
        do=f"Did you mean {before}{near}?" if near else "Name one of them",
    )
