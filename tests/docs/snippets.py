r"""Read the runnable snippets of a Markdown page, and turn a page into one shell script that proves them.

What counts as runnable, in fenced blocks that no `<!-- no-run: why -->` line stands above:

- ```` ```console ````: each line that begins with `$ ` is a command (`\` at its end continues it); the lines after it are
  what it prints, for the reader. It must exit with 0, or with N where a line `[exit N]` follows it.
- ```` ```python ````: a program that must exit with 0.
- ```` ```yaml title="interlock.yaml" ````, in any language: a file of that name, for the snippets below it.

The snippets of one page share a folder and run from top to bottom, as a reader would run them.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FENCE = re.compile(r"^(?P<indent> *)(?P<ticks>```+)(?P<language>[\w-]*)[^\S\n]*(?P<rest>[^\n]*)$")
TITLE = re.compile(r'title="(?P<name>[^"]+)"')
EXIT = re.compile(r"^\[exit (?P<code>\d+)\]$")
NO_RUN = re.compile(r"<!-- no-run: .+ -->")


@dataclass(frozen=True, slots=True)
class Snippet:
    """One fenced block."""

    line: int
    language: str
    title: str
    body: tuple[str, ...]
    runs: bool


@dataclass(frozen=True, slots=True)
class Command:
    """One command of a console block, and the exit code that the page promises."""

    line: int
    text: str
    code: int


def snippets(text: str) -> Iterator[Snippet]:
    """Yield the fenced blocks of a page; raise ValueError for one that is not closed."""
    lines = text.splitlines()
    position, above = 0, ""
    while position < len(lines):
        opening = FENCE.match(lines[position])
        if opening is None:
            above = lines[position] if lines[position].strip() else above
            position += 1
            continue
        start, indent = position, len(opening["indent"])
        closing = opening["indent"] + opening["ticks"]
        body: list[str] = []
        position += 1
        while position < len(lines) and lines[position].rstrip() != closing:
            body.append(lines[position][indent:])
            position += 1
        if position == len(lines):
            raise ValueError(f"line {start + 1}: the block is not closed")
        title = TITLE.search(opening["rest"])
        yield Snippet(
            line=start + 1,
            language=opening["language"],
            title=title["name"] if title else "",
            body=tuple(body),
            runs=not NO_RUN.search(above),
        )
        position, above = position + 1, ""


def commands(snippet: Snippet) -> Iterator[Command]:
    """Yield the commands of a console block in order."""
    position = 0
    while position < len(snippet.body):
        line = snippet.line + 1 + position
        if not snippet.body[position].startswith("$ "):
            position += 1
            continue
        text = snippet.body[position][2:]
        while text.endswith("\\") and position + 1 < len(snippet.body):
            position += 1
            text += "\n" + snippet.body[position].removeprefix("> ")
        position += 1
        code = 0
        while position < len(snippet.body) and not snippet.body[position].startswith("$ "):
            promised = EXIT.match(snippet.body[position].strip())
            code = int(promised["code"]) if promised else code
            position += 1
        yield Command(line, text, code)


def script(text: str) -> str:
    """Return the shell script that runs a page; it is empty where the page has nothing to run."""
    steps = [step for snippet in snippets(text) if snippet.runs for step in _steps(snippet)]
    return "\n".join(steps)


def _steps(snippet: Snippet) -> Iterator[str]:
    body = "\n".join(snippet.body) + "\n"
    if snippet.title:
        folder = Path(snippet.title).parent
        yield f"mkdir -p {shlex.quote(str(folder))} && printf %s {shlex.quote(body)} > {shlex.quote(snippet.title)}"
    elif snippet.language == "python":
        yield _step(snippet.line, f"python -c {shlex.quote(body)}", 0)
    elif snippet.language == "console":
        for command in commands(snippet):
            yield _step(command.line, command.text, command.code)


def _step(line: int, text: str, code: int) -> str:
    complaint = shlex.quote(f"line {line} promises exit code {code}, and got")
    return f"{text}\ncode=$?; [ $code -eq {code} ] || {{ echo {complaint} $code >&2; exit 1; }}"
