"""Write the price book from its sources: src/interlock/models/prices/data.json and what hangs on it.

    python scripts/prices.py          write the price book, the page of differences and the costs that tests compare with
    python scripts/prices.py --check  exit with 1 where one of them is not what the sources give

The sources are the two packages that requirements/prices.txt pins by hash. They are downloaded once into .build/prices
and read as archives; nothing of them is installed. genai-prices leads: its names, rules and prices are taken as they
are. The table of LiteLLM adds models that genai-prices lacks, sizes, service tiers, and cache writes that would else
be charged too low.
"""

from __future__ import annotations

import importlib
import json
import os
import re
import subprocess
import sys
import venv
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PINS = ROOT / "requirements" / "prices.txt"
REVIEWED = ROOT / "requirements" / "prices.in"
BUILD = ROOT / ".build" / "prices"
DATA = ROOT / "src" / "interlock" / "models" / "prices" / "data.json"
COSTS = ROOT / "tests" / "unit" / "models" / "prices" / "source_costs.json"
PAGE = ROOT / "docs" / "reference" / "price-differences.md"

Rate = Any
"""A rate as the price book has it: a number, a text, or a list of steps."""
Foreign = Any
"""A value of a type that genai-prices declares."""

PROVIDERS = {
    "anthropic": ("anthropic",),
    "aws": ("bedrock", "bedrock_converse"),
    "azure": ("azure", "azure_ai"),
    "cohere": ("cohere", "cohere_chat"),
    "deepseek": ("deepseek",),
    "fireworks": ("fireworks_ai",),
    "google": ("gemini", "vertex_ai*"),
    "groq": ("groq",),
    "mistral": ("mistral",),
    "openai": ("openai",),
    "openrouter": ("openrouter",),
    "together": ("together_ai",),
    "x-ai": ("xai",),
}
"""Providers of the book by their name at genai-prices, each with its names at LiteLLM."""
KINDS = {
    "input_mtok": "input",
    "output_mtok": "output",
    "cache_read_mtok": "cache_read",
    "cache_write_mtok": "cache_write",
    "cache_write_1h_mtok": "cache_write_1h",
    "output_reasoning_mtok": "reasoning",
    "input_audio_mtok": "audio_input",
    "output_audio_mtok": "audio_output",
    "input_image_mtok": "image_input",
    "output_image_mtok": "image_output",
}
FIELDS = {
    "input_cost_per_token": "input",
    "output_cost_per_token": "output",
    "cache_read_input_token_cost": "cache_read",
    "cache_creation_input_token_cost": "cache_write",
    "cache_creation_input_token_cost_above_1hr": "cache_write_1h",
    "output_cost_per_reasoning_token": "reasoning",
    "input_cost_per_audio_token": "audio_input",
    "output_cost_per_audio_token": "audio_output",
    "input_cost_per_image_token": "image_input",
    "output_cost_per_image_token": "image_output",
}
FIELD = re.compile(
    rf"({'|'.join(sorted(FIELDS, key=len, reverse=True))})(?:_above_(\d+)k_tokens)?"
    r"(?:_(batches|flex|priority|fast|ultrafast|balanced))?"
)
MODES = {"chat", "completion", "responses", "embedding", None}
COMPARED = ("input", "output", "cache_read", "cache_write", "cache_write_1h", "reasoning")
LICENCES = {"genai-prices": "MIT", "litellm": "MIT"}


@dataclass(frozen=True, slots=True)
class Sources:
    """Both sources, as they came."""

    providers: tuple[Any, ...]
    table: Mapping[str, Mapping[str, Any]]
    versions: Mapping[str, str]
    reviewed: str


@dataclass(frozen=True, slots=True)
class Difference:
    """A rate that the sources do not agree on, in pico-USD per token; None where a source has none."""

    provider: str
    model: str
    kind: str
    leading: int | None
    other: int | None

    @property
    def size(self) -> float:
        """How many times the lower rate the higher one is."""
        low, high = sorted((self.leading or 0, self.other or 0))
        return high / low if low else float("inf") if self.leading is not None else 0.0


