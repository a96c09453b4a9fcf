"""The calibration counts what the cache would do, and recommends nothing that goes wrong."""

from pathlib import Path

import pytest

from benchmarks.cache_threshold import PAIRS, Pair, Scored, main, read_pairs, recommended, report, table, wilson


def scored(similarity: int, *, same: bool = False, marked: bool = False) -> Scored:
    return Scored(Pair(same, "one", "other"), similarity, marked)


SCORED = [
    scored(9_900, same=True),
    scored(9_200, same=True),
    scored(9_600, same=True, marked=True),
    scored(9_400),
    scored(9_980, marked=True),
]


def test_hits_are_counted_as_the_cache_would_make_them() -> None:
    rows = {row.threshold: row for row in table(SCORED)}

    assert (rows[9_000].right, rows[9_000].wrong, rows[9_000].missed) == (2, 1, 1)
    assert (rows[9_450].right, rows[9_450].wrong, rows[9_450].told_apart) == (1, 0, 2)
    assert rows[9_000].precision == pytest.approx(2 / 3)
    assert rows[9_000].recall == pytest.approx(2 / 3)


def test_the_smallest_threshold_without_a_wrong_hit_is_recommended() -> None:
    best = recommended(table(SCORED))

    assert best is not None
    assert best.threshold == 9_450
    assert recommended(table(SCORED, with_markers=False)) is None


def test_no_wrong_hit_among_few_pairs_is_little_proof() -> None:
    assert wilson(0, 118)[1] == pytest.approx(0.0315, abs=0.0001)
    assert wilson(0, 2)[1] > 0.6
    assert wilson(0, 0) == (0.0, 1.0)
    assert wilson(5, 10) == pytest.approx((0.2366, 0.7634), abs=0.0001)


def test_the_pairs_are_many_of_both_kinds_and_each_is_there_once() -> None:
    pairs = read_pairs(PAIRS)

    assert sum(pair.same for pair in pairs) >= 60
    assert sum(not pair.same for pair in pairs) >= 60
    assert len({frozenset((pair.one, pair.other)) for pair in pairs}) == len(pairs)


def test_the_report_names_what_only_the_threshold_keeps_apart() -> None:
    said = report(SCORED)

    assert "smallest without a wrong hit: 94.5%" in said
    assert "94.00%  one  |  other" in said


def test_a_line_that_is_no_pair_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "pairs.tsv").write_text("same\ta\tb\nalike\ta\tb\n")

    assert main(["--pairs", str(tmp_path / "pairs.tsv")]) == 2
    assert "pairs.tsv:2" in capsys.readouterr().err
