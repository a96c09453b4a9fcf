"""Spans as others tell them, and what becomes of them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from interlock.adapters.otlp.decoding_json import Json
from interlock.traces.mapping import Mapper, Outcome, Redact
from interlock.traces.told import Decoder, ToldBatch, ToldSpan

TOLD = Path(__file__).parent / "told"
NOW_NS = 1_800_000_000_000_000_000
LATEST = 1 << 62


class Nothing(Redact):
    """Finds nothing anywhere."""

    def gate(self, data: bytes) -> bool:
        return False

    def words(self, text: str) -> str:
        return text


@dataclass(slots=True)
class Hiding(Redact):
    """Hides one word, and counts how often it was asked."""

    secret: str
    asked: int = 0
    gated: int = 0

    def gate(self, data: bytes) -> bool:
        self.gated += 1
        return self.secret.encode() in data

    def words(self, text: str) -> str:
        self.asked += 1
        return text.replace(self.secret, "[hidden]")


def a_span(**changes: Any) -> ToldSpan:
    """A span in which all is well."""
    plain = ToldSpan(b"t" * 16, b"s" * 8, b"", "work", 1, NOW_NS, NOW_NS + 5_000_000, 0, "", {"a": "short"}, [], [], 0)
    return plain._replace(**changes)


def mapped(*spans: ToldSpan, redact: Redact | None = None, resource: dict[str, object] | None = None) -> Outcome:
    """What becomes of spans of one resource."""
    outcome = Outcome()
    batch = ToldBatch(dict(resource or {}), "tests", list(spans))  # type: ignore[arg-type]
    Mapper(redact or Nothing()).take(batch, outcome, NOW_NS - 10**15, NOW_NS + 10**15)
    return outcome


def taken(body: bytes, decoder: Decoder | None = None, redact: Redact | None = None) -> Outcome:
    """What becomes of a request."""
    outcome, mapper = Outcome(), Mapper(redact or Nothing())
    for batch in (decoder or Json()).batches(body):
        mapper.take(batch, outcome, 0, LATEST)
    return outcome


def details(outcome: Outcome, number: int = 0) -> dict[str, object]:
    """What stands in the details of a row."""
    said: dict[str, object] = orjson.loads(outcome.rows[number].details)
    return said


__all__ = ["LATEST", "NOW_NS", "TOLD", "Hiding", "Nothing", "a_span", "details", "mapped", "taken"]
