"""The rules of the house that no linter knows: sizes, names, and what the wheel holds."""

from __future__ import annotations

import ast
import importlib.util
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
SOURCE = ROOT / "src" / "interlock"
MODULES = sorted(SOURCE.rglob("*.py"))
LONGEST_FILE = 450
LONGEST_FUNCTION = 60
EXTRAS = ["cedarpy", "regopy", "psycopg", "keyring", "uvloop", "bpe_openai", "numpy", "google.protobuf", "duckdb"]
HEAVY = ["pydantic", "mcp", "mcp_types", "alembic"]
EMPTY_NAMES = {"util", "utils", "helper", "helpers", "common", "misc", "manager", "service", "handler", "base"}


def test_no_file_is_too_long_to_read() -> None:
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in MODULES}

    assert {name: length for name, length in lengths.items() if length > LONGEST_FILE} == {}


def test_no_function_is_longer_than_a_screen() -> None:
    long = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or node.lineno) - node.lineno > LONGEST_FUNCTION
    ]

    assert long == []


def test_no_module_is_named_after_nothing() -> None:
    assert [str(path) for path in MODULES if path.stem in EMPTY_NAMES or path.parent.name in EMPTY_NAMES] == []


def test_the_base_install_needs_none_of_the_extras() -> None:
    """What an extra brings is imported by the adapter that needs it, and only once a configuration asks for it."""
    doors = ["interlock", "interlock.wiring", "interlock.cli.app"]
    present = [door for door in doors if importlib.util.find_spec(door)]
    block = f"import sys; sys.modules.update(dict.fromkeys({EXTRAS!r}))"
    run = subprocess.run(
        [sys.executable, "-c", f"{block}; import {', '.join(present)}"], capture_output=True, text=True
    )

    assert run.returncode == 0, run.stderr


def test_a_server_carries_only_what_its_configuration_asks_for() -> None:
    """Memory is measured in servers: what only some deployments use is imported when one does."""
    block = f"import sys; sys.modules.update(dict.fromkeys({[*EXTRAS, *HEAVY]!r}))"
    run = subprocess.run(
        [sys.executable, "-c", f"{block}; import interlock.cli.serve, interlock.wiring"], capture_output=True, text=True
    )

    assert run.returncode == 0, run.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("wheel")
    build = f"import uv_build; uv_build.build_wheel({str(folder)!r})"
    # The back end looks for its own program on PATH.
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"}
    subprocess.run([sys.executable, "-c", build], cwd=ROOT, env=environment, check=True, capture_output=True)
    (path,) = folder.glob("*.whl")
    return zipfile.ZipFile(path)


def test_the_wheel_holds_what_the_repository_holds(wheel: zipfile.ZipFile) -> None:
    packed = {name for name in wheel.namelist() if not name.endswith("/") and ".dist-info/" not in name}
    written = {
        str(path.relative_to(SOURCE.parent))
        for path in SOURCE.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }

    assert packed == written
    assert "interlock/py.typed" in packed


def test_the_wheel_runs_nothing_by_being_installed(wheel: zipfile.ZipFile) -> None:
    assert [name for name in wheel.namelist() if name.endswith((".pth", "/setup.py"))] == []


def test_the_wheel_carries_the_licence_and_the_command(wheel: zipfile.ZipFile) -> None:
    (licence,) = (name for name in wheel.namelist() if name.endswith(".dist-info/licenses/LICENSE"))
    (entries,) = (name for name in wheel.namelist() if name.endswith(".dist-info/entry_points.txt"))

    assert "Apache License" in wheel.read(licence).decode()
    assert "interlock = interlock.cli.app:main" in wheel.read(entries).decode()
