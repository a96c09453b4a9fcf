"""What the tests may need from outside (PostgreSQL, recorded data, the MCP inspector), and what happens without it."""

from __future__ import annotations

import os
import uuid
from collections.abc import Generator, Iterator
from pathlib import Path

import psycopg
import pytest
from hypothesis import settings
from psycopg import conninfo, sql

ROOT = Path(__file__).resolve().parent.parent
POSTGRES = "INTERLOCK_TEST_POSTGRES_DSN"
INSPECTOR = ROOT / ".build" / "inspector" / "mcp-inspector"
PROMETHEUS = ROOT / ".build" / "prometheus"
NEEDS = {"prometheus": "prometheus", "postgres_dsn": "postgres", "inspector": "npm", "data_folder": "data"}
"""A test that asks for this fixture carries this marker."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--faults", type=int, default=20, help="how many times a fault test kills a process (default: 20)")
    parser.addoption("--mutations", type=int, default=1_500, help="how many changes of an audit export are tried")
    parser.addoption("--vectors", help="a folder of checkouts, whose published vectors are run: see test_checkouts.py")


def pytest_configure(config: pytest.Config) -> None:
    settings.register_profile("local", deadline=None)
    settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
    settings.load_profile("ci" if _is_ci() else "local")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for fixture, marker in NEEDS.items():
            if fixture in getattr(item, "fixturenames", ()):
                item.add_marker(marker)


def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker, reason in (
        ("postgres", _no_postgres()),
        ("npm", _no_inspector()),
        ("data", _no_data()),
        ("prometheus", _no_prometheus()),
    ):
        if reason and item.get_closest_marker(marker):
            pytest.skip(reason)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    # The recorded data is not in the repository and cannot be brought: its absence is the one excuse.
    excused = hasattr(report, "wasxfail") or (item.get_closest_marker("data") and _no_data())
    if _is_ci() and report.skipped and not excused:
        report.outcome = "failed"
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.longrepr = f"With CI=true a skipped test is a failure. {reason}"
    return report


@pytest.fixture
def postgres_dsn() -> Iterator[str]:
    """A database of the test's own on the PostgreSQL server of this test run."""
    server = os.environ[POSTGRES]
    name = f"interlock_test_{uuid.uuid4().hex}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        yield _on_database(server, name)
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The recorded runs and OpenAPI documents."""
    return _data()


@pytest.fixture
def prometheus() -> Path:
    """The folder with the programs promtool and prometheus."""
    return PROMETHEUS


@pytest.fixture
def inspector() -> Path:
    """The official MCP inspector's program; `--cli` makes it a command line."""
    return INSPECTOR


@pytest.fixture
def faults(request: pytest.FixtureRequest) -> int:
    """How many times a fault test kills a process."""
    return int(request.config.getoption("--faults"))


def _on_database(server: str, name: str) -> str:
    """Return the URL of database `name` on the server that `server` addresses, whichever form it was given in."""
    parts = {key: str(value) for key, value in conninfo.conninfo_to_dict(server).items() if value is not None}
    user, password = parts.pop("user", ""), parts.pop("password", "")
    parts.pop("dbname", None)
    login = f"{user}:{password}@" if password else f"{user}@"
    return f"postgresql://{login}/{name}?" + "&".join(f"{key}={value}" for key, value in parts.items())


def _is_ci() -> bool:
    return os.environ.get("CI", "").lower() in {"1", "true", "yes"}


def _data() -> Path:
    return Path(os.environ.get("INTERLOCK_DATA") or ROOT.parent / "shared" / "data")


def _no_data() -> str:
    if _data().is_dir():
        return ""
    return f"no recorded data at {_data()}; INTERLOCK_DATA=<folder> make test says where it is"


def _no_postgres() -> str:
    return (
        "" if os.environ.get(POSTGRES) else f"no PostgreSQL; `make test` starts one, or set {POSTGRES}=postgresql://..."
    )


def _no_prometheus() -> str:
    if (PROMETHEUS / "promtool").exists() and (PROMETHEUS / "prometheus").exists():
        return ""
    return "no promtool; `make test` unpacks Debian's package, or: apt-get install prometheus"


def _no_inspector() -> str:
    return "" if INSPECTOR.exists() else "no MCP inspector; `make .build/inspector/.ready` installs it from npm"
