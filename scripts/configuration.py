"""Write what is published of the configuration: the JSON Schemas in the package, and docs/reference/configuration.md."""

from __future__ import annotations

from pathlib import Path

from interlock.config.published import reference, schemas

ROOT = Path(__file__).resolve().parent.parent
SCHEMAS = ROOT / "src" / "interlock" / "config" / "schema"
PAGE = ROOT / "docs" / "reference" / "configuration.md"


def main() -> None:
    """Write every file anew."""
    SCHEMAS.mkdir(exist_ok=True)
    for name, text in schemas().items():
        (SCHEMAS / name).write_text(text)
    PAGE.write_text(reference())


if __name__ == "__main__":
    main()
