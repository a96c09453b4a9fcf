"""What a condition names is read from its tokens, and so is when it is to be asked."""

import pytest

from interlock.domain.agents import Engine, Phase
from interlock.domain.conditions import phase_of, references
from interlock.domain.errors import ConfigurationError

CEL, OPA, CEDAR = Engine.CEL, Engine.OPA, Engine.CEDAR


@pytest.mark.parametrize(
    ("condition", "engine", "phase"),
    [
        ("input.amount_usd <= 50", OPA, Phase.BEFORE),
        ("output.contains_pii == false", OPA, Phase.AFTER),
        ("input.output == 1", CEL, Phase.BEFORE),
        ('input.note != "output.contains_pii"', CEL, Phase.BEFORE),
        ("input.note != 'output.x'", CEL, Phase.BEFORE),
        ("input.x == `output.x`", OPA, Phase.BEFORE),
        ("input.x == 1 # output.is_error", OPA, Phase.BEFORE),
        ("input.x == 1 // output.is_error", CEL, Phase.BEFORE),
        ("input.x[output.content.n] == 1", CEL, Phase.AFTER),
        ('output["is_error"] == false', CEL, Phase.AFTER),
        ("!output.is_error", CEL, Phase.AFTER),
        ("output_limit == 1", CEL, Phase.BEFORE),
        ("!context.output.is_error", CEDAR, Phase.AFTER),
        ('context["output"].is_error', CEDAR, Phase.AFTER),
        ("context.input.output == 1", CEDAR, Phase.BEFORE),
    ],
)
def test_a_condition_that_reads_the_result_is_asked_after_the_call(
    condition: str, engine: Engine, phase: Phase
) -> None:
    assert phase_of(condition, engine) is phase


@pytest.mark.parametrize(
    ("condition", "engine"),
    [
        ("input.to.all(output, output != 'x')", CEL),
        ("output := 1; output == 1", OPA),
        ("some input in [1]; input == 1", OPA),
    ],
)
def test_a_variable_that_takes_a_subjects_name_is_refused(condition: str, engine: Engine) -> None:
    with pytest.raises(ConfigurationError, match="variable"):
        phase_of(condition, engine)


@pytest.mark.parametrize(
    ("condition", "engine", "expected"),
    [
        ("has(input.a) && input.a.b[0].c > 3", CEL, [("input.a", True), ("input.a.b.*.c", False)]),
        ('input["a b"].size() > 2', CEL, [("input.a b", False)]),
        ("context.input has a && context.input.a > 3", CEDAR, [("input.a", True), ("input.a", False)]),
        ('object.get(input, "a", 0) > 1', OPA, [("input.a", True)]),
        ("not input.a", OPA, [("input.a", True)]),
        ("input.l[_] == 1", OPA, [("input.l.*", False)]),
    ],
)
def test_references_say_what_is_read_and_whether_its_absence_was_thought_of(
    condition: str, engine: Engine, expected: list[tuple[str, bool]]
) -> None:
    assert [(".".join(each.path), each.guarded) for each in references(condition, engine)] == expected
