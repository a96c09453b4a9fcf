"""The published vectors, which are run where somebody has them."""

from __future__ import annotations

from pathlib import Path

import pytest


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--vectors") is None:
        left_out = [item for item in items if "vectors" in getattr(item, "fixturenames", ())]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


@pytest.fixture(scope="session")
def vectors(request: pytest.FixtureRequest) -> Path:
    """The folder of checkouts that `test_checkouts.py` names."""
    return Path(str(request.config.getoption("--vectors")))
