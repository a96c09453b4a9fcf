"""Write the generated pages of docs/reference from the code: error codes, commands and spans.

    python scripts/reference.py          write the pages anew (`make format` does)
    python scripts/reference.py --check  exit with 1 where a page is not what the code says

A page is made of the sentences that the code carries, so `undocumented` finds what carries none.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import typer

from interlock.domain.errors import InterlockError
from interlock.gateway.own_spans import MEANINGS

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "docs" / "reference"
SPANS = """\
A run is a trace, and whatever Interlock does in it is a span in the [GenAI
conventions](https://github.com/open-telemetry/semantic-conventions-genai) of OpenTelemetry. These spans follow from the
records: they are made whenever somebody looks (`interlock traces show`, `GET /api/v1/traces/{trace}`) or a receiver is
[sent](../how-to/send-traces.md) them, and are stored nowhere. No attribute holds words of a message, arguments, results, or
who the user is; what callers may name as they like passes through redaction on its way out.

| Span | Kind | From and to | Below |
|---|---|---|---|
| `invoke_agent AGENT` | INTERNAL | the run, from its opening to its end | the opener's span |
| `chat MODEL`, `embeddings MODEL` | CLIENT | a model call | the caller's span, else the run |
| `attempt PROVIDER` | CLIENT | one provider that was asked | its model call |
| `execute_tool TOOL` | INTERNAL | a tool call, from the first proposal until it was settled | the caller's span, else the run |
| `decide TOOL` | INTERNAL | the decision, at the instant of its commit | its tool call |
| `approve TOOL` | INTERNAL | a question to people, until they answered | its tool call |
| `attempt TOOL` | CLIENT | one attempt at the tool | its tool call |
| `evaluate TOOL` | INTERNAL | the check of what the tool answered; carries `gen_ai.evaluation.result` | its tool call |

A call that was decided anew, as after people had answered, has a span for each decision. A tool call links to the model call
that proposed it, where it names its proposal. The run's span carries `gen_ai.evaluation.result` once somebody has said what
came of it, and every version that it was decided under. A run that nobody closes has no end, and is not sent to receivers.

**Trace.** A caller that sends the headers `traceparent` and `tracestate` of [W3C Trace
Context](https://www.w3.org/TR/trace-context-2/) has its calls in its own trace, below its own span: to the models' endpoints,
`/v1/tool-calls`, `/mcp` and `POST /api/v1/runs`; over MCP, `traceparent` in `_meta` goes before the header; in Python, the
argument `traceparent`. A header that is not valid is left out, and the call goes on. Without one, a run is a trace whose id
is made of the run's, and a model call outside any run is a trace of its own. A call that waited for people stays where it
was first proposed. The calls that Interlock makes for another one, to classify it or to look for a similar question, are
below that one.

**Ids.** The id of a model call's span is the last 16 digits of the call's id, so that `x-interlock-call` finds it. Every
other id is a hash of the record's key: the same record has the same spans, whoever asks.

**What tools get.** `traceparent` with the attempt's span as parent, so that the tool's own spans join: as a header over HTTP,
in `_meta` over MCP (and as a header too, where MCP goes over HTTP). Its flags are the caller's; without one they say that
the trace is kept. `tracestate` does not go on.

**What providers get.** When the caller sent `traceparent`, so does Interlock, with the call's span as parent. `tracestate`
goes on only to providers within the house (`outside: false`).

**Adding up.** Only the span of a model call carries `gen_ai.usage.*`: what adds up tokens by these names counts none twice.
Those of an attempt are under `interlock.attempt.*`.

## Where this differs from the conventions

- `gen_ai.request.model` is what the caller named, which may be a tier; the conventions have the exact name of the model.
  `gen_ai.response.model` and `interlock.attempt.model` hold that.
- `gen_ai.response.model` is the name under which the provider was asked, not the dated name that its reply may state.
- `gen_ai.usage.*` add up all attempts, failed ones included, because all of them are paid for. `interlock.attempt.usage_source`
  says whether the provider counted them or Interlock did.
- A request that Interlock refused, and a reply from its own cache, are spans as well, with `interlock` as
  `gen_ai.provider.name`; they carry no usage.
- A tool call that was refused is an `execute_tool` span of status error, although nothing was executed: `error.type` and the
  decision below it say why.
- Decisions and approvals have names of our own, `interlock.decision.*` and `interlock.approval.*`. The conventions have none
  that were merged: proposals for guardrails (`gen_ai.guardrail.*`), for gates before actions and for approvals are open, differ
  from one another, and change. Once one is merged, its names will be added beside ours.
- Receivers that sort by OpenInference's kinds are told `openinference.span.kind`; the API does not show it.
- Parameters of the request (temperature, `max_tokens`, seed, ...), `gen_ai.response.id`, `gen_ai.tool.type`, `server.address`,
  `gen_ai.output.type` and every attribute that holds content are left out: they are not kept.
- The status of a span has no description: the words of an error may repeat what was asked."""
NOTE = "<!-- Generated by `make format` from the code; edit the sentences there. -->"


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that a reader can look up: an error code, a command, a parameter of one, a setting."""

    name: str
    sentence: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """A generated page, and what is on it."""

    path: Path
    text: str
    entries: tuple[Entry, ...]


def family(error: type[InterlockError]) -> Iterator[type[InterlockError]]:
    """Yield `error` and everything below it, parents first."""
    yield error
    for child in sorted(error.__subclasses__(), key=lambda kind: kind.code):
        yield from family(child)


def errors_page(errors: Iterable[type[InterlockError]]) -> Page:
    """Return the page of all error codes."""
    kinds = sorted(errors, key=lambda kind: kind.code)
    entries = tuple(Entry(kind.code, _first(kind.__doc__ or ""), str(kind.status)) for kind in kinds)
    rows = [f"| `{entry.name}` | {entry.detail} | {entry.sentence} |" for entry in entries]
    intro = (
        "Every answer that is not a success carries one of these codes: as `code` in `application/problem+json` over HTTP, "
        "in the structured content of an MCP result, and as the `code` of the exception in Python. "
        "A code never changes its meaning."
    )
    text = _text("Error codes", intro, ["| Code | HTTP | Meaning |", "|---|---|---|", *rows])
    return Page(FOLDER / "errors.md", text, entries)


def spans_page(meanings: Mapping[str, str]) -> Page:
    """Return the page of all attributes of spans."""
    entries = tuple(Entry(name, sentence) for name, sentence in meanings.items())
    rows = [f"| `{entry.name}` | {entry.sentence} |" for entry in entries]
    text = _text("Spans", SPANS, ["## Attributes", "", "| Attribute | Meaning |", "|---|---|", *rows])
    return Page(FOLDER / "spans.md", text, entries)


def commands_page(app: typer.Typer) -> Page:
    """Return the page of all commands with their parameters."""
    lines: list[str] = []
    entries: list[Entry] = []
    for path, command in _walk("interlock", typer.main.get_command(app)):
        sentence = _first(command.help or "")
        entries.append(Entry(path, sentence))
        lines += [f"## `{path}`", "", sentence, ""]
        for parameter in (each for each in command.params if not getattr(each, "hidden", False)):
            entry = Entry(_spelling(parameter), _first(getattr(parameter, "help", None) or ""), path)
            entries.append(entry)
            lines.append(f"- `{entry.name}`: {entry.sentence}")
        lines += [""] if command.params else []
    intro = (
        "Exit codes: 0 fine, 1 a gate or check failed, 2 wrong usage or configuration, 3 the environment failed, "
        "4 inconclusive, 130 interrupted. `interlock audit verify` has more: 10 tampered, 11 truncated, 12 rolled back, "
        "13 unreadable ([what to do](../explanation/audit-log.md)). `--json` prints data for programs."
    )
    return Page(FOLDER / "commands.md", _text("Commands", intro, lines), tuple(entries))


def _walk(path: str, command: object) -> Iterator[tuple[str, Any]]:
    children: Mapping[str, Any] = getattr(command, "commands", {})
    if not children:
        yield path, command
    for name in sorted(children):
        if not children[name].hidden:
            yield from _walk(f"{path} {name}", children[name])


def _spelling(parameter: typer.core.TyperArgument | typer.core.TyperOption) -> str:
    if parameter.param_type_name == "argument":
        return str(parameter.metavar or parameter.name.upper())
    return " / ".join([*parameter.opts, *parameter.secondary_opts])


def settings(node: Mapping[str, Any], schema: Mapping[str, Any], prefix: str = "", depth: int = 0) -> Iterator[Entry]:
    """Yield the keys below `node` of a JSON Schema, with `[]` for items and `<name>` for free names."""
    if depth > 12:
        return
    node = _resolved(node, schema)
    for key, value in node.get("properties", {}).items():
        name, target = (f"{prefix}.{key}" if prefix else key), _resolved(value, schema)
        yield Entry(name, _first(value.get("description") or target.get("description", "")), _type(target))
        yield from settings(target, schema, name, depth + 1)
    for branch in (*node.get("anyOf", ()), *node.get("oneOf", ()), *node.get("allOf", ())):
        yield from settings(branch, schema, prefix, depth + 1)
    if isinstance(node.get("items"), Mapping):
        yield from settings(node["items"], schema, f"{prefix}[]", depth + 1)
    if isinstance(node.get("additionalProperties"), Mapping):
        yield from settings(node["additionalProperties"], schema, f"{prefix}.<name>", depth + 1)


def _resolved(node: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    while "$ref" in node:
        target: Any = schema
        for part in node["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        node = target
    return node


def _type(node: Mapping[str, Any]) -> str:
    if "enum" in node:
        return ", ".join(f"`{value}`" for value in node["enum"])
    kind = node.get("type", "")
    return str(kind) if isinstance(kind, str) else " or ".join(kind)


def _first(text: str) -> str:
    """Return the first paragraph of a docstring, on one line."""
    return " ".join(inspect.cleandoc(text).split("\n\n")[0].split())


def _text(title: str, intro: str, lines: Iterable[str]) -> str:
    return "\n".join([f"# {title}", "", NOTE, "", intro, "", *lines]).rstrip() + "\n"


def pages() -> tuple[Page, ...]:
    """Return every generated page, as the code says it now."""
    for module in ("interlock.wiring", "interlock.server.app", "interlock.server.api.pages", "interlock.cli.app"):
        if importlib.util.find_spec(module):
            importlib.import_module(module)
    found = [errors_page(family(InterlockError))]
    if "interlock.server.api.pages" in sys.modules:
        found += http_pages(sys.modules["interlock.server.api.pages"])
    found.append(spans_page(MEANINGS))
    if "interlock.cli.app" in sys.modules:
        found.append(commands_page(sys.modules["interlock.cli.app"].app))
    return tuple(found)


def http_pages(written: ModuleType) -> tuple[Page, ...]:
    """Return the page of all HTTP routes and the OpenAPI document."""
    entries = tuple(Entry(f"{one.method} {one.path}", one.sentence) for one in written.descriptions())
    page = Page(FOLDER / "http-api.md", written.page(NOTE), entries)
    return page, Page(FOLDER / "openapi.json", written.document(), ())


def undocumented(page: Page) -> tuple[str, ...]:
    """Return the names on `page` that the code says nothing about."""
    return tuple(
        f"{entry.name} ({entry.detail})" if entry.detail else entry.name for entry in page.entries if not entry.sentence
    )


def main(arguments: list[str]) -> int:
    """Write the pages, or with --check say which are out of date."""
    stale = [page for page in pages() if not page.path.exists() or page.path.read_text() != page.text]
    if arguments == ["--check"]:
        for page in stale:
            print(f"{page.path.relative_to(ROOT)} is not what the code says: make format", file=sys.stderr)
        return 1 if stale else 0
    for page in stale:
        page.path.write_text(page.text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
