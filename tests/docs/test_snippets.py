"""The pages run: README and documentation show commands and programs that do what they say."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from tests.docs.snippets import Command, commands, script, snippets

ROOT = Path(__file__).resolve().parent.parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
SECONDS = 300


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_snippets_of_a_page_do_what_the_page_says(page: Path, tmp_path: Path) -> None:
    if (ROOT / "examples").is_dir():
        shutil.copytree(ROOT / "examples", tmp_path / "examples")
    code, output = run(script(page.read_text()), tmp_path)

    assert code == 0, f"{page.relative_to(ROOT)}: {output}"


def test_a_page_that_lies_about_an_exit_code_is_found(tmp_path: Path) -> None:
    code, output = run(script("```console\n$ true\n$ false\n```\n"), tmp_path)

    assert code == 1
    assert "line 3 promises exit code 0, and got 1" in output


def test_a_page_may_promise_a_failure(tmp_path: Path) -> None:
    assert run(script("```console\n$ (exit 3)\nsays something\n[exit 3]\n```\n"), tmp_path)[0] == 0


def test_a_titled_block_is_a_file_for_the_snippets_below_it(tmp_path: Path) -> None:
    file = "```yaml title=\"a/it.yaml\"\nit: 'is'\n```\n"
    program = '```python\nassert open("a/it.yaml").read() == "it: \'is\'\\n"\n```\n'

    assert run(script(file + program), tmp_path) == (0, "")


def test_a_command_may_run_over_lines() -> None:
    (snippet,) = snippets("```console\n$ echo a \\\n    b\na b\n```\n")

    assert list(commands(snippet)) == [Command(2, "echo a \\\n    b", 0)]


def test_a_marked_block_does_not_run() -> None:
    assert script("<!-- no-run: needs a network -->\n```console\n$ false\n```\n") == ""


def test_a_mark_without_a_reason_is_no_mark() -> None:
    assert script("<!-- no-run -->\n```console\n$ false\n```\n") != ""


def test_a_block_that_is_not_closed_is_an_error() -> None:
    with pytest.raises(ValueError, match="line 1"):
        list(snippets("```python\nx = 1\n"))


def run(text: str, folder: Path) -> tuple[int, str]:
    """Run `text` in `folder` as a newcomer would, with nothing of this machine's settings; end all that it started."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("INTERLOCK_", "PYTHON"))}
    environment |= {
        "HOME": str(folder),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "NO_COLOR": "1",
    }
    log = folder / ".output"
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["bash", "-c", text],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            code = process.wait(SECONDS)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    return code, log.read_text(errors="replace")