def sources() -> Sources:
    """Return both sources, downloaded where they are not there yet."""
    wheels = BUILD / "wheels"
    versions = dict(re.findall(r"^([a-z-]+)==(\S+)", PINS.read_text(), re.MULTILINE))
    paths = {
        name: next(wheels.glob(f"{name.replace('-', '_')}-{version}-*.whl"), None) for name, version in versions.items()
    }
    if None in paths.values():
        tool = BUILD / "pip"
        venv.create(tool, with_pip=True, clear=True)
        python = str(tool / ("Scripts" if os.name == "nt" else "bin") / "python")
        command = [
            python,
            "-m",
            "pip",
            "download",
            "--quiet",
            "--disable-pip-version-check",
            "--no-deps",
            "--dest",
            str(wheels),
        ]
        subprocess.run([*command, "--only-binary", ":all:", "--require-hashes", "-r", str(PINS)], check=True)
        paths = {
            name: next(wheels.glob(f"{name.replace('-', '_')}-{version}-*.whl")) for name, version in versions.items()
        }
    sys.path.insert(0, str(paths["genai-prices"]))
    providers = importlib.import_module("genai_prices.data").providers
    with zipfile.ZipFile(str(paths["litellm"])) as wheel:
        table = json.loads(wheel.read("litellm/model_prices_and_context_window_backup.json"))
    (reviewed,) = re.findall(r"^# reviewed: (\S+)$", REVIEWED.read_text(), re.MULTILINE)
    return Sources(tuple(providers), table, versions, reviewed)


