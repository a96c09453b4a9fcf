"""Whoever starts at the first page of the documentation finds every other one."""

import re
from pathlib import Path

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_the_first_page_leads_to_every_other() -> None:
    named = set(re.findall(r"\]\(([^)#]+\.md)", (DOCS / "index.md").read_text()))
    there = {str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md")} - {"index.md"}

    assert not there - named, "docs/index.md does not lead there"
    assert not named - there, "docs/index.md leads nowhere"
