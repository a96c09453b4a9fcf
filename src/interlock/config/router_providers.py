"""From the providers in router.yaml to values: each kind needs certain keys and takes certain others."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from interlock.config.problems import Findings, echo
from interlock.config.records import Entry, Section
from interlock.config.router_values import ProviderFile, ProviderKind
from interlock.domain.canonical import Json
from interlock.domain.models import Dialect

ReadPlain = Callable[[Path], Json]
"""Reads a YAML or JSON file; notes what is wrong with it and returns None."""
_REPLIES = frozenset(Dialect) - {Dialect.OPENAI_EMBEDDINGS}
_KEYS = frozenset({"credential", "base_url", "ca_file"})
_AWS = ("access_key", "secret_key")


@dataclass(frozen=True, slots=True)
class _Kind:
    dialects: frozenset[Dialect]
    prices: str = ""
    """Empty means the provider's own name."""
    outside: bool = True
    needs: tuple[str, ...] = ()
    takes: frozenset[str] = _KEYS


_KINDS = {
    ProviderKind.OPENAI: _Kind(
        frozenset({Dialect.OPENAI_CHAT, Dialect.OPENAI_RESPONSES, Dialect.OPENAI_EMBEDDINGS}),
        "openai",
        needs=("credential",),
    ),
    ProviderKind.ANTHROPIC: _Kind(frozenset({Dialect.ANTHROPIC}), "anthropic"),
    ProviderKind.GEMINI: _Kind(frozenset({Dialect.GEMINI}), "google"),
    ProviderKind.BEDROCK: _Kind(
        frozenset({Dialect.BEDROCK}), "aws", needs=("region",), takes=_KEYS | {*_AWS, "session_token"}
    ),
    ProviderKind.OPENAI_COMPATIBLE: _Kind(
        frozenset({Dialect.OPENAI_CHAT, Dialect.OPENAI_EMBEDDINGS}), needs=("base_url",), takes=_KEYS | {"dialects"}
    ),
    ProviderKind.SCRIPTED: _Kind(frozenset(Dialect), outside=False, needs=("script",), takes=frozenset()),
    ProviderKind.RECORDED: _Kind(_REPLIES, outside=False, needs=("recordings",), takes=frozenset()),
    ProviderKind.LOCAL_EMBEDDINGS: _Kind(frozenset({Dialect.OPENAI_EMBEDDINGS}), outside=False, takes=frozenset()),
}
_ANYWHERE = frozenset({"type", "outside", "prices"})
_COMPATIBLE = frozenset({Dialect.OPENAI_CHAT, Dialect.OPENAI_RESPONSES, Dialect.OPENAI_EMBEDDINGS})
_KEYED = frozenset({ProviderKind.ANTHROPIC, ProviderKind.GEMINI})


def providers(
    entries: tuple[Entry, ...], folder: Path, read: ReadPlain, found: Findings
) -> Iterator[tuple[ProviderFile, tuple[Path, ...]]]:
    """Yield each provider that `entries` declare, and the files of it that were read."""
    for entry in entries:
        said: Section = entry.value
        kind: ProviderKind = said.get("type")
        rules = _KINDS[kind]
        _check_keys(said, kind, rules, found)
        _check_credentials(said, kind, found)
        script = _path(said, "script", folder, found)
        dialects = _dialects(said, rules, found)
        made = ProviderFile(
            name=entry.key,
            kind=kind,
            dialects=dialects,
            prices=said.get("prices", rules.prices or entry.key),
            outside=said.get("outside", rules.outside),
            base_url=said.get("base_url", "").rstrip("/"),
            credential=said.get("credential"),
            access_key=said.get("access_key"),
            secret_key=said.get("secret_key"),
            session_token=said.get("session_token"),
            region=said.get("region", ""),
            script=None if script is None else read(script),
            script_path=script,
            recordings=_recordings(said, folder, found),
            ca_file=_path(said, "ca_file", folder, found),
            source=entry.spot.source,
        )
        yield made, () if script is None else (script,)


def _check_keys(said: Section, kind: ProviderKind, rules: _Kind, found: Findings) -> None:
    for key in rules.needs:
        if key not in said.spots:
            found.add(said.spot, f"A provider of type {kind} needs '{key}'")
    allowed = _ANYWHERE | rules.takes | {*rules.needs}
    for key, spot in said.spots.items():
        if key not in allowed:
            found.add(spot, f"A provider of type {kind} has no '{key}'", f"one of {', '.join(sorted(allowed))}")


def _check_credentials(said: Section, kind: ProviderKind, found: Findings) -> None:
    if kind in _KEYED and not {"credential", "base_url"} & set(said.spots):
        found.add(said.spot, f"A provider of type {kind} needs 'credential'", "a reference such as env:NAME")
    if kind is not ProviderKind.BEDROCK:
        return
    pair = [key for key in _AWS if key in said.spots]
    if ("credential" in said.spots) == bool(pair) or len(pair) == 1:
        found.add(
            said.spot,
            "Bedrock is called with one kind of credential",
            "either 'credential' (an API key), or 'access_key' and 'secret_key'",
        )
    if "session_token" in said.spots and not pair:
        found.add(said.at("session_token"), "A session token belongs to an access key", "'access_key' and 'secret_key'")


def _dialects(said: Section, rules: _Kind, found: Findings) -> frozenset[Dialect]:
    named = frozenset[Dialect](said.get("dialects", rules.dialects))
    if "dialects" in said and named - _COMPATIBLE:
        words = ", ".join(sorted(_COMPATIBLE))
        found.add(said.at("dialects"), "A server that is compatible with OpenAI speaks only its formats", words)
    return named


def _path(said: Section, key: str, folder: Path, found: Findings) -> Path | None:
    if key not in said:
        return None
    path: Path = folder / said.get(key)
    if path.is_file():
        return path
    found.add(said.at(key), "There is no such file", "a path from the folder of the router file")
    return None


def _recordings(said: Section, folder: Path, found: Findings) -> tuple[Path, ...]:
    made: dict[Path, None] = {}
    for pattern in said.get("recordings", ()):
        matches = _matches(folder, pattern)
        if not matches:
            found.add(said.at("recordings"), f"No file matches {echo(pattern)}", "a path from the router file's folder")
        made.update(dict.fromkeys(matches))
    return tuple(made)


def _matches(folder: Path, pattern: str) -> list[Path]:
    path = Path(pattern)
    try:
        if path.is_absolute():
            return sorted(Path(path.anchor).glob(str(path.relative_to(path.anchor))))
        return sorted(folder.glob(pattern))
    except (ValueError, NotImplementedError, OSError, IndexError):
        return []
