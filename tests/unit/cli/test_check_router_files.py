"""`check` reads what the router file names: prices and scripts with mistakes do not wait for `serve`."""

from pathlib import Path

import pytest

from interlock.cli.app import app
from interlock.cli.exits import Exit, run


@pytest.fixture
def desk(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    assert run(app, ["init", str(tmp_path / "desk")], "interlock") == Exit.FINE
    capsys.readouterr()
    return tmp_path / "desk"


@pytest.mark.parametrize("of", ["", "config/router.yaml"])
def test_a_misspelt_price_is_told_by_check(desk: Path, of: str, capsys: pytest.CaptureFixture[str]) -> None:
    (desk / "config" / "prices.yaml").write_text("prices:\n  - {provider: openai, model: x, inputs: 1, output: 2}\n")
    with (desk / "config" / "router.yaml").open("a") as router:
        router.write("\nprices: prices.yaml\n")

    assert run(app, ["check", str(desk / of)], "interlock") == Exit.USAGE
    assert "prices.yaml" in (told := capsys.readouterr().err)
    assert "prices[0].inputs" in told


def test_a_script_with_a_mistake_is_told_by_check(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (desk / "config" / "rehearsal.yaml").write_text("rules:\n  - {id: slow, say: hi, delay: {between: 200ms}}\n")

    assert run(app, ["check", str(desk)], "interlock") == Exit.USAGE
    assert "rehearsal.yaml: Rule 'slow' of the script cannot be used" in (told := capsys.readouterr().err)
    assert "milliseconds" in told


@pytest.mark.parametrize(("name", "doubted"), [("gpt-4.1-mini", False), ("rehearsal", False), ("gpt-4.1-mni", True)])
def test_a_brake_on_a_misspelt_model_is_doubted(
    desk: Path, name: str, doubted: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    said = ["brake", "on", "--model", name, "--for", "1m", "--reason", "odd", "-c", str(desk)]

    assert run(app, said, "interlock") == Exit.FINE
    assert ("Did you mean 'gpt-4.1-mini'?" in capsys.readouterr().out) == doubted