def pico(dollars: Decimal, per: int) -> int | str:
    """Return a rate in pico-USD per token: a number, or a text where it is finer than one."""
    rate = (dollars * (10**12 // per)).normalize()
    return int(rate) if rate == rate.to_integral_value() else f"{rate:f}"


def entry_of(model: Foreign) -> dict[str, Any]:
    """Return the entry of a model of genai-prices."""
    names, rule = _names(model.match)
    entry: dict[str, Any] = {"id": model.id}
    if names != [model.id.lower()]:
        entry["names"] = names
    if rule:
        entry["rule"] = rule
    if model.context_window:
        entry["window"] = model.context_window
    periods = model.prices if isinstance(model.prices, list) else [None]
    said = [_period(each.constraint, each.prices) if each else {"rates": _rates(model.prices)} for each in periods]
    if any("input" in each["rates"] for each in said):
        entry["prices"] = said[0]["rates"] if len(said) == 1 and len(said[0]) == 1 else said
    elif model.id.endswith(":free"):
        entry |= {"free": True, "prices": {"input": 0, "output": 0}}
    beside = sorted({key for each in periods for key in (each.prices if each else model.prices).__dict__} - set(KINDS))
    if beside:
        entry["beside"] = beside
    services = [_period(each.constraint, each.prices, _service(each.when)) for each in model.price_variants or ()]
    if services := [each for each in services if each.get("service") and each["rates"]]:
        entry["services"] = services
    return entry


def _names(match: Foreign) -> tuple[list[str], dict[str, Any] | None]:
    """Return the names that `match` is equal to, and the rule for all others."""
    clauses = match.or_ if hasattr(match, "or_") else [match]
    equal = [clause.equals.lower() for clause in clauses if hasattr(clause, "equals")]
    rules = [_rule(clause) for clause in clauses if not hasattr(clause, "equals")]
    return equal, ({"any": rules} if len(rules) > 1 else rules[0]) if rules else None


def _rule(clause: Foreign) -> dict[str, Any]:
    for theirs, ours in (
        ("starts_with", "starts"),
        ("ends_with", "ends"),
        ("contains", "contains"),
        ("regex", "regex"),
        ("equals", "equals"),
    ):
        if hasattr(clause, theirs):
            return {ours: getattr(clause, theirs)}
    kind = "or" if hasattr(clause, "or_") else "and"
    return {"any" if kind == "or" else "all": [_rule(each) for each in getattr(clause, f"{kind}_")]}


def _service(when: Mapping[str, str]) -> str:
    words = {"processing": "", "service_tier": "", "speed": ""}
    known = [value for key, value in when.items() if key in words and value != "default"]
    return "+".join(known) if len(known) == len(when) else ""


def _period(constraint: Foreign, prices: Foreign, service: str = "") -> dict[str, Any]:
    said: dict[str, Any] = {"service": service} if service else {}
    if hasattr(constraint, "start_date"):
        said["since"] = constraint.start_date.isoformat()
    elif constraint is not None:
        said["hours"] = [_minute(constraint.start_time), _minute(constraint.end_time)]
    return {**said, "rates": _rates(prices)}


def _minute(moment: time) -> int:
    if moment.tzinfo not in (None, UTC) or moment.second:
        raise SystemExit(f"A price begins at {moment}: the book knows whole minutes of UTC only.")
    return moment.hour * 60 + moment.minute


def _rates(prices: Foreign) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for theirs, ours in KINDS.items():
        price = prices.__dict__.get(theirs)
        if price is None:
            continue
        tiers = [[tier.start, pico(tier.price, 10**6)] for tier in getattr(price, "tiers", ())]
        base = pico(getattr(price, "base", price), 10**6)
        found[ours] = [base, *tiers] if tiers else base
    return found


def table_entry(name: str, row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the entry of a row of LiteLLM's table."""
    said: dict[str, dict[str, dict[int, int | str]]] = {}
    for field, value in row.items():
        parts = FIELD.fullmatch(field)
        if parts and isinstance(value, int | float):
            kinds = said.setdefault((parts[3] or "").replace("batches", "batch"), {})
            # Twelve digits are what a float of such a table means.
            kinds.setdefault(FIELDS[parts[1]], {})[int(parts[2] or 0) * 1000] = pico(Decimal(f"{value:.12g}"), 1)
    ladders = {
        service: {kind: _ladder(steps) for kind, steps in kinds.items() if 0 in steps}
        for service, kinds in said.items()
    }
    usual = ladders.pop("", {})
    usual = {kind: rate for kind, rate in usual.items() if rate != 0 or kind in ("input", "output", "cache_read")}
    entry: dict[str, Any] = {"id": name, "source": 1, "prices": usual}
    for ours, theirs in (("window", "max_input_tokens"), ("max_output", "max_output_tokens")):
        if isinstance(row.get(theirs), int) and row[theirs] > 0:
            entry[ours] = row[theirs]
    if services := [{"service": name, "rates": rates} for name, rates in sorted(ladders.items()) if rates]:
        entry["services"] = services
    return entry


def _ladder(steps: Mapping[int, int | str]) -> Rate:
    return steps[0] if len(steps) == 1 else [steps[0], *([start, steps[start]] for start in sorted(steps) if start)]


def rows(provider: str, table: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the rows of LiteLLM's table that belong to `provider`, by the name that the provider itself uses."""
    seen = set()
    kinds = PROVIDERS[provider]
    for key, row in sorted(table.items(), key=lambda item: (item[1].get("litellm_provider") != kinds[0], item[0])):
        kind = row.get("litellm_provider", "")
        if not any(kind.startswith(each[:-1]) if each.endswith("*") else kind == each for each in kinds):
            continue
        first, _, rest = key.partition("/")
        name = rest if first.split("-")[0] in {*(each.rstrip("*") for each in kinds), "bedrock"} and rest else key
        # Prices of one region or of a commitment are none that a model's name leads to.
        if (
            row.get("mode") not in MODES
            or "tiered_pricing" in row
            or (provider == "aws" and "/" in name)
            or name in seen
        ):
            continue
        seen.add(name)
        entry = table_entry(name, row)
        # A rate of zero in this table says that nobody looked, but for the output of an embedding.
        needed = ("input",) if row.get("mode") == "embedding" else ("input", "output")
        if all(_flat(entry["prices"].get(kind)) for kind in needed):
            yield name, entry


def build(given: Sources) -> tuple[dict[str, Any], tuple[Difference, ...]]:
    """Return the content of the price book, and what the sources do not agree on."""
    names = importlib.import_module("interlock.models.prices.names")
    shelves: dict[str, Any] = {}
    differences: dict[Difference, None] = {}
    for provider in (each for each in given.providers if each.id in PROVIDERS):
        models = [entry_of(model) for model in provider.models]
        known = names.Names(models)
        added = []
        for name, other in rows(provider.id, given.table):
            found = next((hit for each in names.same(name.lower()) if (hit := known.find(each))), None)
            if found is None:
                added.append(other)
                continue
            entry = models[found[0]]
            differences |= dict.fromkeys(compare(provider.id, entry, other, given.reviewed))
            if not found[1]:
                fill(entry, other, given.reviewed)
        also = [each for each in provider.fallback_model_providers or () if each in PROVIDERS]
        shelves[provider.id] = {**({"also": also} if also else {}), "models": [*models, *added]}
    about = {
        "unit": "pico-USD (10^-12) per token; a text where finer; [rate, [tokens, rate], ...] for longer prompts",
        "sources": [{"name": name, "version": given.versions[name], "licence": LICENCES[name]} for name in LICENCES],
        "reviewed": given.reviewed,
        "made_by": "scripts/prices.py",
    }
    return {"about": about, "providers": shelves}, tuple(differences)


def current(entry: Mapping[str, Any], day: str) -> tuple[dict[str, Any], ...]:
    """Return the usual rates of an entry on a day, those of every hour."""
    prices = entry.get("prices") or {}
    if isinstance(prices, dict):
        return (prices,)
    usual = [each for each in prices if each.get("since", "") <= day and "hours" not in each] or prices[:1]
    return (usual[-1]["rates"], *(each["rates"] for each in prices if "hours" in each))


def _flat(rate: Rate) -> Rate:
    return rate[0] if isinstance(rate, list) else rate


def compare(provider: str, entry: Mapping[str, Any], other: Mapping[str, Any], day: str) -> Iterator[Difference]:
    """Yield the rates on which both sources differ. A model without a price by token is not compared.

    Where the rates depend on the hour, those count that are nearest to the other source.
    """
    if "prices" in entry and not entry.get("free"):
        yield from min((tuple(_compared(provider, entry["id"], mine, other)) for mine in current(entry, day)), key=len)


def _compared(provider: str, model: str, mine: Mapping[str, Any], other: Mapping[str, Any]) -> Iterator[Difference]:
    theirs = other["prices"]
    for kind in COMPARED:
        one, two = _flat(mine.get(kind)), _flat(theirs.get(kind))
        if one != two and not (kind == "output" and "output" not in mine and two == 0):
            yield Difference(provider, model, kind, _whole(one), _whole(two))
        elif isinstance(mine.get(kind), list) != isinstance(theirs.get(kind), list) or (
            isinstance(mine.get(kind), list) and mine[kind] != theirs[kind]
        ):
            steps = [
                each[kind][-1][1] if isinstance(each.get(kind), list) else _flat(each[kind]) for each in (mine, theirs)
            ]
            yield Difference(provider, model, f"{kind}, long prompts", _whole(steps[0]), _whole(steps[1]))


def _whole(rate: Rate) -> int | None:
    return None if rate is None else round(float(rate))


def fill(entry: dict[str, Any], other: Mapping[str, Any], day: str) -> None:
    """Take from the other source what the leading one lacks: sizes; where they agree on the price, also services and
    cache writes.
    """
    for size in ("window", "max_output"):
        if size in other:
            entry.setdefault(size, other[size])
    mine, theirs = current(entry, day)[0], other["prices"]
    if any(_flat(mine.get(kind)) != _flat(theirs.get(kind)) for kind in ("input", "output")):
        return
    if not isinstance(entry.get("prices"), dict):
        return
    instead = {"cache_write": "input", "cache_write_1h": "cache_write"}
    for kind, otherwise in instead.items():
        charged = _flat(mine.get(otherwise, mine["input"]))
        if kind not in mine and kind in theirs and float(_flat(theirs[kind])) > float(charged):
            entry["prices"][kind] = theirs[kind]
            entry.setdefault("filled", []).append(kind)
    had = {each["service"] for each in entry.get("services", ())}
    for each in other.get("services", ()):
        if each["service"] not in had:
            entry.setdefault("services", []).append(each)
            entry.setdefault("filled", []).append(each["service"])


COMPARED_MODELS = {
    "anthropic": ("claude-opus-5", "claude-sonnet-4-5", "claude-haiku-5-5", "claude-sonnet-5-5"),
    "aws": ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "amazon.nova-pro-v1:0", "global.anthropic.claude-opus-5"),
    "deepseek": ("deepseek-chat", "deepseek-v4-pro"),
    "google": ("gemini-2.5-pro", "gemini-2.5-flash", "gemini-3-pro-preview", "gemini-2.0-flash"),
    "groq": ("openai/gpt-oss-120b",),
    "mistral": ("mistral-large-latest", "codestral-latest"),
    "openai": ("gpt-4.1-2025-04-14", "gpt-4o", "gpt-5.2", "gpt-5.6-luna", "o3"),
    "openrouter": ("anthropic/claude-sonnet-4.5",),
    "x-ai": ("grok-4", "grok-4-fast"),
}
"""The models whose costs the tests compare with the source's own sums."""
USAGES = {
    "mixed": {"input": 12_345, "cache_read": 4_001, "cache_write": 1_003, "output": 2_347, "reasoning": 1_111},
    "hour cache": {"input": 54_321, "cache_read": 7, "cache_write": 11, "cache_write_1h": 4_999, "output": 13},
    "long": {"input": 300_001, "cache_read": 100_003, "output": 8_191, "reasoning": 8_000},
    "tiny": {"input": 1, "output": 1},
}
SERVICES = {
    "": {},
    "batch": {"processing": "batch"},
    "priority": {"service_tier": "priority"},
    "flex": {"service_tier": "flex"},
}


def source_cost(provider: str, model: str, usage: Mapping[str, int], service: str, at: datetime) -> str:
    """Return what genai-prices itself makes of a usage, in dollars."""
    prices = importlib.import_module("genai_prices")
    written = usage.get("cache_write", 0) + usage.get("cache_write_1h", 0)
    theirs = prices.Usage(
        input_tokens=usage["input"],
        output_tokens=usage["output"],
        cache_read_tokens=usage.get("cache_read", 0),
        cache_write_tokens=written,
        cache_write_1h_tokens=usage.get("cache_write_1h", 0),
        output_reasoning_tokens=usage.get("reasoning", 0),
    )
    context = SERVICES[service] or None
    found = prices.calc_price(theirs, model, provider_id=provider, genai_request_timestamp=at, price_context=context)
    return f"{found.total_price.normalize():f}"


def services(given: Sources, provider: str, model: str, at: datetime) -> tuple[str, ...]:
    """Return the services for which genai-prices itself has a price of `model`, the usual one first."""
    (shelf,) = (each for each in given.providers if each.id == provider)
    variants = [each for each in shelf.find_model(model).price_variants or () if each.prices.__dict__]
    active = {_service(each.when) for each in variants if each.constraint is None or each.constraint.active(at)}
    return ("", *(service for service in SERVICES if service in active - {""}))


def costs(given: Sources) -> dict[str, Any]:
    """Return what the tests compare with: costs of the models of COMPARED_MODELS as genai-prices computes them."""
    at = datetime.fromisoformat(f"{given.reviewed}T12:00:00+00:00")
    cases = [
        {
            "provider": provider,
            "model": model,
            "usage": name,
            "service": service,
            "usd": source_cost(provider, model, USAGES[name], service, at),
        }
        for provider, models in COMPARED_MODELS.items()
        for model in models
        for name in USAGES
        for service in services(given, provider, model, at)
    ]
    source = f"genai-prices {given.versions['genai-prices']}"
    return {"source": source, "at_ms": int(at.timestamp()) * 1000, "usages": USAGES, "cases": cases}


def page(differences: tuple[Difference, ...], given: Sources) -> str:
    """Return the page of all differences, the biggest first."""
    real = sorted(
        (each for each in differences if each.leading is not None and each.other is not None),
        key=lambda each: (-each.size, each.provider, each.model, each.kind),
    )
    lacking = [each for each in differences if each.leading is None or each.other is None]
    versions = " and ".join(f"{name} {given.versions[name]}" for name in LICENCES)
    lines = [
        "# Where the sources of the price book differ",
        "",
        "<!-- Generated by `python scripts/prices.py`; do not edit. -->",
        "",
        (
            f"The price book is made from {versions}, reviewed on {given.reviewed}. These rates differ between them, in USD per "
            "million tokens, the biggest difference first. The price book has the rate of genai-prices. Where it is wrong for "
            "you, override it. `0` at LiteLLM often means that it does not say."
        ),
        "",
        (
            f"Beside these {len(real)}, one source has a rate for a kind of token, and the other charges that kind as "
            "usual input or output: " + _lacking(lacking) + "."
        ),
        "",
        "| Provider | Model | Rate | genai-prices | LiteLLM | Times |",
        "|---|---|---|---|---|---|",
        *(
            f"| {each.provider} | `{each.model}` | {each.kind} | {_usd(each.leading)} | {_usd(each.other)} | "
            f"{'' if each.size == float('inf') else f'{each.size:.2f}'} |"
            for each in real
        ),
    ]
    return "\n".join(lines) + "\n"


def _lacking(differences: list[Difference]) -> str:
    counts: dict[tuple[str, str], int] = {}
    for each in differences:
        key = (each.kind, "LiteLLM" if each.leading is None else "genai-prices")
        counts[key] = counts.get(key, 0) + 1
    return ", ".join(f"{kind} at {source} only ({count})" for (kind, source), count in sorted(counts.items())) or "none"


def _usd(rate: int | None) -> str:
    return "" if rate is None else f"{Decimal(rate) / 10**6:f}".rstrip("0").rstrip(".") or "0"


def written(book: Mapping[str, Any]) -> str:
    """Return the price book as text: one model a line, so that a new version can be reviewed."""
    shelves = []
    for name, shelf in book["providers"].items():
        models = ",\n".join(_compact(model) for model in shelf["models"])
        also = f'"also":{_compact(shelf["also"])},' if "also" in shelf else ""
        shelves.append(f'{json.dumps(name)}:{{{also}"models":[\n{models}\n]}}')
    about = _compact(book["about"])
    return f'{{"about":{about},\n"providers":{{\n' + ",\n".join(shelves) + "\n}}\n"


def _compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def main(arguments: list[str]) -> int:
    """Write what is made from the sources, or with --check say what is not what they give."""
    given = sources()
    book, differences = build(given)
    cases = json.dumps(costs(given), indent=1) + "\n"
    texts = {DATA: written(book), COSTS: cases, PAGE: page(differences, given)}
    stale = [path for path, text in texts.items() if not path.exists() or path.read_text() != text]
    if arguments == ["--check"]:
        for path in stale:
            print(f"{path.relative_to(ROOT)} is not what the sources give: python scripts/prices.py", file=sys.stderr)
        return 1 if stale else 0
    for path in stale:
        path.write_text(texts[path])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
