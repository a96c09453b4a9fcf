"""What is published of the configuration is what the code reads."""

from __future__ import annotations

from pathlib import Path

import jsonschema_rs
import pytest

from interlock.cli.init import starter
from interlock.config.nodes import parse, plain
from interlock.config.published import reference, schemas

ROOT = Path(__file__).resolve().parents[3]
SCHEMAS = ROOT / "src" / "interlock" / "config" / "schema"
PUBLISHED = schemas()


@pytest.mark.parametrize("name", sorted(PUBLISHED))
def test_the_schema_in_the_package_is_what_the_code_says(name: str) -> None:
    assert (SCHEMAS / name).read_text() == PUBLISHED[name], "make format writes it anew"


def test_no_schema_is_left_over() -> None:
    assert {path.name for path in SCHEMAS.iterdir()} == set(PUBLISHED)


def test_the_reference_page_is_what_the_code_says() -> None:
    page = ROOT / "docs" / "reference" / "configuration.md"

    assert page.read_text() == reference(), "make format writes it anew"


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("interlock.yaml", "interlock"),
        ("agents/refunds.yaml", "agent"),
        ("contracts/desk.yaml", "contracts"),
        ("config/router.yaml", "router"),
    ],
)
def test_the_starter_files_satisfy_their_schemas(file: str, name: str) -> None:
    validator = jsonschema_rs.Draft202012Validator(PUBLISHED[f"{name}.json"])

    validator.validate(plain(parse(starter()[file], file)))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("agent", "stage: act_withn_limits"),
        ("agent", "budgets: {max_tool_cals: 3}"),
        ("contracts", "tools: [{name: x, tier: 5}]"),
        ("interlock", "tenant: x"),
    ],
)
def test_an_editor_sees_what_is_wrong(name: str, text: str) -> None:
    validator = jsonschema_rs.Draft202012Validator(PUBLISHED[f"{name}.json"])

    assert not validator.is_valid(plain(parse(text, "f")))
