"""Write the labelled texts by which redaction is measured: `python -m scripts.redaction_set`. The seed is fixed.

The files hold no key that a scanner of repositories could take for a real one: values are torn by the sign TEAR, which
readers take out.
"""

# ruff: noqa: S311 - tables of forms; nothing here is meant to be hard to guess
import base64
import json
import random
import unicodedata
from pathlib import Path
from typing import Any
from urllib.parse import quote

from scripts.redaction_nationals import NATIONALS
from scripts.redaction_negatives import negatives
from scripts.redaction_shapes import FORMS, Shape, keys

FOLDER = Path(__file__).parents[1] / "tests/unit/checks/labelled"
SEED = 20_261_120
TEAR = "\u00a6"
_EACH = 4
"""Texts of each shape in each of the two parts."""

SEEN = (
    "Please contact the customer about {} before Friday.",
    "Kundin gab {} an, bitte prüfen.",
    '{{"ticket": 4711, "note": "see {}", "open": true}}',
    "2026-11-20T09:15:02.113Z INFO  worker-3 processed {} in 12 ms",
    "| id | value | state |\n|----|-------|-------|\n| 17 | {} | new |",
    "name,reference,amount\nSmith,{},12.50\n",
    "value = '{}'  # from the import",
    "Les coordonnées sont ({}), merci.",
    "お客様の情報は {} です。",
    '<field name="ref">{}</field>',
)
HELD_OUT = (
    "Re: your enquiry\n\nHi team,\n\n{}\n\nBest regards",
    "El cliente indicó «{}» por teléfono.",
    '[ERROR] upstream said: invalid input "{}" (code 22)',
    "- step 4: {}\n- step 5: done",
    "curl -s https://api.example.com/v1/lookup -d '{}'",
    "客户资料：{}，请核实。",
    "args=['--verbose', '{}'] exit=1",
    "Данные: {}; проверить.",
    "> quoted: {}\n\nok, thanks!",
    "key\tvalue\nref\t{}\n",
)
_SHRED = 6
SECOND_LOOK = ("email", "card", "api_key", "iban", "secret")
"""Kinds that are also written in ways that must be undone first."""


def _line(shape: Shape, part: str, text: str, value: str, secret: str, way: str = "") -> dict[str, object]:
    return {
        "kind": shape.kind,
        "shape": shape.name + way,
        "part": part,
        "text": text,
        "values": [value],
        "secret": secret,
    }


def _plain(rng: random.Random, shape: Shape, part: str, carriers: tuple[str, ...]) -> list[dict[str, object]]:
    lines = []
    for number in range(_EACH):
        value = shape.make(rng)
        secret = value if shape.kind == "secret" else ""
        said = shape.around.format(value)
        carrier = carriers[(number + rng.randrange(2)) % len(carriers)]
        if carrier.startswith('{{"'):
            said = json.dumps(said, ensure_ascii=False)[1:-1]
            value = json.dumps(value, ensure_ascii=False)[1:-1]
        lines.append(_line(shape, part, carrier.format(said), value, secret))
    return lines


def _disguised(rng: random.Random, shape: Shape, part: str) -> list[dict[str, object]]:
    """Return one value written in each of the ways that a first look misses."""
    value = shape.make(rng)
    secret = value if shape.kind == "secret" else ""
    raw = f"The value is {shape.around.format(value)}, as agreed.".encode()
    middle = len(value) // 2
    coded, url = base64.b64encode(raw).decode(), base64.urlsafe_b64encode(raw).decode()
    ways = [
        ("+base64", f"payload: {coded}", coded),
        ("+base64url", f"GET /cb?state={url} HTTP/1.1", url),
        ("+percent", f"GET /search?q={quote(value, safe='')}&n=1", quote(value, safe="")),
        (
            "+percent_all",
            "q=" + "".join(f"%{byte:02X}" for byte in value.encode()),
            "".join(f"%{byte:02X}" for byte in value.encode()),
        ),
        ("+full_width", f"It is {''.join(chr(ord(c) + 0xFEE0) if '!' <= c <= '~' else c for c in value)}.", value),
        ("+zero_width", f"It is {chr(0x200B).join(value)}.", value),
    ]
    if shape.kind == "api_key":
        ways.append(("+newline", f"key:\n  {value[:middle]}\n  {value[middle:]}\n", value[:middle]))
    if shape.kind == "email":
        ways.append(("+at", f"write to {value.replace('@', ' [at] ')} please", value.replace("@", " [at] ")))
    return [_line(shape, part, text, found, secret, way) for way, text, found in ways]


def positives() -> list[dict[str, object]]:
    """Return every text that holds something."""
    rng = random.Random(SEED)
    lines = []
    for part, carriers in (("seen", SEEN), ("held_out", HELD_OUT)):
        for shape in (*FORMS, *NATIONALS, *keys()):
            lines += _plain(rng, shape, part, carriers)
            if shape.kind in SECOND_LOOK:
                lines += _disguised(rng, shape, part)
    return lines


def torn(value: str) -> str:
    """Return `value` so that no scanner knows it."""
    return TEAR.join(value[at : at + 3] for at in range(0, len(value), 3))


def read(name: str) -> list[dict[str, Any]]:
    """Return the texts of `positives` or `negatives` as they are meant."""
    lines = [json.loads(line) for line in (FOLDER / f"{name}.jsonl").read_text("utf-8").splitlines()]
    for line in lines:
        line["text"] = line["text"].replace(TEAR, "")
        line["secret"] = line.get("secret", "").replace(TEAR, "")
        line["values"] = [value.replace(TEAR, "") for value in line.get("values", ())]
    return lines


def leaks(line: dict[str, Any], cleaned: str) -> bool:
    """Return whether more than a shred of a value of `line` stands in `cleaned`: six characters in a row, or all of fewer."""
    for value in line["values"]:
        plain = unicodedata.normalize("NFKC", value)
        size = min(_SHRED, len(plain))
        beside = unicodedata.normalize("NFKC", line["text"].replace(value, ""))
        if any(
            plain[at : at + size] in cleaned and plain[at : at + size] not in beside
            for at in range(len(plain) - size + 1)
        ):
            return True
    return False


def write() -> None:
    """Write both files."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, lines in (("positives", positives()), ("negatives", negatives(SEED))):
        with (FOLDER / f"{name}.jsonl").open("w", encoding="utf-8") as file:
            for line in lines:
                kept = {key: torn(str(each)) if key in ("text", "secret") else each for key, each in line.items()}
                if "values" in line:
                    kept["values"] = [torn(str(each)) for each in line["values"]]  # type: ignore[attr-defined]
                file.write(json.dumps(kept, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    write()
