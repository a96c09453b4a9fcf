"""Tokens are counted offline; where they are estimated, the estimate is high and says that it is one."""

from __future__ import annotations

import gzip
import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.models.tokens.counting import Counter, Estimate, Vocabularies, counter, likely

# What OpenAI's own vocabularies make of these texts.
KNOWN = [
    ("gpt-4o", "Hello, world!", 4),
    ("gpt-4.1", "The quick brown fox jumps over the lazy dog.", 10),
    ("gpt-4", "The quick brown fox jumps over the lazy dog.", 10),
    ("gpt-4o", "你好世界，今天天气很好。" * 50, 400),
    ("gpt-4o", '{"order_id": "#W4923227", "status": "pending"}', 16),
    ("gpt-4o", "", 0),
]


class Bytes:
    """A vocabulary of single bytes."""

    def count(self, text: str) -> int:
        return len(text.encode())


@pytest.mark.parametrize(("model", "text", "tokens"), KNOWN)
def test_the_estimate_is_never_below_what_a_vocabulary_counts(model: str, text: str, tokens: int) -> None:
    assert Estimate().count(text, model) >= tokens


@given(st.text(st.characters(exclude_categories=())))
def test_every_text_can_be_estimated_and_more_text_is_not_fewer_tokens(text: str) -> None:
    assert 0 <= Estimate().count(text, "any") <= Estimate().count(text + "more", "any")
    assert (Estimate().count(text, "any") == 0) == (text == "")


def test_the_installed_counter_is_used_and_named() -> None:
    found: Counter = counter()
    installed = importlib.util.find_spec("bpe_openai") is not None

    assert isinstance(found, Vocabularies if installed else Estimate)
    assert found.name in found.method("gpt-4o")
    assert found.version in found.method("gpt-4o")
    for model, text, tokens in KNOWN:
        counted = found.count(text, model)
        assert counted == tokens if installed else counted >= tokens
    assert found.count("a \ud800 lone surrogate", "gpt-4o") > 0


def test_a_model_is_counted_with_its_own_vocabulary_and_others_with_more_than_openais() -> None:
    read: list[str] = []

    def encoding(name: str) -> Bytes:
        read.append(name)
        return Bytes()

    found = Vocabularies("1.0", encoding)

    assert found.count("12345", "gpt-4.1-mini") == 5
    assert found.count("12345", "ft:gpt-4o-2024-08-06:org::id") == 5
    assert found.count("12345", "openai/gpt-4-0613") == 5
    assert found.count("12345", "claude-sonnet-4-5") == 7
    assert found.count("123", "mistral-large") == 5
    assert read == ["o200k_base", "cl100k_base"]
    assert found.method("claude-sonnet-4-5") == "bpe-openai 1.0 o200k_base x 7/5"
    assert found.method("gpt-4") == "bpe-openai 1.0 cl100k_base"


def test_a_request_is_estimated_at_a_good_third_of_its_bytes() -> None:
    assert 10_000 // 3 < likely(10_000) < 10_000
    assert likely(0, image_tokens=765) > 765


def test_recorded_requests_have_fewer_tokens_than_are_held(data_folder: Path) -> None:
    """What gpt-4.1 was billed for 476 requests with tools, against the bytes that they had."""
    policy = (data_folder / "env" / "tau2_retail" / "policy.md").read_text()
    tools = json.loads(gzip.decompress((data_folder / "env" / "tau2_retail" / "tools.json.gz").read_bytes()))
    lines = gzip.decompress((data_folder / "runs" / "tau2_retail_gpt-4.1.jsonl.gz").read_bytes()).splitlines()
    ratios = []
    for run in map(json.loads, lines):
        sent: list[dict[str, Any]] = [{"role": "system", "content": policy}]
        for message in run["messages"]:
            if message["role"] == "assistant" and "usage" in message:
                body = {"model": "gpt-4.1", "messages": sent, "tools": tools}
                size = len(json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode())
                tokens = message["usage"]["prompt_tokens"]
                assert tokens <= likely(size)
                ratios.append(size / tokens)
                words = message["content"] or json.dumps(message["tool_calls"])
                assert message["usage"]["completion_tokens"] <= Estimate().count(words, "gpt-4.1") + 8
            sent.append({key: value for key, value in message.items() if key in ("role", "content", "tool_calls")})

    assert len(ratios) > 400
    assert min(ratios) > 3
