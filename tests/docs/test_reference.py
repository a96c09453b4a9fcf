"""Nothing is undocumented: each error code, command, parameter and setting carries its sentence, and the pages are current."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import typer

from interlock.domain.errors import InterlockError
from scripts.reference import Page, commands_page, errors_page, family, pages, settings, undocumented

ROOT = Path(__file__).resolve().parent.parent.parent
PAGES = pages()
SCHEMAS = sorted((ROOT / "src" / "interlock" / "config" / "schema").glob("*.json"))
SETTINGS = [
    (path.name, entry)
    for path in SCHEMAS
    for schema in [json.loads(path.read_text())]
    for entry in settings(schema, schema)
]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.path.name))
def test_each_entry_of_the_reference_carries_a_sentence(page: Page) -> None:
    assert undocumented(page) == ()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.path.name))
def test_the_page_in_the_repository_is_what_the_code_says(page: Page) -> None:
    assert page.path.exists(), "make format writes it"
    assert page.path.read_text() == page.text, "make format writes it anew"


def test_each_setting_carries_a_sentence_in_its_schema() -> None:
    assert [(file, setting.name) for file, setting in SETTINGS if not setting.sentence] == []


def test_each_setting_is_on_the_page_of_settings() -> None:
    page = ROOT / "docs" / "reference" / "configuration.md"
    text = page.read_text() if SETTINGS else ""
    named = {part for quoted in re.findall(r"`([^`]+)`", text) for part in re.split(r"[^\w-]+", quoted)}

    assert [(file, setting.name) for file, setting in SETTINGS if setting.name.rpartition(".")[2] not in named] == []


def test_no_two_errors_share_a_code() -> None:
    codes = [error.code for error in family(InterlockError)]

    assert len(codes) == len(set(codes))


def test_an_error_without_a_sentence_is_found() -> None:
    silent = type("Silent", (Exception,), {"code": "silent", "status": 500, "__doc__": ""})

    assert undocumented(errors_page([silent])) == ("silent (500)",)


def test_a_command_or_an_option_without_a_sentence_is_found() -> None:
    app = typer.Typer()

    @app.command()
    def told(loud: bool = False) -> None:
        """Say something."""

    @app.command()
    def untold() -> None: ...

    assert undocumented(commands_page(app)) == ("--loud / --no-loud (interlock told)", "interlock untold")


def test_a_setting_is_found_through_references_items_and_free_names() -> None:
    schema = {
        "properties": {"agents": {"additionalProperties": {"$ref": "#/$defs/agent"}, "description": "By name."}},
        "$defs": {"agent": {"properties": {"tools": {"items": {"properties": {"tier": {"enum": [0, 1]}}}}}}},
    }

    assert [(entry.name, entry.sentence, entry.detail) for entry in settings(schema, schema)] == [
        ("agents", "By name.", ""),
        ("agents.<name>.tools", "", ""),
        ("agents.<name>.tools[].tier", "", "`0`, `1`"),
    ]
