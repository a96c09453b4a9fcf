"""How alike must two questions be for one reply to serve both? Measures thresholds of the semantic cache on labelled pairs."""

import argparse
import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from interlock.adapters.providers.minilm import load
from interlock.domain.errors import InterlockError
from interlock.models.markers import is_reordered, markers, order_of
from interlock.models.similarity import WHOLE, nearest, pack

PAIRS = Path(__file__).parent / "cache_pairs.tsv"
LOWEST, STEP = 7_500, 50
"""In 1/10,000."""
_Z = 1.959964
"""Of a 95 % interval."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two questions, and whether one answer serves both."""

    same: bool
    one: str
    other: str


@dataclass(frozen=True, slots=True)
class Scored:
    """A pair as the cache sees it."""

    pair: Pair
    similarity: int
    """In 1/10,000."""
    marked: bool
    """Whether numbers, names, negations or the like keep the two apart, however alike they are."""


@dataclass(frozen=True, slots=True)
class Row:
    """What one threshold does on all pairs."""

    threshold: int
    right: int
    wrong: int
    missed: int
    told_apart: int

    @property
    def precision(self) -> float:
        """Share of right hits among hits; 1 without hits."""
        hits = self.right + self.wrong
        return self.right / hits if hits else 1.0

    @property
    def recall(self) -> float:
        """Share of pairs of one meaning that are hits."""
        return self.right / max(1, self.right + self.missed)

    @property
    def most_wrong(self) -> float:
        """Upper end of the Wilson interval of the share of near but different pairs that are taken for the same."""
        return wilson(self.wrong, self.wrong + self.told_apart)[1]


def read_pairs(path: Path) -> list[Pair]:
    """Return the pairs in a file of lines `same|different <tab> question <tab> question`. Raises ValueError, naming the line."""
    pairs = []
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        label, *questions = line.split("\t")
        if label not in ("same", "different") or len(questions) != 2:
            raise ValueError(f"{path}:{number}: not 'same' or 'different' and two questions, separated by tabs")
        pairs.append(Pair(label == "same", *questions))
    return pairs


def score(pairs: Sequence[Pair], embed: Callable[[str], bytes]) -> list[Scored]:
    """Return every pair with its similarity, by the functions that the cache itself uses."""
    return [Scored(pair, _similarity(embed(pair.one), embed(pair.other)), _marked(pair)) for pair in pairs]


def table(scored: Sequence[Scored], *, with_markers: bool = True) -> list[Row]:
    """Return what each threshold does."""
    rows = []
    for threshold in range(LOWEST, WHOLE, STEP):
        hits = [one.similarity >= threshold and not (with_markers and one.marked) for one in scored]
        right = sum(hit and one.pair.same for hit, one in zip(hits, scored, strict=True))
        wrong = sum(hits) - right
        same = sum(one.pair.same for one in scored)
        rows.append(Row(threshold, right, wrong, same - right, len(scored) - same - wrong))
    return rows


def recommended(rows: Sequence[Row]) -> Row | None:
    """Return the smallest threshold from which on there is no wrong hit, or None."""
    clean = None
    for row in reversed(rows):
        if row.wrong:
            break
        clean = row
    return clean


def wilson(count: int, total: int) -> tuple[float, float]:
    """Return the 95 % interval of a share that was `count` of `total`."""
    if not total:
        return 0.0, 1.0
    share, square = count / total, _Z * _Z
    middle = (share + square / (2 * total)) / (1 + square / total)
    half = _Z / (1 + square / total) * math.sqrt(share * (1 - share) / total + square / (4 * total * total))
    return max(0.0, middle - half), min(1.0, middle + half)


def report(scored: Sequence[Scored]) -> str:
    """Return the tables and what follows from them, as text."""
    same = sum(one.pair.same for one in scored)
    lines = [f"{len(scored)} pairs: {same} of one meaning, {len(scored) - same} near but different", ""]
    for title, with_markers in (("With markers, as the cache works", True), ("By similarity alone", False)):
        rows = table(scored, with_markers=with_markers)
        lines += [title, "threshold  precision  recall  wrong  at most wrong (95 %)"]
        lines += [_line(row) for row in rows if row.threshold % 100 == 0]
        best = recommended(rows)
        if best is None:
            lines.append("no threshold without a wrong hit")
        else:
            lines.append(f"smallest without a wrong hit: {best.threshold / 100:g}%  ->{_line(best)}")
        lines.append("")
    near = sorted((one for one in scored if not one.pair.same and not one.marked), key=lambda one: -one.similarity)
    lines.append("Closest pairs that only the threshold keeps apart:")
    lines += [f"  {one.similarity / 100:.2f}%  {one.pair.one}  |  {one.pair.other}" for one in near[:5]]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the report; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cache_threshold", description=__doc__)
    parser.add_argument("--pairs", type=Path, default=PAIRS, help="your own pairs: same|different, question, question")
    said = parser.parse_args(arguments)
    try:
        pairs = read_pairs(said.pairs)
    except (OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    try:
        model = load()
    except InterlockError as error:
        print(error, file=sys.stderr)
        return 3
    print(report(score(pairs, lambda text: pack(model.vector(model.numbers(text))))))
    return 0


def _line(row: Row) -> str:
    return f"{row.threshold / 100:8.1f}%  {row.precision:9.3f}  {row.recall:6.3f}  {row.wrong:5d}  {100 * row.most_wrong:6.1f} %"


def _similarity(one: bytes, other: bytes) -> int:
    found = nearest(one, [_Vector(other)], 0)
    return found[1] if found is not None else 0


def _marked(pair: Pair) -> bool:
    return markers(pair.one) != markers(pair.other) or is_reordered(order_of(pair.one), order_of(pair.other))


@dataclass(frozen=True, slots=True)
class _Vector:
    vector: bytes


if __name__ == "__main__":
    sys.exit(main())
