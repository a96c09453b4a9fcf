"""What reviewers say of tools."""

from __future__ import annotations

from pathlib import Path

import pytest

from interlock.config import load_overlays
from interlock.domain.contracts import AmountField, Constraint, Environment, Idempotency, Kind, Tier
from interlock.domain.errors import ConfigurationError
from interlock.domain.overlays import Overlay
from interlock.domain.provenance import FieldKind, OutputFields, Role, Trust

CORPUS = Path(__file__).resolve().parents[3] / "benchmarks" / "corpus" / "config"


def read(folder: Path, text: str) -> tuple[Overlay, ...]:
    path = folder / "contracts.yaml"
    path.write_text(text)
    return load_overlays(path)


def test_everything_that_can_be_said_of_a_tool_is_carried_over(tmp_path: Path) -> None:
    (overlay,) = read(
        tmp_path,
        """
tools:
  - name: stripe/PostRefunds
    as: refund
    description: Refunds a charge.
    kind: write
    tier: 3
    category: payments
    environment: staging
    scopes: [refunds]
    idempotency: {header: Idempotency-Key}
    reversible: false
    cost: 0.002 USD
    amount: {argument: /amount, currency: from /currency, unit: minor, optional: true}
    recipients: /to
    owner: billing
    timeout: 10s
    retries: 1
    max_result: 64 KiB
    arguments: {/charge: id, '/to/*': recipient}
    asked_by: [refund]
    output: {trust: trusted, default: prose, record: [/id], prose: [/note], private: [/card], author: [/by], own: true}
    constraints: {/amount: {maximum: 5000}}
    credential: env:STRIPE
""",
    )

    assert overlay.source.endswith("contracts.yaml:3")
    assert (overlay.tool, overlay.rename, overlay.description) == ("stripe/PostRefunds", "refund", "Refunds a charge.")
    assert (overlay.kind, overlay.tier, overlay.category) == (Kind.WRITE, Tier.HIGH_IMPACT, "payments")
    assert (overlay.environment, overlay.scopes, overlay.reversible) == (Environment.STAGING, ("refunds",), False)
    assert (overlay.idempotency, overlay.idempotency_name) == (Idempotency.HEADER, "Idempotency-Key")
    assert overlay.cost_nano_usd == 2_000_000
    assert overlay.amount == AmountField("/amount", "@/currency", minor_units=True, optional=True)
    assert (overlay.recipients, overlay.owner) == ("/to", "billing")
    assert (overlay.timeout_ms, overlay.max_retries, overlay.max_result_bytes) == (10_000, 1, 65_536)
    assert overlay.roles == (("/charge", Role.ID), ("/to/*", Role.RECIPIENT))
    assert overlay.asked_by == ("refund",)
    assert overlay.output == OutputFields(
        Trust.TRUSTED, FieldKind.PROSE, ("/id",), ("/note",), ("/card",), ("/by",), own=True
    )
    assert overlay.constraints == (Constraint("/amount", maximum=5000),)
    assert overlay.credential == "env:STRIPE"


def test_what_is_not_said_stays_unsaid(tmp_path: Path) -> None:
    (overlay,) = read(tmp_path, "tools: [{name: find}]\n")

    assert overlay == Overlay("find", source=overlay.source)


@pytest.mark.parametrize("word", ["none", "natural"])
def test_idempotency_is_a_word_or_a_place_for_the_key(tmp_path: Path, word: str) -> None:
    overlays = read(tmp_path, f"tools: [{{name: a, idempotency: {word}}}, {{name: b, idempotency: {{field: key}}}}]\n")

    assert overlays[0].idempotency == Idempotency(word)
    assert (overlays[1].idempotency, overlays[1].idempotency_name) == (Idempotency.FIELD, "key")


@pytest.mark.parametrize(
    ("said", "near"),
    [
        ("tier: 5", ""),
        ("tier: high", ""),
        ("tier: '3'", ""),
        ("tier: true", ""),
        ("kind: wirte", "write"),
        ("arguments: {/to: recipent}", "recipient"),
        ("arguments: {/to: action}", ""),
        ("arguments: {to: recipient}", ""),
        ("output: {trust: trustd}", "trusted"),
        ("idempotency: naturl", "natural"),
        ("idempotency: {field: a, header: b}", ""),
        ("idempotency: {feild: a}", "field"),
        ("amount: {argument: /amount, currency: usd}", ""),
        ("amount: {argument: /amount, currency: QQQ}", ""),
        ("amount: {argument: /amount}", ""),
        ("cost: 0.002 EUR", ""),
        ("cost: 0.002", ""),
        ("timeout: 10", ""),
        ("timeout: 0s", ""),
        ("timeout: 367d", ""),
        ("retries: 11", ""),
        ("environment: prod", ""),
        ("credential: hunter2", ""),
    ],
)
def test_what_is_not_known_is_refused(tmp_path: Path, said: str, near: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read(tmp_path, f"tools:\n  - name: find\n    {said}\n")

    found = caught.value.problems
    assert {problem.spot.line for problem in found} == {3}
    assert not near or near in {problem.nearest for problem in found}
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("path", sorted(CORPUS.glob("*/contracts.yaml")), ids=lambda path: str(path.parent.name))
def test_the_contracts_of_the_recorded_suites_are_read(path: Path) -> None:
    assert load_overlays(path)
